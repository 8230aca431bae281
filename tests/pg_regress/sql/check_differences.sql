-- pg_tviews_check names missing, extra and different rows, right now.
SET client_min_messages = warning;
SET pg_tviews.allow_table_writes = on;
CREATE SCHEMA check_differences;
SET search_path = check_differences, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, tenant text, name text, doc json);
INSERT INTO tb_user SELECT i, 't' || i, 'user' || i, json_build_object('i', i) FROM generate_series(1, 5) AS i;
SELECT pg_tviews_create('user', 'SELECT pk_user, name, doc FROM tb_user');
SELECT pg_tviews_create('pair', 'SELECT pk_user, tenant, name FROM tb_user', key_columns => '{pk_user,tenant}');
CALL pg_tviews_drain();
SELECT * FROM pg_tviews_check('user');
SELECT * FROM pg_tviews_check('pair');
DELETE FROM tv_user WHERE pk_user = 1;
INSERT INTO tv_user VALUES (9, 'extra', '1');
UPDATE tv_user SET name = 'wrong' WHERE pk_user = 2;
UPDATE tv_user SET name = NULL WHERE pk_user = 3;
UPDATE tv_user SET doc = '{"i":  4}' WHERE pk_user = 4;
UPDATE tv_pair SET tenant = 'moved' WHERE pk_user = 5;
SELECT * FROM pg_tviews_check('user') ORDER BY key;
SELECT * FROM pg_tviews_check('pair') ORDER BY key::text;
-- A pending change is a difference until it is applied; checking changes nothing.
SELECT pg_tviews_refresh('user');
SELECT pg_tviews_refresh('pair');
CALL pg_tviews_drain();
UPDATE tb_user SET name = 'pending' WHERE pk_user = 1;
SELECT * FROM pg_tviews_check('user');
CALL pg_tviews_drain();
SELECT * FROM pg_tviews_check('user');
SELECT error_of($$SELECT * FROM pg_tviews_check('nobody')$$);

DROP SCHEMA check_differences CASCADE;
