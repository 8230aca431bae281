-- Created, changed and dropped inside transactions and savepoints; nothing is left of what rolls back.
SET client_min_messages = warning;
CREATE SCHEMA create_inside_a_transaction;
SET search_path = create_inside_a_transaction, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
INSERT INTO tb_post VALUES (1, 'one');
BEGIN;
INSERT INTO tb_post VALUES (2, 'before, same transaction');
SELECT pg_tviews_create('post', 'SELECT pk_post, title FROM tb_post');
INSERT INTO tb_post VALUES (3, 'after, same transaction');
COMMIT;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post'), (SELECT count(*) FROM tv_post);
BEGIN;
SELECT pg_tviews_create('gone', 'SELECT pk_post AS id, title FROM tb_post');
SAVEPOINT s;
SELECT pg_tviews_drop('post');
ROLLBACK TO s;
INSERT INTO tb_post VALUES (4, 'rolled back');
ROLLBACK;
SELECT * FROM traces ORDER BY 1, 2;
BEGIN;
SAVEPOINT s;
SELECT pg_tviews_create('gone', 'SELECT pk_post AS id, title FROM tb_post');
ROLLBACK TO s;
SELECT pg_tviews_create('kept', 'SELECT pk_post AS id, upper(title) AS title FROM tb_post');
UPDATE tb_post SET title = 'x' WHERE pk_post = 1;
COMMIT;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post'), same('v_kept', 'tv_kept');
SELECT * FROM traces ORDER BY 1, 2;
-- A snapshot older than the triggers would miss changes: refused, or made safe.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM tb_post;
SELECT pg_tviews_create('late', 'SELECT pk_post AS id, title FROM tb_post');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM tb_post;
SELECT pg_tviews_create('late', 'SELECT pk_post AS id, title FROM tb_post');
ROLLBACK;
BEGIN READ ONLY;
SELECT pg_tviews_create('late', 'SELECT pk_post AS id, title FROM tb_post');
ROLLBACK;
BEGIN READ ONLY;
SELECT pg_tviews_refresh('post');
ROLLBACK;
BEGIN READ ONLY;
SELECT pg_tviews_drop('post');
ROLLBACK;
-- The drain commits, so it has no place in a transaction.
BEGIN;
CALL pg_tviews_drain();
ROLLBACK;

DROP SCHEMA create_inside_a_transaction CASCADE;
