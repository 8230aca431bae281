-- JSON constructors and aggregates of the SQL standard; any_value; NULLS NOT DISTINCT beside them.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA since_16_json;
SET search_path = since_16_json, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, doc text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (1, 1, 'one', '{"a": 1}'), (2, 1, 'two', 'x'), (3, 2, 'three', NULL);

CREATE VIEW v_user AS SELECT u.pk_user, JSON_OBJECT('name': u.name, 'posts': (SELECT JSON_ARRAYAGG(p.title ORDER BY p.pk_post) FROM tb_post p WHERE p.fk_user = u.pk_user)) AS data FROM tb_user u;
CREATE VIEW v_grouped AS SELECT fk_user AS id, JSON_OBJECTAGG(title: doc ABSENT ON NULL RETURNING jsonb) AS docs, any_value(fk_user) AS any FROM tb_post GROUP BY fk_user;
CREATE VIEW v_valid AS SELECT pk_post AS id, doc IS JSON OBJECT AS is_object, JSON_ARRAY(pk_post, title RETURNING jsonb) AS row FROM tb_post;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('grouped', key_columns => '{id}');
SELECT pg_tviews_create('valid');

SELECT command FROM run_case('user,grouped,valid',
    $$UPDATE tb_user SET name = 'Anna' WHERE pk_user = 1$$,
    $$UPDATE tb_post SET title = 'zwei' WHERE pk_post = 2$$,
    $$UPDATE tb_post SET doc = '[]' WHERE pk_post = 1$$,
    $$UPDATE tb_post SET fk_user = 2 WHERE pk_post = 1$$,
    $$INSERT INTO tb_post VALUES (4, 1, 'four', '{}')$$,
    $$DELETE FROM tb_post WHERE fk_user = 2$$)
\gexec

DROP SCHEMA since_16_json CASCADE;
