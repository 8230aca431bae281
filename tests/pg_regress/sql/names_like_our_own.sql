-- Columns of the view with the names that statements of the extension use themselves.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA names_like_our_own;
SET search_path = names_like_our_own, public;

CREATE TABLE tb_own (pk_own int PRIMARY KEY, n int, keys int, "rows" text, k int, tv int, fresh int, wanted int, "position" int, v int, place int, given int,
    key int, "change" int, affected int, named int, log int, part int, "pg_tviews place" int, "_pg_tviews place" int, "pg_tviews differs" int, "pg_tviews position" int, f int, r int, s int);
INSERT INTO tb_own SELECT i, i, i, i::text, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i FROM generate_series(1, 5) i;
CREATE VIEW v_own AS SELECT * FROM tb_own;
CREATE VIEW v_composite AS SELECT keys, "rows", "position", "pg_tviews position", "pg_tviews place", k, n, tv, count(*) AS found FROM tb_own GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
CREATE VIEW v_place AS SELECT "pg_tviews place", "_pg_tviews place", n FROM tb_own;
SELECT pg_tviews_create('own');
SELECT pg_tviews_create('composite', key_columns => '{keys,rows,position,pg_tviews position,k,n,tv}');
SELECT pg_tviews_create('place', key_columns => '{pg_tviews place}');

SELECT command FROM run_case('own,composite,place',
    $$UPDATE tb_own SET "_pg_tviews place" = 7, "pg_tviews differs" = 8$$,
    $$UPDATE tb_own SET "pg_tviews place" = 10000 + pk_own WHERE pk_own = 1; SELECT count(*) FROM tv_own, tv_composite, tv_place$$,
    $$UPDATE tb_own SET n = n + 1, keys = keys + 1, "rows" = 'x' || "rows", "position" = 0, k = 0, tv = 0$$,
    $$INSERT INTO tb_own SELECT i, i, i, i::text, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i FROM generate_series(6, 900) i$$,
    $$DELETE FROM tb_own WHERE pk_own % 2 = 0$$)
\gexec

DROP SCHEMA names_like_our_own CASCADE;
