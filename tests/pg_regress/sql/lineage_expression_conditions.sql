-- Join conditions with expressions and casts on either side.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_expression_conditions;
SET search_path = lineage_expression_conditions, public;

CREATE TABLE tb_a (pk_a int PRIMARY KEY, t text, n text, doc jsonb);
CREATE TABLE tb_c (pk_c int PRIMARY KEY, s text, k int, v text);
INSERT INTO tb_a VALUES (1, 'Abc', '1', '{"c": 1}'), (2, 'DEF', '2', '{"c": 2}'), (3, NULL, NULL, '{}');
INSERT INTO tb_c VALUES (1, 'aBC', 1, 'one'), (2, 'def', 2, 'two'), (3, 'xyz', 3, 'three');

CREATE VIEW v_lower AS SELECT a.pk_a AS id, string_agg(c.v, ',' ORDER BY c.pk_c) AS v FROM tb_a a LEFT JOIN tb_c c ON lower(c.s) = lower(a.t) GROUP BY a.pk_a;
CREATE VIEW v_cast AS SELECT a.pk_a AS id, a.t, c.v FROM tb_a a LEFT JOIN tb_c c ON c.pk_c = a.n::int;
CREATE VIEW v_json AS SELECT a.pk_a AS id, c.v FROM tb_a a LEFT JOIN tb_c c ON c.pk_c = (a.doc ->> 'c')::int;
CREATE VIEW v_sum AS SELECT a.pk_a AS id, c.v FROM tb_a a LEFT JOIN tb_c c ON c.pk_c + 1 = a.pk_a;
CREATE VIEW v_both AS SELECT a.pk_a AS id, count(c.v) AS n FROM tb_a a LEFT JOIN tb_c c ON length(c.s || a.t) = 6 AND c.k <= a.pk_a GROUP BY a.pk_a;
CREATE VIEW v_not_distinct AS SELECT a.pk_a AS id, count(c.pk_c) AS n FROM tb_a a LEFT JOIN tb_c c ON c.s IS NOT DISTINCT FROM a.t GROUP BY a.pk_a;
CREATE VIEW v_like AS SELECT a.pk_a AS id, (SELECT count(*) FROM tb_c c WHERE a.t ILIKE c.s || '%') AS n FROM tb_a a;
SELECT pg_tviews_create(entity) FROM unnest('{lower,cast,json,sum,both,not_distinct,like}'::text[]) AS entity;

SELECT command FROM run_case('lower,cast,json,sum,both,not_distinct,like',
    $$UPDATE tb_c SET s = 'DeF' WHERE pk_c = 3$$,
    $$UPDATE tb_c SET v = v || '!'$$,
    $$UPDATE tb_a SET t = 'XYZ' WHERE pk_a = 1$$,
    $$UPDATE tb_a SET n = ' 3 ' WHERE pk_a = 1$$,
    $$UPDATE tb_a SET doc = '{"c": 3, "d": null}' WHERE pk_a = 3$$,
    $$UPDATE tb_c SET pk_c = 4 WHERE pk_c = 1$$,
    $$UPDATE tb_c SET s = NULL WHERE pk_c = 2$$,
    $$UPDATE tb_c SET k = k - 1$$,
    $$UPDATE tb_a SET t = NULL, n = NULL$$,
    $$DELETE FROM tb_c WHERE s IS NULL$$,
    $$DELETE FROM tb_a WHERE pk_a = 1$$)
\gexec

DROP SCHEMA lineage_expression_conditions CASCADE;
