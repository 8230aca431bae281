-- Parents of inherited tables as sources: children with columns of their own and in another order, two levels, two
-- parents, ONLY, children that come and go, TRUNCATE of either.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_inheritance;
SET search_path = lineage_inheritance, public;

CREATE TABLE tb_country (pk_country int PRIMARY KEY, name text);
CREATE TABLE tb_city (pk_city int PRIMARY KEY, name text, people int NOT NULL, fk_country int);
CREATE TABLE tb_seat (since int, note text);
-- Another order of columns, one dropped, and NULL allowed where the parent does not.
CREATE TABLE tb_capital (state text, dropped int, fk_country int, name text, pk_city int NOT NULL, people int NOT NULL);
ALTER TABLE tb_capital DROP COLUMN dropped;
-- From PostgreSQL 18 on, a NOT NULL that children need not have says so.
SELECT current_setting('server_version_num')::int >= 180000 AS says_no_inherit \gset
\if :says_no_inherit
ALTER TABLE tb_city ALTER people DROP NOT NULL;
ALTER TABLE tb_city ADD CONSTRAINT people_here NOT NULL people NO INHERIT;
\endif
ALTER TABLE tb_capital INHERIT tb_city;
ALTER TABLE tb_capital ALTER people DROP NOT NULL;
CREATE TABLE tb_old_capital (until int) INHERITS (tb_capital, tb_seat);
CREATE TABLE tb_village (mayor text, people int NOT NULL, pk_city int NOT NULL, name text, fk_country int);
INSERT INTO tb_country VALUES (1, 'land'), (2, 'isle');
INSERT INTO tb_city VALUES (1, 'Kiel', 250, 1), (2, 'Ulm', 120, 1);
INSERT INTO tb_capital VALUES ('new', 1, 'Berlin', 3, 3600);
INSERT INTO tb_old_capital (pk_city, name, people, fk_country, since, until) VALUES (4, 'Bonn', 330, 1, 1949, 1990);
INSERT INTO tb_village VALUES ('Ann', 20, 100, 'Dorf', 2);

CREATE VIEW v_city AS SELECT c.pk_city, c.name, c.people, l.name AS country FROM tb_city c LEFT JOIN tb_country l ON l.pk_country = c.fk_country;
CREATE VIEW v_country AS SELECT l.pk_country, l.name, count(c.*) AS cities, sum(c.people) AS people, (SELECT max(o.since) FROM tb_seat o) AS newest FROM tb_country l LEFT JOIN tb_city c ON c.fk_country = l.pk_country GROUP BY l.pk_country;
CREATE VIEW v_plain AS SELECT pk_city AS id, name FROM ONLY tb_city;
CREATE VIEW v_capital AS SELECT c.pk_city AS id, c.name, c.state, l.name AS country FROM tb_capital c LEFT JOIN tb_country l ON l.pk_country = c.fk_country;
CREATE VIEW v_seat AS SELECT since, count(*) AS n FROM tb_seat GROUP BY since HAVING since IS NOT NULL;
CREATE VIEW v_rank AS SELECT pk_city, rank() OVER (PARTITION BY people ORDER BY pk_city) AS rank FROM tb_city;
CREATE VIEW v_both AS SELECT c.pk_city, o.name AS other FROM tb_city c LEFT JOIN ONLY tb_city o ON o.pk_city = c.pk_city - 2;
SELECT pg_tviews_create('city');
SELECT pg_tviews_create('country');
SELECT pg_tviews_create('plain', key_columns => '{id}');
SELECT pg_tviews_create('capital', key_columns => '{id}');
SELECT pg_tviews_create('seat', key_columns => '{since}');
SELECT pg_tviews_create('rank', key_columns => '{pk_city}');
SELECT pg_tviews_create('both', key_columns => '{pk_city}');
SELECT entity_name, source_oids FROM pg_tview_meta WHERE view_oid::text IN ('v_city', 'v_plain', 'v_capital', 'v_seat') ORDER BY 1;

