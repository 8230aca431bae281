-- Rows whose content stays as it was are not rewritten, whatever the refresh.
SET client_min_messages = warning;
CREATE SCHEMA no_op;
SET search_path = no_op, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, j json, x xml, n numeric);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post SELECT i, 1 + i % 2, 'post' || i, '{"a": 1}', '<a/>', i FROM generate_series(1, 10) AS i;
SELECT pg_tviews_create('post', 'SELECT p.pk_post, upper(u.name) AS name, p.title, p.j, p.x, p.n, to_jsonb(p) AS data FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
SELECT pg_tviews_create('total', 'SELECT 1 AS id, count(*) AS n FROM tb_post');
CALL pg_tviews_drain();
CALL remember_rows('post,total');
-- Nothing pending.
CALL pg_tviews_drain();
SELECT rows_rewritten();
-- Asked for everything.
SELECT pg_tviews_refresh('post');
SELECT pg_tviews_refresh('total');
CALL pg_tviews_drain();
SELECT rows_rewritten();
SELECT changes_read, keys_refreshed, rows_inserted, rows_updated, rows_deleted, rows_unchanged FROM pg_tview_meta_audit WHERE tview_oid = 'tv_post'::regclass ORDER BY audit_id DESC LIMIT 1;
-- Content the same by other means.
UPDATE tb_user SET name = lower(name);
DELETE FROM tb_post WHERE pk_post = 3; INSERT INTO tb_post VALUES (3, 2, 'post3', '{"a": 1}', '<a/>', 3);
CALL pg_tviews_drain();
SELECT rows_rewritten();
-- One row changes, the other nine do not: one old version went, one new came.
UPDATE tb_post SET title = 'changed' WHERE pk_post = 5;
CALL pg_tviews_drain();
SELECT rows_rewritten();
SELECT changes_read, keys_refreshed, rows_inserted, rows_updated, rows_deleted, rows_unchanged FROM pg_tview_meta_audit WHERE tview_oid = 'tv_post'::regclass ORDER BY audit_id DESC LIMIT 1;
-- Inserted and deleted again.
CALL remember_rows('post,total');
INSERT INTO tb_post VALUES (99, 1, 'short life'); DELETE FROM tb_post WHERE pk_post = 99;
CALL pg_tviews_drain();
SELECT rows_rewritten();
SELECT same('v_post', 'tv_post');

DROP SCHEMA no_op CASCADE;
