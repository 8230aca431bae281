-- What pg_tviews_explain refuses, and what it keeps from those who may not read.
SET client_min_messages = warning;
CREATE SCHEMA explain_errors;
SET search_path = explain_errors, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE VIEW v_keyless AS SELECT name FROM tb_user;
SELECT error_of($$SELECT * FROM pg_tviews_explain('nobody')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('tb_user')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('nowhere.post')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('a.b.c')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('keyless')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT name FROM tb_user')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_user FRM tb_user')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_usr FROM tb_user')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_user FROM tb_nobody')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('DELETE FROM tb_user RETURNING pk_user')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('WITH gone AS (DELETE FROM tb_user RETURNING pk_user) SELECT pk_user FROM gone')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT 1 AS id; SELECT 2 AS id')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_user INTO copied FROM tb_user')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT oid AS id FROM pg_class')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT point(1, 2) AS id FROM tb_user')$$);
SELECT * FROM pg_tviews_explain(NULL);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_user, name FROM tb_user', '{}')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_user, name FROM tb_user', '{pk_user,email}')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_user, name FROM tb_user', '{name,name}')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('SELECT pk_user, name FROM tb_user', '{name,NULL}')$$);
SELECT error_of($$SELECT * FROM pg_tviews_explain('keyless', '{pk_user}')$$);
SELECT source, strategy FROM pg_tviews_explain('keyless', '{name}');

-- A stranger sees what the catalogs show to all, but not what the planner says.
DROP ROLE IF EXISTS regress_tviews_stranger;
CREATE ROLE regress_tviews_stranger;
GRANT USAGE ON SCHEMA explain_errors TO regress_tviews_stranger;
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int);
INSERT INTO tb_post SELECT i, i FROM generate_series(1, 10000) AS i;
CREATE VIEW v_post AS SELECT p.pk_post, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('post');
SET ROLE regress_tviews_stranger;
SELECT source, strategy, advice FROM pg_tviews_explain('post');
SELECT source, strategy, reason, advice FROM pg_tviews_explain('SELECT p.pk_post, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
RESET ROLE;
GRANT SELECT ON tv_post TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT source, strategy, advice FROM pg_tviews_explain('post');
RESET ROLE;

DROP SCHEMA explain_errors CASCADE;
DROP ROLE regress_tviews_stranger;
