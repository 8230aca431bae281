-- A parent of inherited tables is refused as a source; ONLY the parent, and the children by themselves, are not.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_inheritance;
SET search_path = lineage_inheritance, public;

CREATE TABLE tb_city (pk_city int PRIMARY KEY, name text, people int);
CREATE TABLE tb_capital (state text, fk_country int) INHERITS (tb_city);
CREATE TABLE tb_country (pk_country int PRIMARY KEY, name text);
INSERT INTO tb_city VALUES (1, 'Kiel', 250), (2, 'Ulm', 120);
INSERT INTO tb_capital VALUES (3, 'Bonn', 330, 'old', 1);
INSERT INTO tb_country VALUES (1, 'land');

CREATE VIEW v_city AS SELECT pk_city, name, people FROM tb_city;
CREATE VIEW v_plain AS SELECT pk_city AS id, name FROM ONLY tb_city;
CREATE VIEW v_capital AS SELECT c.pk_city AS id, c.name, c.state, l.name AS country FROM tb_capital c LEFT JOIN tb_country l ON l.pk_country = c.fk_country;
SELECT pg_tviews_create('city');
SELECT pg_tviews_create('plain');
SELECT pg_tviews_create('capital');

SELECT command FROM run_case('plain,capital',
    $$UPDATE tb_city SET people = people + 1$$,
    $$UPDATE tb_capital SET name = 'Berlin'$$,
    $$INSERT INTO tb_capital VALUES (4, 'Rome', 2800, 'new', NULL)$$,
    $$UPDATE tb_country SET name = 'Land'$$,
    $$DELETE FROM tb_city WHERE pk_city = 3$$,
    $$DELETE FROM ONLY tb_city WHERE pk_city = 1$$,
    $$TRUNCATE tb_capital$$)
\gexec

DROP SCHEMA lineage_inheritance CASCADE;
