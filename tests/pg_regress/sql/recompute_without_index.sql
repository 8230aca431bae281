-- Without an index on what the key is made of, many keys are one read of the table, not one each. Few keys of a small table are
-- not worth planning for.
SET client_min_messages = warning;
CREATE SCHEMA recompute_without_index;
SET search_path = recompute_without_index, public;
CREATE TABLE tb_event (pk_event int PRIMARY KEY, kind int, size int, year date, n int);
INSERT INTO tb_event SELECT i, i % 1000, i % 7, date '2000-01-01' + i % 3000, i FROM generate_series(1, 30000) i;
ALTER TABLE tb_event SET (autovacuum_enabled = off);
ANALYZE tb_event;
SELECT pg_tviews_create('kind', 'SELECT kind, count(*) AS events, sum(n) AS n FROM tb_event GROUP BY kind', key_columns => '{kind}');
SELECT pg_tviews_create('sized', 'SELECT kind, size, count(*) AS events, sum(n) AS n FROM tb_event GROUP BY kind, size', key_columns => '{kind,size}');
SELECT pg_tviews_create('year', 'SELECT extract(year FROM year)::int AS year, sum(n) AS n FROM tb_event GROUP BY 1', key_columns => '{year}');
CALL pg_tviews_drain();
CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql AS $$SELECT seq_scan FROM pg_stat_user_tables WHERE relid = 'tb_event'::regclass$$;
UPDATE tb_event SET n = n + 1 WHERE pk_event = 1;
CALL pg_tviews_drain();
DO $$BEGIN PERFORM pg_stat_force_next_flush(); END$$;
SELECT reads() AS before \gset
UPDATE tb_event SET n = n + 1 WHERE pk_event BETWEEN 1 AND 105;
CALL pg_tviews_drain();
DO $$BEGIN PERFORM pg_stat_force_next_flush(); END$$;
-- Three TVIEWs: a read each, and one to follow the changes of expressions and groups.
SELECT reads() - :before <= 6 AS few_reads;
SELECT tview_oid::regclass, keys_refreshed, rows_updated FROM pg_tview_meta_audit WHERE tview_oid IN ('tv_kind'::regclass, 'tv_sized'::regclass) ORDER BY audit_id DESC LIMIT 2;
SELECT * FROM differences('v_kind', 'tv_kind') UNION ALL SELECT * FROM differences('v_year', 'tv_year');
-- The index that is missing has a name.
SELECT advice FROM pg_tviews_explain('kind') UNION ALL SELECT advice FROM pg_tviews_explain('sized') UNION ALL SELECT advice FROM pg_tviews_explain('year');
CREATE INDEX ON tb_event (kind);
ANALYZE tb_event;
SELECT advice FROM pg_tviews_explain('kind');

DROP SCHEMA recompute_without_index CASCADE;
