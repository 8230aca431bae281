-- pg_tviews_drop takes metadata, triggers nobody else needs, the table, and the view if the extension made it.
SET client_min_messages = warning;
CREATE SCHEMA drop;
SET search_path = drop, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int);
CREATE VIEW v_own AS SELECT pk_user AS id, name FROM tb_user;
SELECT pg_tviews_create('own');
SELECT pg_tviews_create('made', 'SELECT p.pk_post AS id, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
SELECT pg_tviews_create('kept', 'SELECT pk_post AS id FROM tb_post');
SELECT * FROM traces ORDER BY 1, 2;
SELECT pg_tviews_drop('made');
SELECT * FROM traces ORDER BY 1, 2;
SELECT pg_tviews_drop('own');
SELECT * FROM traces ORDER BY 1, 2;
SELECT pg_tviews_drop('kept', keep_table => true);
SELECT * FROM traces ORDER BY 1, 2;
SELECT pg_tviews_drop('kept', if_exists => true);
SELECT pg_tviews_drop('never', true);
SELECT error_of($$SELECT pg_tviews_drop('kept')$$);
SELECT error_of($$SELECT pg_tviews_drop('never')$$);
-- Pending changes go too; rolled back, everything is as before.
SELECT pg_tviews_create('own');
BEGIN; UPDATE tb_user SET name = 'x'; SELECT pg_tviews_drop('own'); ROLLBACK;
INSERT INTO tb_user VALUES (1, 'Ann');
CALL pg_tviews_drain();
TABLE tv_own;
INSERT INTO tb_user VALUES (2, 'Bob');
SELECT pg_tviews_drop('own');
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_queue;
SELECT * FROM traces ORDER BY 1, 2;
-- Something depends on the tv table.
SELECT pg_tviews_create('own');
CREATE VIEW reader AS SELECT * FROM tv_own;
SELECT error_of($$SELECT pg_tviews_drop('own')$$);
SELECT kind, name FROM traces WHERE kind = 'TVIEW';

DROP SCHEMA drop CASCADE;
