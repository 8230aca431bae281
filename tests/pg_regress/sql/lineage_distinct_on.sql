-- DISTINCT ON: the winner changes, is deleted, and the last candidate goes.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_distinct_on;
SET search_path = lineage_distinct_on, public;

CREATE TABLE tb_sensor (pk_sensor int PRIMARY KEY, name text);
CREATE TABLE tb_reading (pk_reading int PRIMARY KEY, fk_sensor int, taken int, value int);
INSERT INTO tb_sensor VALUES (1, 'in'), (2, 'out');
INSERT INTO tb_reading VALUES (1, 1, 1, 10), (2, 1, 2, 20), (3, 2, 1, 5);

CREATE VIEW v_latest AS SELECT DISTINCT ON (fk_sensor) fk_sensor AS id, value, taken FROM tb_reading ORDER BY fk_sensor, taken DESC, pk_reading;
CREATE VIEW v_sensor AS
SELECT s.pk_sensor, s.name, l.value FROM tb_sensor s
  LEFT JOIN (SELECT DISTINCT ON (fk_sensor) fk_sensor, value FROM tb_reading ORDER BY fk_sensor, taken DESC, pk_reading) l ON l.fk_sensor = s.pk_sensor;
CREATE VIEW v_first AS
SELECT DISTINCT ON (r.fk_sensor) r.pk_reading AS id, s.name, r.value FROM tb_reading r JOIN tb_sensor s ON s.pk_sensor = r.fk_sensor ORDER BY r.fk_sensor, r.taken, r.pk_reading;
SELECT pg_tviews_create(entity) FROM unnest('{latest,sensor,first}'::text[]) AS entity;

SELECT command FROM run_case('latest,sensor,first',
    $$INSERT INTO tb_reading VALUES (4, 1, 3, 30)$$,
    $$DELETE FROM tb_reading WHERE pk_reading = 4$$,
    $$UPDATE tb_reading SET taken = 0 WHERE pk_reading = 2$$,
    $$UPDATE tb_reading SET value = 11 WHERE pk_reading = 1$$,
    $$UPDATE tb_reading SET fk_sensor = 2 WHERE pk_reading = 1$$,
    $$UPDATE tb_sensor SET name = 'outside' WHERE pk_sensor = 2$$,
    $$DELETE FROM tb_reading WHERE fk_sensor = 1$$,
    $$INSERT INTO tb_reading VALUES (5, 3, 1, 1)$$,
    $$INSERT INTO tb_sensor VALUES (3, 'new')$$,
    $$DELETE FROM tb_reading$$)
\gexec

DROP SCHEMA lineage_distinct_on CASCADE;
