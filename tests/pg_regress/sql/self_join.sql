-- A table joined with itself on a column that is not its key.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA self_join;
SET search_path = self_join, public;

CREATE TABLE tb_person (pk_person int PRIMARY KEY, city text, name text, fk_boss int);
INSERT INTO tb_person VALUES (1, 'Bonn', 'Ann', NULL), (2, 'Bonn', 'Bob', 1), (3, 'Kiel', 'Cid', 1), (4, NULL, 'Dot', 3);

CREATE VIEW v_person AS
SELECT a.pk_person, a.name, boss.name AS boss, string_agg(b.name, ',' ORDER BY b.pk_person) AS neighbours
  FROM tb_person a
  LEFT JOIN tb_person b ON b.city = a.city AND b.pk_person <> a.pk_person
  LEFT JOIN tb_person boss ON boss.pk_person = a.fk_boss
 GROUP BY a.pk_person, a.name, boss.name;
SELECT pg_tviews_create('person');

SELECT command FROM run_case('person',
    $$UPDATE tb_person SET name = 'Anne' WHERE pk_person = 1$$,
    $$UPDATE tb_person SET city = 'Kiel' WHERE pk_person = 2$$,
    $$INSERT INTO tb_person VALUES (5, 'Kiel', 'Eve', 2), (6, 'Ulm', 'Fay', 5)$$,
    $$UPDATE tb_person SET city = 'Ulm' WHERE city = 'Kiel'$$,
    $$UPDATE tb_person SET city = 'Bonn' WHERE pk_person = 4$$,
    $$UPDATE tb_person SET fk_boss = pk_person$$,
    $$DELETE FROM tb_person WHERE pk_person = 1$$,
    $$UPDATE tb_person SET city = NULL$$,
    $$UPDATE tb_person SET pk_person = pk_person + 10$$)
\gexec

DROP SCHEMA self_join CASCADE;
