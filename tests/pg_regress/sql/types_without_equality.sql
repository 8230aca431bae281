-- json, xml and point have no equality: the writer's UPDATE must not fail, and changes are noticed.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA types_without_equality;
SET search_path = types_without_equality, public;

CREATE TABLE tb_thing (pk_thing int PRIMARY KEY, j json, x xml, p point, c circle, g text);
INSERT INTO tb_thing VALUES (1, '{"a": 1}', '<a/>', '(1,2)', '<(0,0),1>', 'g'), (2, NULL, NULL, NULL, NULL, 'g'), (3, '{"a":1}', '<b>x</b>', '(0,-0)', '<(1,1),2>', 'h');

CREATE VIEW v_thing AS SELECT pk_thing, j, x, p, c FROM tb_thing;
CREATE VIEW v_group AS
SELECT g AS id, json_agg(j ORDER BY pk_thing) AS js, array_agg(p::text ORDER BY pk_thing) AS ps, string_agg(x::text, '' ORDER BY pk_thing) AS xs
  FROM tb_thing GROUP BY g;
SELECT pg_tviews_create('thing');
SELECT pg_tviews_create('group');

SELECT command FROM run_case('thing,group',
    $$UPDATE tb_thing SET j = '{"a":  1}' WHERE pk_thing = 1$$,
    $$UPDATE tb_thing SET x = '<a></a>' WHERE pk_thing = 1$$,
    $$UPDATE tb_thing SET p = '(1,2.5)' WHERE pk_thing = 1$$,
    $$UPDATE tb_thing SET p = '(0,0)' WHERE pk_thing = 3$$,
    $$UPDATE tb_thing SET c = '<(0,0),1.5>' WHERE pk_thing = 1$$,
    $$UPDATE tb_thing SET j = j, x = x, p = p$$,
    $$UPDATE tb_thing SET j = NULL, x = NULL, p = NULL WHERE pk_thing = 3$$,
    $$UPDATE tb_thing SET j = 'null' WHERE pk_thing = 2$$,
    $$UPDATE tb_thing SET g = 'h'$$,
    $$DELETE FROM tb_thing WHERE pk_thing = 1$$)
\gexec

DROP SCHEMA types_without_equality CASCADE;
