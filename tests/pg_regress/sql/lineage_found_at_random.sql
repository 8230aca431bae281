-- Views that random tests found to be followed wrongly, made small.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_found_at_random;
SET search_path = lineage_found_at_random, public;

CREATE TABLE tb_one (id int PRIMARY KEY, a int, b int, t text);
CREATE TABLE tb_two (id int PRIMARY KEY, a int, b int, t text);
CREATE TABLE tb_three (id int PRIMARY KEY, a int, b int, t text);
INSERT INTO tb_one VALUES (1, 2, 4, '1'), (2, 4, 3, 'x'), (3, NULL, 1, NULL);
INSERT INTO tb_two VALUES (1, 2, 4, '2'), (2, 1, 4, 'y');
INSERT INTO tb_three VALUES (1, 9, 1, '3'), (2, 2, 4, 'z');

-- Two sub-selects that call different tables the same.
CREATE VIEW v_names AS SELECT id, EXISTS (SELECT FROM tb_two x WHERE x.a = o.a) AS two,
       EXISTS (SELECT FROM tb_three x WHERE x.b = o.b) AS three FROM tb_one o;
-- A match on the optional side ends the unmatched row, and the condition above does not hold for it.
CREATE VIEW v_unmatched AS SELECT o.id FROM tb_one o
  LEFT JOIN (tb_two x CROSS JOIN LATERAL (SELECT FROM tb_three y WHERE y.a = x.id) z) ON o.b = x.b
 WHERE coalesce(x.a, o.b) = 4 GROUP BY o.id;
-- A constant on the optional side is NULL where nothing matched.
CREATE VIEW v_constant AS SELECT o.id, count(y.id) FROM tb_one o
  LEFT JOIN (SELECT a, 1 AS found FROM tb_two) x ON x.a = o.a
  LEFT JOIN tb_three y ON coalesce(x.found, o.b) = y.b GROUP BY o.id;
-- The kept row depends on a window over other rows.
CREATE VIEW v_kept AS SELECT * FROM (SELECT DISTINCT ON (a) id, b FROM tb_one
 ORDER BY a, rank() OVER (PARTITION BY b ORDER BY t), id) kept;
-- HAVING without groups, a sub-select on the left of IN, a function that has a row for NULL.
CREATE VIEW v_total AS SELECT o.id, (SELECT 1 FROM tb_two x WHERE x.a = o.a HAVING count(*) = 0) AS none FROM tb_one o;
CREATE VIEW v_left AS SELECT o.id FROM tb_one o
 WHERE (SELECT max(x.b) FROM tb_two x WHERE x.a = o.a) IN (SELECT y.b FROM tb_three y);
CREATE VIEW v_function AS SELECT o.id, count(y.id) FROM tb_one o LEFT JOIN tb_two x ON x.a = o.a
 CROSS JOIN LATERAL unnest(ARRAY[x.b]) AS f(n) JOIN tb_three y ON y.a IS NOT DISTINCT FROM f.n GROUP BY o.id;
-- Recursion whose branches call different tables the same, one of them behind another CTE.
CREATE VIEW v_tree AS WITH RECURSIVE roots AS (SELECT x.id FROM tb_two x),
 tree AS (SELECT x.id, 0 AS depth FROM roots x UNION SELECT x.id, depth + 1 FROM tb_three x JOIN tree ON x.b = tree.id
  WHERE depth < 3)
SELECT o.id, count(tree.id) FROM tb_one o LEFT JOIN tree ON tree.id = o.id GROUP BY o.id;
-- A cast that fails for texts another condition keeps away.
CREATE VIEW v_cast AS SELECT o.id, (SELECT count(*) FROM tb_two x WHERE x.t ~ '^[0-9]$' AND x.t::int = o.id) AS twos
  FROM tb_one o;
-- More branches than are followed; the last one reads a table of its own.
SELECT 'CREATE VIEW v_branches AS ' || string_agg(format('SELECT a AS id FROM tb_one WHERE b = %s', n), ' UNION ' ORDER BY n)
       || ' UNION SELECT a FROM tb_three WHERE a IS NOT NULL AND b > 1' FROM generate_series(100, 399) AS n \gexec
-- Branches whose values become another type where they are put together.
CREATE VIEW v_types AS SELECT n AS id, count(*) FROM (SELECT o.a * 1.5 AS n FROM tb_one o
 UNION ALL SELECT d.a FROM (SELECT a FROM tb_two EXCEPT SELECT a FROM tb_three) d) q WHERE n IS NOT NULL GROUP BY n;
SELECT pg_tviews_create(entity, key_columns => '{id}')
  FROM unnest('{names,unmatched,constant,kept,total,left,function,tree,cast,branches,types}'::text[]) AS entity;

SELECT command FROM run_case('names,unmatched,constant,kept,total,left,function,tree,cast,branches,types',
    $$INSERT INTO tb_three VALUES (7, 1, NULL, 'A')$$,
    $$UPDATE tb_two SET b = 3 WHERE id = 2$$,
    $$INSERT INTO tb_two VALUES (3, NULL, 2, '1')$$,
    $$INSERT INTO tb_three VALUES (8, NULL, 2, '1')$$,
    $$UPDATE tb_one SET t = 'a' WHERE id = 2$$,
    $$UPDATE tb_one SET b = 4, t = '0' WHERE id = 3$$,
    $$DELETE FROM tb_two WHERE id = 1$$,
    $$UPDATE tb_three SET b = 3, a = NULL WHERE id = 2$$,
    $$UPDATE tb_two SET t = '2' WHERE id = 2$$,
    $$DELETE FROM tb_three WHERE id = 1$$,
    $$TRUNCATE tb_two$$)
\gexec

DROP SCHEMA lineage_found_at_random CASCADE;
