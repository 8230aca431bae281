-- What pg_tviews_affected refuses, and to whom.
SET client_min_messages = warning;
CREATE SCHEMA affected_errors;
SET search_path = affected_errors, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, place point);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int);
CREATE TABLE tb_link (fk_post int, fk_tag int, PRIMARY KEY (fk_post, fk_tag));
CREATE TABLE tb_elsewhere (id int PRIMARY KEY);
INSERT INTO tb_user VALUES (1, 'Ann', '(1,2)'), (2, 'Bob', NULL);
INSERT INTO tb_post VALUES (10, 1), (11, 2), (12, 1);
SELECT pg_tviews_create('post', 'SELECT p.pk_post, u.name, (SELECT count(*) FROM tb_link l WHERE l.fk_post = p.pk_post) AS links FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
SELECT error_of($$SELECT * FROM pg_tviews_affected('nobody', 'tb_user', '[1]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_nobody', '[1]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_elsewhere', '[1]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tv_post', '[10]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 0, '[10]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '[{"pk_usr": 1}]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '[{}]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '[null]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '[[1]]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '["one"]')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '{"place": "(1,2)"}')$$);
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_link', '[1]')$$);
SELECT * FROM pg_tviews_affected('post', 'tb_user', NULL);

-- Others than the owner need SELECT on the tv table, on the source, and on the tables between.
DROP ROLE IF EXISTS regress_tviews_owner, regress_tviews_stranger;
CREATE ROLE regress_tviews_stranger;
GRANT USAGE ON SCHEMA affected_errors TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '[1]')$$);
RESET ROLE;
GRANT SELECT ON tv_post TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '[1]')$$);
RESET ROLE;
GRANT SELECT ON tb_user TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT error_of($$SELECT * FROM pg_tviews_affected('post', 'tb_user', '[1]')$$);
RESET ROLE;
GRANT SELECT ON tb_post TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT * FROM pg_tviews_affected('post', 'tb_user', '[1]');
RESET ROLE;
-- Rows that row security hides are not found.
ALTER TABLE tb_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_bob ON tb_user FOR SELECT USING (name = 'Bob');
SET ROLE regress_tviews_stranger;
SELECT * FROM pg_tviews_affected('post', 'tb_user', '[1, 2]');
RESET ROLE;
-- A view's own code runs as the owner of the TVIEW, whoever asks.
CREATE ROLE regress_tviews_owner;
GRANT CREATE, USAGE ON SCHEMA affected_errors TO regress_tviews_owner;
GRANT SELECT, TRIGGER ON tb_post TO regress_tviews_owner;
SET ROLE regress_tviews_owner;
CREATE FUNCTION key_of(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN CASE current_user WHEN ''regress_tviews_owner'' THEN $1 ELSE -1 END; END';
SELECT pg_tviews_create('trap', 'SELECT affected_errors.key_of(pk_post) AS id, fk_user FROM tb_post');
RESET ROLE;
SELECT * FROM pg_tviews_affected('trap', 'tb_post', '[11]');

DROP SCHEMA affected_errors CASCADE;
DROP OWNED BY regress_tviews_owner, regress_tviews_stranger;
DROP ROLE regress_tviews_owner, regress_tviews_stranger;
