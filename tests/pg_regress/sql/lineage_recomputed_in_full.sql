-- Where no chain exists every change recomputes the view: LIMIT over the whole view, windows without
-- PARTITION BY, recursion, uncorrelated aggregates and LIMIT, GROUPING SETS.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_recomputed_in_full;
SET search_path = lineage_recomputed_in_full, public;

CREATE TABLE tb_node (pk_node int PRIMARY KEY, fk_parent int, name text, weight int);
CREATE TABLE tb_limit (pk_limit int PRIMARY KEY, least int);
INSERT INTO tb_node VALUES (1, NULL, 'root', 5), (2, 1, 'a', 3), (3, 1, 'b', 8), (4, 2, 'aa', 1), (5, 2, 'ab', 9), (6, 4, 'aaa', 2);
INSERT INTO tb_limit VALUES (1, 4);

CREATE VIEW v_top AS SELECT pk_node AS id, name, weight FROM tb_node ORDER BY weight DESC, pk_node LIMIT 3;
CREATE VIEW v_page AS SELECT pk_node AS id, name FROM tb_node ORDER BY name OFFSET 2;
CREATE VIEW v_place AS SELECT pk_node AS id, name, row_number() OVER (ORDER BY weight DESC, pk_node) AS place, ntile(2) OVER (ORDER BY pk_node) AS half FROM tb_node;
CREATE VIEW v_above AS SELECT n.pk_node AS id, n.weight FROM tb_node n WHERE n.weight > (SELECT avg(weight) FROM tb_node) AND n.weight >= (SELECT max(least) FROM tb_limit);
CREATE VIEW v_tree AS
WITH RECURSIVE t AS (
    SELECT pk_node, name AS path, 0 AS depth FROM tb_node WHERE fk_parent IS NULL
    UNION ALL
    SELECT n.pk_node, t.path || '/' || n.name, t.depth + 1 FROM tb_node n JOIN t ON t.pk_node = n.fk_parent)
SELECT t.pk_node AS id, t.path, t.depth, (SELECT count(*) FROM tb_node c WHERE c.fk_parent = t.pk_node) AS children FROM t;
CREATE VIEW v_closure AS
WITH RECURSIVE up AS (SELECT pk_node, fk_parent AS ancestor FROM tb_node UNION SELECT up.pk_node, n.fk_parent FROM up JOIN tb_node n ON n.pk_node = up.ancestor)
SELECT pk_node, ancestor FROM up WHERE ancestor IS NOT NULL;
CREATE VIEW v_sets AS
SELECT coalesce(fk_parent::text, '-') || grouping(fk_parent) AS id, sum(weight) AS weight FROM tb_node GROUP BY GROUPING SETS ((fk_parent), ());
CREATE VIEW v_heaviest AS SELECT p.pk_node AS id, p.name, h.name AS heaviest FROM tb_node p, (SELECT name FROM tb_node ORDER BY weight DESC, pk_node LIMIT 1) h;
CREATE VIEW v_rolled AS SELECT coalesce(fk_parent, 0) AS parent, coalesce(left(name, 1), '*') AS letter, count(*) AS n, grouping(fk_parent, left(name, 1)) AS level
  FROM tb_node WHERE fk_parent IS NOT NULL GROUP BY ROLLUP (fk_parent, left(name, 1));
SELECT pg_tviews_create(entity) FROM unnest('{top,page,place,above,tree,sets,heaviest}'::text[]) AS entity;
SELECT pg_tviews_create('closure', key_columns => '{pk_node,ancestor}');
SELECT pg_tviews_create('rolled', key_columns => '{parent,letter,level}');

SELECT command FROM run_case('top,page,place,above,tree,closure,sets,heaviest,rolled',
    $$UPDATE tb_node SET weight = 10 WHERE pk_node = 4$$,
    $$UPDATE tb_node SET fk_parent = 3 WHERE pk_node = 2$$,
    $$UPDATE tb_node SET name = 'root2' WHERE pk_node = 1$$,
    $$INSERT INTO tb_node VALUES (7, 6, 'deep', 100), (8, NULL, 'second root', 0)$$,
    $$UPDATE tb_limit SET least = 9$$,
    $$DELETE FROM tb_node WHERE pk_node = 2$$,
    $$UPDATE tb_node SET fk_parent = 8 WHERE pk_node = 4$$,
    $$DELETE FROM tb_node WHERE weight = (SELECT max(weight) FROM tb_node)$$,
    $$DELETE FROM tb_limit$$,
    $$UPDATE tb_node SET pk_node = pk_node + 100, fk_parent = fk_parent + 100$$,
    $$TRUNCATE tb_node$$,
    $$INSERT INTO tb_node VALUES (1, NULL, 'again', 1)$$)
\gexec

DROP SCHEMA lineage_recomputed_in_full CASCADE;
