-- A query sees the changes of its own transaction in tv tables; where it does not, a NOTICE says why, once.
SET client_min_messages = warning;
CREATE SCHEMA read_your_writes;
SET search_path = read_your_writes, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL, score int NOT NULL DEFAULT 1);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL REFERENCES tb_user, title text NOT NULL);
INSERT INTO tb_user SELECT n, 'user ' || n FROM generate_series(1, 5) n;
INSERT INTO tb_post SELECT n, n, 'post ' || n FROM generate_series(1, 5) n;
SELECT pg_tviews_create('user', 'SELECT pk_user, name, 10 / score AS share FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
SELECT pg_tviews_create('total', 'SELECT 1 AS pk_total, count(*) AS posts FROM tb_post');
SET client_min_messages = notice;

SHOW pg_tviews.read_your_writes;
SHOW pg_tviews.preview_limit;
SELECT error_of(format('SET pg_tviews.%s', bad)) FROM unnest(ARRAY['preview_limit = 0', 'read_your_writes = 7']) AS bad;

BEGIN;
UPDATE tb_user SET name = 'changed' WHERE pk_user = 1;
INSERT INTO tb_post VALUES (6, 1, 'new');
DELETE FROM tb_post WHERE pk_post = 2;
SELECT * FROM tv_user WHERE pk_user = 1;
SELECT * FROM tv_post ORDER BY pk_post;
SELECT * FROM tv_total;
-- What is queued: the changes as ever, and the keys of the rows that were written here.
COMMIT;
SELECT source_oid, operation, keys FROM pg_tview_queue ORDER BY source_oid::text, operation;
CALL pg_tviews_drain();
SELECT * FROM pg_tviews_check('user') UNION ALL SELECT * FROM pg_tviews_check('post') UNION ALL SELECT * FROM pg_tviews_check('total');

-- Savepoints.
BEGIN;
SAVEPOINT s;
UPDATE tb_user SET name = 'undone' WHERE pk_user = 1;
SELECT name FROM tv_user WHERE pk_user = 1;
ROLLBACK TO s;
SELECT name FROM tv_user WHERE pk_user = 1;
COMMIT;

-- Too many.
BEGIN;
SET LOCAL pg_tviews.preview_limit = 2;
UPDATE tb_user SET name = 'many';
SELECT name FROM tv_user WHERE pk_user = 3;
SELECT name FROM tv_user WHERE pk_user = 3;
SELECT DISTINCT name FROM tv_post WHERE pk_post = 3;
ROLLBACK;

-- A view that fails.
BEGIN;
UPDATE tb_user SET score = 0 WHERE pk_user = 3;
\set VERBOSITY default
SELECT share FROM tv_user WHERE pk_user = 3;
\set VERBOSITY terse
SELECT share FROM tv_user WHERE pk_user = 3;
UPDATE tb_user SET score = 5 WHERE pk_user = 3;
SELECT share FROM tv_user WHERE pk_user = 3;
ROLLBACK;

-- Off.
BEGIN;
SET LOCAL pg_tviews.read_your_writes = off;
UPDATE tb_user SET name = 'later' WHERE pk_user = 1;
SELECT name FROM tv_user WHERE pk_user = 1;
COMMIT;

-- Deferred constraints of the tv table: a refresh has them checked at once, a transaction's own are its own.
ALTER TABLE tv_post ADD FOREIGN KEY (pk_post) REFERENCES tb_post DEFERRABLE INITIALLY DEFERRED;
CALL pg_tviews_drain();
BEGIN;
INSERT INTO tb_post VALUES (7, 1, 'deferred');
\set VERBOSITY default
SELECT title FROM tv_post WHERE pk_post = 7;
\set VERBOSITY terse
COMMIT;
CALL pg_tviews_drain();
SELECT title FROM tv_post WHERE pk_post = 7;

SET client_min_messages = warning;
DROP SCHEMA read_your_writes CASCADE;
