-- LEFT, RIGHT and FULL joins with nothing, one and two matches, and NULL in the join keys.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA outer_joins;
SET search_path = outer_joins, public;

CREATE TABLE tb_a (pk_a int PRIMARY KEY, k int, va text);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, k int, vb text);
CREATE TABLE tb_c (pk_c int PRIMARY KEY, k int, vc text);
INSERT INTO tb_a VALUES (1, 1, 'a1'), (2, 2, 'a2'), (3, NULL, 'a3');
INSERT INTO tb_b VALUES (1, 1, 'b1'), (2, 5, 'b5'), (3, NULL, 'b3');
INSERT INTO tb_c VALUES (1, 1, 'c1'), (2, 7, 'c7');

CREATE VIEW v_left AS
SELECT a.pk_a AS id, a.va, jsonb_agg(b.vb ORDER BY b.pk_b) AS vb FROM tb_a a LEFT JOIN tb_b b ON b.k = a.k GROUP BY a.pk_a;
CREATE VIEW v_right AS
SELECT b.pk_b AS id, b.vb, jsonb_agg(a.va ORDER BY a.pk_a) AS va FROM tb_a a RIGHT JOIN tb_b b ON b.k = a.k GROUP BY b.pk_b;
CREATE VIEW v_full AS
SELECT coalesce('a' || a.pk_a, '') || coalesce('b' || b.pk_b, '') AS id, a.va, b.vb FROM tb_a a FULL JOIN tb_b b ON b.k = a.k;
CREATE VIEW v_full_key AS
SELECT coalesce(a.k, b.k) AS id, max(a.va) AS va, max(b.vb) AS vb
  FROM tb_a a FULL JOIN tb_b b ON b.k = a.k WHERE coalesce(a.k, b.k) IS NOT NULL GROUP BY 1;
CREATE VIEW v_three AS
SELECT a.pk_a AS id, count(b.pk_b) AS bs, count(c.pk_c) AS cs, max(c.vc) AS vc
  FROM tb_a a LEFT JOIN tb_b b ON b.k = a.k LEFT JOIN tb_c c ON c.k = b.k GROUP BY a.pk_a;
CREATE VIEW v_nested AS
SELECT a.pk_a AS id, count(b.pk_b) AS bs, count(c.pk_c) AS cs
  FROM tb_a a LEFT JOIN (tb_b b FULL JOIN tb_c c ON c.k = b.k) ON b.k = a.k OR c.k = a.k GROUP BY a.pk_a;
CREATE VIEW v_filtered AS
SELECT a.pk_a AS id, a.va FROM tb_a a LEFT JOIN tb_b b ON b.k = a.k WHERE b.pk_b IS NULL;
SELECT pg_tviews_create(entity) FROM unnest('{left,right,full,full_key,three,nested,filtered}'::text[]) AS entity;

SELECT command FROM run_case('left,right,full,full_key,three,nested,filtered',
    $$INSERT INTO tb_b VALUES (4, 2, 'b2')$$,
    $$DELETE FROM tb_b WHERE pk_b = 4$$,
    $$UPDATE tb_a SET k = 5 WHERE pk_a = 3$$,
    $$UPDATE tb_b SET k = 2 WHERE pk_b = 3$$,
    $$UPDATE tb_b SET k = NULL WHERE pk_b = 3$$,
    $$UPDATE tb_b SET k = 7 WHERE pk_b = 2$$,
    $$INSERT INTO tb_a VALUES (4, 7, 'a7')$$,
    $$UPDATE tb_c SET vc = upper(vc)$$,
    $$INSERT INTO tb_b VALUES (5, 1, 'second'), (6, 1, 'third')$$,
    $$UPDATE tb_c SET k = 2 WHERE pk_c = 1$$,
    $$UPDATE tb_a SET pk_a = pk_a + 10$$,
    $$DELETE FROM tb_a WHERE k = 1$$,
    $$UPDATE tb_a SET k = NULL; UPDATE tb_b SET k = NULL$$,
    $$UPDATE tb_a SET k = 1; UPDATE tb_b SET k = 1 WHERE pk_b = 1$$,
    $$TRUNCATE tb_b$$)
\gexec

DROP SCHEMA outer_joins CASCADE;
