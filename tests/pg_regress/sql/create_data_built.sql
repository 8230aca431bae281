-- A view without data for a table that has it: data is built from the view's columns.
SET client_min_messages = warning;
CREATE SCHEMA create_data_built;
SET search_path = create_data_built, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, id uuid, fk_user int, title text, at timestamptz);
INSERT INTO tb_post VALUES (1, '00000000-0000-0000-0000-000000000001', 7, 'one', '2024-01-02 03:04:05+00'), (2, NULL, NULL, NULL, NULL);
CREATE TABLE tv_post (pk_post int PRIMARY KEY, fk_user int, data jsonb NOT NULL);
CREATE VIEW v_post AS SELECT pk_post, id, fk_user, title FROM tb_post;
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
SELECT * FROM tv_post ORDER BY pk_post;
UPDATE tb_post SET title = 'uno' WHERE pk_post = 1;
INSERT INTO tb_post VALUES (3, NULL, 8, 'quote "''\', NULL);
DELETE FROM tb_post WHERE pk_post = 2;
CALL pg_tviews_drain();
SELECT * FROM tv_post ORDER BY pk_post;
SELECT same('v_post', 'tv_post');
-- json instead of jsonb.
CREATE TABLE tv_plain (pk_plain int PRIMARY KEY, data json);
SELECT pg_tviews_create('plain', 'SELECT pk_post AS pk_plain, title FROM tb_post');
CALL pg_tviews_drain();
UPDATE tb_post SET title = 'changed' WHERE pk_post = 3;
CALL pg_tviews_drain();
SELECT * FROM tv_plain ORDER BY pk_plain;

DROP SCHEMA create_data_built CASCADE;
