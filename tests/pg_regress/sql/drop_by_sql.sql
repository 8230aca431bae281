-- DROP TABLE, DROP VIEW and DROP SCHEMA of what a TVIEW is made of leave nothing that disturbs.
SET client_min_messages = warning;
CREATE SCHEMA drop_by_sql;
SET search_path = drop_by_sql, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (1, 'Ann');
CREATE VIEW v_user AS SELECT pk_user, name FROM tb_user;
SELECT pg_tviews_create('user');
CALL pg_tviews_drain();
-- The tv table.
SET client_min_messages = notice;
DROP TABLE tv_user;
SET client_min_messages = warning;
UPDATE tb_user SET name = 'Anne';
CALL pg_tviews_drain();
SELECT * FROM traces ORDER BY 1, 2;
SELECT count(*) FROM pg_tview_meta m WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = m.tview_oid);
SELECT count(*) FROM pg_tview_queue;
-- A view that was made for the TVIEW is left, and a NOTICE says so. Nothing was said of the application's own.
SELECT pg_tviews_create('made', 'SELECT pk_user AS pk_made, name FROM tb_user');
SET client_min_messages = notice;
DROP TABLE tv_made;
SET client_min_messages = warning;
DROP VIEW v_made;
-- A schema with source, view and tv table.
CREATE SCHEMA drop_by_sql_2;
CREATE TABLE drop_by_sql_2.tb_post (pk_post int PRIMARY KEY, title text);
SELECT pg_tviews_create('drop_by_sql_2.post', 'SELECT pk_post, title FROM drop_by_sql_2.tb_post');
INSERT INTO drop_by_sql_2.tb_post VALUES (1, 'pending');
SET client_min_messages = notice;
DROP SCHEMA drop_by_sql_2 CASCADE;
SET client_min_messages = warning;
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_meta m WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = m.tview_oid);
SELECT count(*) FROM pg_tview_queue;
-- A source, and with it the view.
CREATE TABLE tb_other (pk_other int PRIMARY KEY);
SELECT pg_tviews_create('other', 'SELECT pk_other FROM tb_other');
INSERT INTO tb_other VALUES (1);
DROP TABLE tb_other CASCADE;
CALL pg_tviews_drain();
SELECT entity_name, state FROM pg_tview_meta WHERE tview_oid = 'tv_other'::regclass;
SELECT pg_tviews_drop('other');
SELECT * FROM traces ORDER BY 1, 2;

DROP SCHEMA drop_by_sql CASCADE;
