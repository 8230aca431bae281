-- Views on views six levels deep, joined back on id while the relationships run over pk and fk.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA nested_views;
SET search_path = nested_views, public;

CREATE TABLE tb_org     (pk_org int PRIMARY KEY, id uuid UNIQUE, name text);
CREATE TABLE tb_dept    (pk_dept int PRIMARY KEY, id uuid UNIQUE, fk_org int, name text);
CREATE TABLE tb_team    (pk_team int PRIMARY KEY, id uuid UNIQUE, fk_dept int, name text);
CREATE TABLE tb_user    (pk_user int PRIMARY KEY, id uuid UNIQUE, fk_team int, name text);
CREATE TABLE tb_post    (pk_post int PRIMARY KEY, id uuid UNIQUE, fk_user int, name text);
CREATE TABLE tb_comment (pk_comment int PRIMARY KEY, id uuid UNIQUE, fk_post int, name text);
INSERT INTO tb_org SELECT i, md5('org' || i)::uuid, 'org' || i FROM generate_series(1, 2) AS i;
INSERT INTO tb_dept SELECT i, md5('dept' || i)::uuid, (i + 1) / 2, 'dept' || i FROM generate_series(1, 4) AS i;
INSERT INTO tb_team SELECT i, md5('team' || i)::uuid, (i + 1) / 2, 'team' || i FROM generate_series(1, 8) AS i;
INSERT INTO tb_user SELECT i, md5('user' || i)::uuid, (i + 1) / 2, 'user' || i FROM generate_series(1, 16) AS i;
INSERT INTO tb_post SELECT i, md5('post' || i)::uuid, (i + 1) / 2, 'post' || i FROM generate_series(1, 32) AS i;
INSERT INTO tb_comment SELECT i, md5('comment' || i)::uuid, (i + 1) / 2, 'comment' || i FROM generate_series(1, 64) AS i;

CREATE VIEW v_org AS SELECT id, jsonb_build_object('name', name) AS data FROM tb_org;
CREATE VIEW v_dept AS
SELECT c.id, jsonb_build_object('name', c.name, 'org', v.data) AS data
  FROM tb_dept c JOIN tb_org p ON p.pk_org = c.fk_org JOIN v_org v ON v.id = p.id;
CREATE VIEW v_team AS
SELECT c.id, jsonb_build_object('name', c.name, 'dept', v.data) AS data
  FROM tb_team c JOIN tb_dept p ON p.pk_dept = c.fk_dept JOIN v_dept v ON v.id = p.id;
CREATE VIEW v_user AS
SELECT c.id, jsonb_build_object('name', c.name, 'team', v.data) AS data
  FROM tb_user c JOIN tb_team p ON p.pk_team = c.fk_team JOIN v_team v ON v.id = p.id;
CREATE VIEW v_post AS
SELECT c.id, jsonb_build_object('name', c.name, 'user', v.data) AS data
  FROM tb_post c JOIN tb_user p ON p.pk_user = c.fk_user JOIN v_user v ON v.id = p.id;
CREATE VIEW v_comment AS
SELECT c.id, jsonb_build_object('name', c.name, 'post', v.data) AS data
  FROM tb_comment c JOIN tb_post p ON p.pk_post = c.fk_post JOIN v_post v ON v.id = p.id;
SELECT pg_tviews_create(entity) FROM unnest('{org,dept,team,user,post,comment}'::text[]) AS entity;

SELECT command FROM run_case('org,dept,team,user,post,comment',
    $$UPDATE tb_org SET name = 'renamed' WHERE pk_org = 1$$,
    $$UPDATE tb_comment SET name = 'leaf' WHERE pk_comment = 64$$,
    $$UPDATE tb_team SET fk_dept = 4 WHERE pk_team = 1$$,
    $$UPDATE tb_dept SET id = md5('new id')::uuid WHERE pk_dept = 4$$,
    $$DELETE FROM tb_user WHERE pk_user = 3$$,
    $$INSERT INTO tb_user VALUES (3, md5('user3')::uuid, 8, 'moved')$$,
    $$UPDATE tb_post SET fk_user = NULL WHERE pk_post = 1$$,
    $$UPDATE tb_dept SET fk_org = 3 - fk_org$$,
    $$UPDATE tb_org SET pk_org = 3 WHERE pk_org = 2$$,
    $$INSERT INTO tb_org VALUES (2, md5('again')::uuid, 'again')$$,
    $$TRUNCATE tb_team$$)
\gexec

DROP SCHEMA nested_views CASCADE;
