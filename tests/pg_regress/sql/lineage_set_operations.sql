-- UNION ALL, UNION, EXCEPT and INTERSECT branches, with constants in the key, nested.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_set_operations;
SET search_path = lineage_set_operations, public;

CREATE TABLE tb_cat (pk_cat int PRIMARY KEY, name text);
CREATE TABLE tb_dog (pk_dog int PRIMARY KEY, name text, barks boolean);
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text, fk_cat int, fk_dog int);
INSERT INTO tb_cat VALUES (1, 'Tom'), (2, 'Mia');
INSERT INTO tb_dog VALUES (1, 'Rex', true), (2, 'Mia', false);
INSERT INTO tb_owner VALUES (1, 'Ann', 1, NULL), (2, 'Bob', 2, 1);

CREATE VIEW v_pet AS
SELECT 'cat' AS kind, c.pk_cat AS nr, c.name, (SELECT max(o.name) FROM tb_owner o WHERE o.fk_cat = c.pk_cat) AS owner FROM tb_cat c
UNION ALL
SELECT 'dog', d.pk_dog, d.name, o.name FROM tb_dog d LEFT JOIN tb_owner o ON o.fk_dog = d.pk_dog;
CREATE VIEW v_name AS SELECT name FROM tb_cat UNION SELECT name FROM tb_dog;
CREATE VIEW v_only_cat AS SELECT name FROM tb_cat EXCEPT SELECT name FROM tb_dog WHERE barks;
CREATE VIEW v_shared AS SELECT name FROM tb_cat INTERSECT SELECT name FROM tb_dog;
CREATE VIEW v_nested AS (SELECT name FROM tb_cat UNION SELECT name FROM tb_owner) EXCEPT (SELECT name FROM tb_dog WHERE NOT barks INTERSECT SELECT name FROM tb_cat);
CREATE VIEW v_counted AS
SELECT name, count(*) AS n, array_agg(kind ORDER BY kind) AS kinds FROM (SELECT name, 'cat' AS kind FROM tb_cat UNION ALL SELECT name, 'dog' FROM tb_dog) x GROUP BY name;
CREATE VIEW v_owner AS
SELECT o.pk_owner, o.name, array_agg(p.name ORDER BY p.name) AS pets
  FROM tb_owner o LEFT JOIN (SELECT pk_cat AS c, NULL::int AS d, name FROM tb_cat UNION ALL SELECT NULL, pk_dog, name FROM tb_dog) p ON p.c = o.fk_cat OR p.d = o.fk_dog GROUP BY o.pk_owner;
SELECT pg_tviews_create('pet', key_columns => '{kind,nr}');
SELECT pg_tviews_create(entity, key_columns => '{name}') FROM unnest('{name,only_cat,shared,nested,counted}'::text[]) AS entity;
SELECT pg_tviews_create('owner');

SELECT command FROM run_case('pet,name,only_cat,shared,nested,counted,owner',
    $$UPDATE tb_cat SET name = 'Rex' WHERE pk_cat = 1$$,
    $$UPDATE tb_dog SET barks = NOT barks$$,
    $$DELETE FROM tb_dog WHERE name = 'Mia'$$,
    $$UPDATE tb_owner SET fk_cat = 2, name = 'Rex' WHERE pk_owner = 1$$,
    $$INSERT INTO tb_dog VALUES (3, 'Tom', true)$$,
    $$UPDATE tb_owner SET fk_dog = 3 WHERE pk_owner = 2$$,
    $$DELETE FROM tb_owner WHERE pk_owner = 2$$,
    $$INSERT INTO tb_cat VALUES (3, 'Tom'), (4, 'Tom')$$,
    $$DELETE FROM tb_cat WHERE pk_cat = 3$$,
    $$UPDATE tb_dog SET name = (SELECT max(name) FROM tb_cat)$$,
    $$TRUNCATE tb_cat$$,
    $$DELETE FROM tb_dog$$)
\gexec

DROP SCHEMA lineage_set_operations CASCADE;
