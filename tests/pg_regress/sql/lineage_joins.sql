-- USING, NATURAL, one table in several roles, joins on any column, cross joins with a condition in WHERE.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_joins;
SET search_path = lineage_joins, public;

CREATE TABLE tb_person (person_id int PRIMARY KEY, name text, town text);
CREATE TABLE tb_message (message_id int PRIMARY KEY, sender int, receiver int, body text);
CREATE TABLE person_info (person_id int, info text);
CREATE TABLE town_info (town text, size int);
INSERT INTO tb_person VALUES (1, 'Ann', 'Bonn'), (2, 'Bob', 'Kiel'), (3, 'Cid', 'Bonn');
INSERT INTO tb_message VALUES (1, 1, 2, 'hi'), (2, 2, 1, 'ho'), (3, 3, 3, 'self'), (4, 1, NULL, 'nobody');
INSERT INTO person_info VALUES (1, 'x'), (2, 'y'), (2, 'z');
INSERT INTO town_info VALUES ('Bonn', 300), ('Ulm', 100);

CREATE VIEW v_message AS
SELECT m.message_id AS id, m.body, s.name AS sender, r.name AS receiver, (s.town = r.town) AS local
  FROM tb_message m JOIN tb_person s ON s.person_id = m.sender LEFT JOIN tb_person r ON r.person_id = m.receiver;
CREATE VIEW v_using AS
SELECT person_id AS id, name, string_agg(info, ',' ORDER BY info) AS infos FROM tb_person LEFT JOIN person_info USING (person_id) GROUP BY person_id, name;
CREATE VIEW v_natural AS SELECT person_id AS id, name, town, size FROM tb_person NATURAL LEFT JOIN town_info;
CREATE VIEW v_town AS SELECT town AS id, size, count(p.person_id) AS people FROM town_info NATURAL FULL JOIN tb_person p WHERE town IS NOT NULL GROUP BY town, size;
CREATE VIEW v_pair AS
SELECT a.person_id AS a, b.person_id AS b, a.name || '+' || b.name AS names, count(m.message_id) AS messages
  FROM tb_person a CROSS JOIN tb_person b LEFT JOIN tb_message m ON m.sender = a.person_id AND m.receiver = b.person_id
 WHERE a.town = b.town GROUP BY a.person_id, b.person_id;
CREATE VIEW v_chain AS
SELECT p.person_id AS id, count(DISTINCT r2.person_id) AS reached
  FROM tb_person p, tb_message m1, tb_message m2, tb_person r2
 WHERE m1.sender = p.person_id AND m2.sender = m1.receiver AND r2.person_id = m2.receiver GROUP BY p.person_id;
SELECT pg_tviews_create(entity, key_columns => CASE entity WHEN 'pair' THEN '{a,b}' ELSE '{id}' END::text[])
  FROM unnest('{message,using,natural,town,pair,chain}'::text[]) AS entity;

SELECT command FROM run_case('message,using,natural,town,pair,chain',
    $$UPDATE tb_person SET name = 'Anne' WHERE person_id = 1$$,
    $$UPDATE tb_person SET town = 'Ulm' WHERE person_id = 2$$,
    $$UPDATE tb_message SET receiver = 3 WHERE message_id = 4$$,
    $$UPDATE tb_message SET sender = receiver, receiver = sender$$,
    $$INSERT INTO person_info VALUES (3, 'new')$$,
    $$UPDATE person_info SET person_id = 1 WHERE info = 'y'$$,
    $$UPDATE town_info SET town = 'Kiel' WHERE size = 100$$,
    $$UPDATE town_info SET size = 301 WHERE town = 'Bonn'$$,
    $$INSERT INTO tb_person VALUES (4, 'Dot', 'Kiel')$$,
    $$INSERT INTO tb_message VALUES (5, 4, 2, 'x'), (6, 2, 4, 'y')$$,
    $$DELETE FROM town_info WHERE town = 'Bonn'$$,
    $$DELETE FROM tb_person WHERE person_id = 1$$,
    $$UPDATE tb_person SET town = NULL$$)
\gexec

DROP SCHEMA lineage_joins CASCADE;
