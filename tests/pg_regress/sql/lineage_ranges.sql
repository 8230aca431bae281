-- Range joins: BETWEEN, overlapping ranges, inequalities.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_ranges;
SET search_path = lineage_ranges, public;

CREATE TABLE tb_period (pk_period int PRIMARY KEY, name text, first date, last date);
CREATE TABLE tb_event (pk_event int PRIMARY KEY, at date, amount int);
CREATE TABLE tb_booking (pk_booking int PRIMARY KEY, room int, during int4range);
INSERT INTO tb_period VALUES (1, 'Jan', '2024-01-01', '2024-01-31'), (2, 'Feb', '2024-02-01', '2024-02-29'), (3, 'Q1', '2024-01-01', '2024-03-31');
INSERT INTO tb_event VALUES (1, '2024-01-15', 1), (2, '2024-01-31', 2), (3, '2024-02-10', 4), (4, NULL, 8);
INSERT INTO tb_booking VALUES (1, 1, '[1,5)'), (2, 1, '[4,8)'), (3, 2, '[1,9)'), (4, 1, 'empty');

CREATE VIEW v_period AS SELECT p.pk_period, p.name, count(e.pk_event) AS n, sum(e.amount) AS amount FROM tb_period p LEFT JOIN tb_event e ON e.at BETWEEN p.first AND p.last GROUP BY p.pk_period;
CREATE VIEW v_event AS SELECT e.pk_event, (SELECT string_agg(p.name, ',' ORDER BY p.name) FROM tb_period p WHERE e.at >= p.first AND e.at <= p.last) AS periods FROM tb_event e;
CREATE VIEW v_booking AS SELECT a.pk_booking, array_agg(b.pk_booking ORDER BY b.pk_booking) FILTER (WHERE b.pk_booking IS NOT NULL) AS clashes
  FROM tb_booking a LEFT JOIN tb_booking b ON b.room = a.room AND b.during && a.during AND b.pk_booking <> a.pk_booking GROUP BY a.pk_booking;
CREATE VIEW v_rank AS SELECT e.pk_event AS id, (SELECT count(*) FROM tb_event o WHERE o.amount > e.amount) AS larger FROM tb_event e;
SELECT pg_tviews_create(entity) FROM unnest('{period,event,booking,rank}'::text[]) AS entity;

SELECT command FROM run_case('period,event,booking,rank',
    $$UPDATE tb_event SET at = '2024-02-01' WHERE pk_event = 2$$,
    $$UPDATE tb_period SET last = '2024-02-05' WHERE pk_period = 1$$,
    $$UPDATE tb_period SET name = 'quarter' WHERE pk_period = 3$$,
    $$UPDATE tb_event SET at = '2024-03-01' WHERE at IS NULL$$,
    $$UPDATE tb_event SET amount = amount + 100 WHERE pk_event = 1$$,
    $$INSERT INTO tb_period VALUES (4, 'all', '-infinity', 'infinity')$$,
    $$UPDATE tb_period SET first = NULL WHERE pk_period = 4$$,
    $$UPDATE tb_booking SET during = '[6,20)' WHERE pk_booking = 1$$,
    $$UPDATE tb_booking SET room = 2 WHERE pk_booking = 2$$,
    $$UPDATE tb_booking SET during = '(,)' WHERE pk_booking = 4$$,
    $$DELETE FROM tb_period WHERE pk_period = 3$$,
    $$DELETE FROM tb_event WHERE pk_event = 3$$,
    $$DELETE FROM tb_booking WHERE room = 2$$)
\gexec

DROP SCHEMA lineage_ranges CASCADE;