SELECT command FROM run_case('city,country,plain,capital,seat,rank,both',
    $$UPDATE tb_city SET people = people + 1$$,
    $$UPDATE tb_capital SET name = 'Berlin 2' WHERE pk_city = 3$$,
    $$INSERT INTO tb_capital VALUES ('old', NULL, 'Rome', 5, 2800)$$,
    $$UPDATE tb_city SET people = NULL WHERE pk_city = 3; UPDATE tb_capital SET people = NULL WHERE pk_city = 5$$,
    $$UPDATE tb_country SET name = 'Land' WHERE pk_country = 1$$,
    $$UPDATE tb_old_capital SET since = 1950, fk_country = 2$$,
    $$UPDATE tb_seat SET since = since + 1$$,
    $$UPDATE tb_city SET people = 7 WHERE pk_city IN (1, 3, 4)$$,
    $$DELETE FROM tb_city WHERE pk_city = 3$$,
    $$DELETE FROM ONLY tb_city WHERE pk_city = 1$$,
    $$ALTER TABLE tb_village INHERIT tb_city; UPDATE tb_village SET people = 21$$,
    $$INSERT INTO tb_village VALUES ('Bob', 30, 101, 'Hof', 1); UPDATE tb_city SET fk_country = 1 WHERE pk_city = 100$$,
    $$CREATE TABLE tb_port (ships int) INHERITS (tb_city); INSERT INTO tb_port VALUES (200, 'Hafen', 40, 2, 9)$$,
    $$UPDATE tb_port SET ships = 10; UPDATE tb_port SET people = 41$$,
    $$CREATE TABLE tb_dock () INHERITS (tb_port, tb_old_capital); INSERT INTO tb_dock (pk_city, name, people, fk_country, since) VALUES (300, 'Dock', 1, 1, 2000)$$,
    $$UPDATE tb_dock SET since = 2001, name = 'Kai'$$,
    $$TRUNCATE tb_capital$$,
    $$INSERT INTO tb_dock (pk_city, name, people, fk_country, since) VALUES (301, 'Pier', 1, 1, 2001)$$,
    $$ALTER TABLE tb_dock NO INHERIT tb_port$$,
    $$DROP TABLE tb_dock$$,
    $$DROP TABLE tb_port$$,
    $$ALTER TABLE tb_village NO INHERIT tb_city; UPDATE tb_village SET people = 1$$,
    $$TRUNCATE ONLY tb_city$$,
    $$INSERT INTO tb_old_capital (pk_city, name, people, fk_country, since) VALUES (4, 'Bonn', 330, 1, 1949)$$,
    $$TRUNCATE tb_city$$)
\gexec

-- A child's own columns are nothing the parent's readers see: no queue row.
SELECT pg_tviews_create('city');
INSERT INTO tb_capital VALUES ('new', 1, 'Berlin', 3, 3600);
CALL pg_tviews_drain();
UPDATE tb_capital SET state = 'other';
SELECT count(*) AS queued FROM pg_tview_queue;
-- What comes or goes with a table is logged as every row of the table above; other DDL has the definition looked at.
ALTER TABLE tb_city ADD COLUMN mayor text;
ALTER TABLE tb_capital NO INHERIT tb_city;
SELECT source_oid, operation, keys IS NULL FROM pg_tview_queue;
CALL pg_tviews_drain();
SELECT same('v_city', 'tv_city');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid = 'tb_capital'::regclass;
-- Foreign and temporary tables below a source.
CREATE FOREIGN DATA WRAPPER regress_tviews_inheritance;
CREATE SERVER regress_tviews_inheritance FOREIGN DATA WRAPPER regress_tviews_inheritance;
CREATE FOREIGN TABLE tb_far () INHERITS (tb_city) SERVER regress_tviews_inheritance;
SELECT error_of($$SELECT pg_tviews_create('city')$$);
DROP FOREIGN DATA WRAPPER regress_tviews_inheritance CASCADE;
CREATE TEMP TABLE tb_mine () INHERITS (tb_city);
SELECT regexp_replace(error_of($$SELECT pg_tviews_create('city')$$), 'pg_temp_\d+', 'pg_temp');
DROP TABLE tb_mine;
CREATE TABLE tb_sale (pk_sale int, region text) PARTITION BY LIST (region);
CREATE FOREIGN DATA WRAPPER regress_tviews_inheritance;
CREATE SERVER regress_tviews_inheritance FOREIGN DATA WRAPPER regress_tviews_inheritance;
CREATE FOREIGN TABLE tb_sale_far PARTITION OF tb_sale FOR VALUES IN ('far') SERVER regress_tviews_inheritance;
SELECT error_of($$SELECT pg_tviews_create('sale', 'SELECT pk_sale, region FROM tb_sale')$$);
DROP FOREIGN DATA WRAPPER regress_tviews_inheritance CASCADE;

DROP SCHEMA lineage_inheritance CASCADE;
