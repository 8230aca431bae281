-- A table inherits from a tv table: its rows are its own, whatever is refreshed, compared, previewed or asked.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA table_with_heirs;
SET search_path = table_with_heirs, public;

CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int);
INSERT INTO tb_a VALUES (1, 1), (2, 2);
CREATE VIEW v_a AS SELECT pk_a, n FROM tb_a;
SELECT pg_tviews_create('a');
CREATE TABLE tv_a_heir () INHERITS (tv_a);
INSERT INTO tv_a_heir VALUES (1, 100), (2, 200), (77, 700);

SELECT * FROM pg_tviews_check('a');
SELECT pg_tviews_refresh('a');
CALL pg_tviews_drain();
SELECT pg_tviews_refresh('a', '{1,77}');
CALL pg_tviews_drain();
UPDATE tb_a SET n = n + 10;
CALL pg_tviews_drain();
BEGIN;
UPDATE tb_a SET n = n + 10 WHERE pk_a = 1;
DELETE FROM tb_a WHERE pk_a = 2;
SELECT * FROM ONLY tv_a ORDER BY pk_a;
COMMIT;
CALL pg_tviews_drain();
INSERT INTO tb_a VALUES (77, 7);
CALL pg_tviews_drain();
TRUNCATE tb_a;
INSERT INTO tb_a VALUES (3, 3);
SELECT key, key_text FROM pg_tviews_pending('a');
CALL pg_tviews_drain();
SELECT pg_tviews_create('a');
SELECT * FROM pg_tviews_affected('a', 'tb_a', '[3]');
SELECT * FROM pg_tviews_check('a');
SELECT * FROM ONLY tv_a ORDER BY pk_a;
SELECT * FROM tv_a_heir ORDER BY pk_a;

SELECT pg_tviews_drop('a', keep_table => true);
DROP SCHEMA table_with_heirs CASCADE;
