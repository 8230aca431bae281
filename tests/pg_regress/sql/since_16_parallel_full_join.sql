-- FULL JOIN by hash in parallel workers, which PostgreSQL has since 16: a view whose rows are computed that way.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA since_16_parallel_full_join;
SET search_path = since_16_parallel_full_join, public;

CREATE TABLE tb_left (pk_left int PRIMARY KEY, n int);
CREATE TABLE tb_right (pk_right int PRIMARY KEY, m int);
INSERT INTO tb_left SELECT i, i % 7 FROM generate_series(1, 20000) i;
INSERT INTO tb_right SELECT i, i % 5 FROM generate_series(10001, 30000) i;
VACUUM ANALYZE tb_left, tb_right;
CREATE VIEW v_both AS
SELECT coalesce(l.pk_left, r.pk_right) AS pk_both, l.n, r.m FROM tb_left l FULL JOIN tb_right r ON r.pk_right = l.pk_left;

SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET enable_mergejoin = off;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END$$;
SELECT DISTINCT trim(both ' ->' from plan) FROM plan_of('SELECT * FROM v_both') plan WHERE plan ~ 'Full Join';

SELECT pg_tviews_create('both');
CALL pg_tviews_drain();
CREATE VIEW differences AS
(TABLE v_both EXCEPT ALL TABLE tv_both) UNION ALL (TABLE tv_both EXCEPT ALL TABLE v_both);
SELECT count(*), count(n), count(m) FROM tv_both;
UPDATE tb_left SET n = n + 1 WHERE pk_left IN (5, 15000);
DELETE FROM tb_right WHERE pk_right IN (15000, 25000);
INSERT INTO tb_right VALUES (7, 7);
CALL pg_tviews_drain();
SELECT count(*) FROM differences;
UPDATE tb_left SET n = n + 1;
CALL pg_tviews_drain();
SELECT count(*) FROM differences;
SELECT count(*), count(n), count(m) FROM tv_both;

DROP SCHEMA since_16_parallel_full_join CASCADE;
