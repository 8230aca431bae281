-- SYSTEM_USER is that of the session: not followed, and not computed in sessions of other roles.
\set ECHO none
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA since_16_system_user;
SET search_path = since_16_system_user, public;
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_tviews_stranger;
CREATE ROLE regress_tviews_stranger;
GRANT USAGE ON SCHEMA since_16_system_user TO regress_tviews_stranger;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int);
INSERT INTO tb_item VALUES (1, 1), (2, 2);
\set VERBOSITY default
SELECT pg_tviews_create('item', 'SELECT pk_item, n, SYSTEM_USER AS reader FROM tb_item');
SELECT pg_tviews_create('plain', 'SELECT pk_item AS pk_plain, n FROM tb_item');
GRANT SELECT, UPDATE ON tb_item TO regress_tviews_stranger;
GRANT SELECT ON tv_item, tv_plain TO regress_tviews_stranger;
SET client_min_messages = notice;
CALL pg_tviews_drain();
SET ROLE regress_tviews_stranger;
BEGIN;
UPDATE tb_item SET n = 10 WHERE pk_item = 1;
SELECT n FROM tv_plain WHERE pk_plain = 1;
SELECT n FROM tv_item WHERE pk_item = 1;
COMMIT;
RESET ROLE;
CALL pg_tviews_drain();
SELECT n FROM tv_item WHERE pk_item = 1;
\set VERBOSITY terse

SET client_min_messages = warning;
DROP SCHEMA since_16_system_user CASCADE;
DROP ROLE regress_tviews_stranger;
