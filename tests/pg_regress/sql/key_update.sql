-- UPDATE of a primary key: the old tv row goes, the new one appears.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA key_update;
SET search_path = key_update, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, id uuid UNIQUE, name text);
INSERT INTO tb_user VALUES (1, '00000000-0000-0000-0000-000000000001', 'Ann'), (2, '00000000-0000-0000-0000-000000000002', 'Bob');
CREATE VIEW v_user AS SELECT pk_user, id, name FROM tb_user;
CREATE VIEW v_account AS SELECT id, jsonb_build_object('name', name) AS data FROM tb_user;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('account');

SELECT command FROM run_case('user,account',
    $$UPDATE tb_user SET pk_user = 9 WHERE pk_user = 1$$,
    $$UPDATE tb_user SET id = '00000000-0000-0000-0000-00000000000f' WHERE pk_user = 2$$,
    $$UPDATE tb_user SET pk_user = pk_user + 1, id = md5(name)::uuid, name = name || '!'$$,
    $$UPDATE tb_user SET pk_user = 100 WHERE pk_user = 10; UPDATE tb_user SET pk_user = 101 WHERE pk_user = 100$$,
    $$DELETE FROM tb_user WHERE pk_user = 101; INSERT INTO tb_user VALUES (1, '00000000-0000-0000-0000-000000000001', 'Ann')$$)
\gexec

DROP SCHEMA key_update CASCADE;
