-- The same source in five TVIEWs that need different columns of it.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA one_source_many_tviews;
SET search_path = one_source_many_tviews, public;

CREATE TABLE tb_event (pk_event int PRIMARY KEY, kind text, place text, at date, amount int, remark text);
INSERT INTO tb_event SELECT i, 'k' || i % 3, 'p' || i % 4, date '2024-01-01' + i % 5, i, 'r' || i FROM generate_series(1, 40) AS i;

CREATE VIEW v_event AS SELECT pk_event, kind, amount FROM tb_event;
CREATE VIEW v_kind AS SELECT kind, sum(amount) AS amount FROM tb_event GROUP BY kind;
CREATE VIEW v_place AS SELECT place, max(amount) AS amount, min(at) AS first FROM tb_event GROUP BY place;
CREATE VIEW v_day AS SELECT at, count(DISTINCT kind) AS kinds FROM tb_event GROUP BY at;
CREATE VIEW v_cell AS SELECT kind, place, count(*) AS n FROM tb_event GROUP BY kind, place;
SELECT pg_tviews_create('event');
SELECT pg_tviews_create('kind', key_columns => '{kind}');
SELECT pg_tviews_create('place', key_columns => '{place}');
SELECT pg_tviews_create('day', key_columns => '{at}');
SELECT pg_tviews_create('cell', key_columns => '{kind,place}');

SELECT command FROM run_case('event,kind,place,day,cell',
    $$UPDATE tb_event SET amount = 1000 WHERE pk_event = 7$$,
    $$UPDATE tb_event SET kind = 'new' WHERE pk_event IN (1, 2, 3)$$,
    $$UPDATE tb_event SET place = 'p0'$$,
    $$UPDATE tb_event SET at = '2024-12-24' WHERE amount % 2 = 0$$,
    $$UPDATE tb_event SET remark = 'nobody reads this'$$,
    $$DELETE FROM tb_event WHERE kind = 'new'$$,
    $$INSERT INTO tb_event VALUES (100, 'k0', 'p9', '2025-01-01', 1, NULL)$$,
    $$TRUNCATE tb_event$$)
\gexec

DROP SCHEMA one_source_many_tviews CASCADE;
