-- A few keys are computed without the rest of the view: shapes where what is left out, or looked up instead, must not show.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET pg_tviews.allow_table_writes = on;
CREATE SCHEMA recompute_few_keys;
SET search_path = recompute_few_keys, public;

CREATE TABLE tb_a (id int PRIMARY KEY, grp int, val int);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int, grp int, val int);
INSERT INTO tb_a SELECT i, nullif(i % 4, 0), i FROM generate_series(1, 12) AS i;
INSERT INTO tb_b SELECT i, nullif(i % 7, 0), nullif(i % 3, 0), i % 5 FROM generate_series(1, 30) AS i;
CREATE VIEW v_sums AS SELECT fk_a, sum(val) AS sum, count(*) AS n FROM tb_b GROUP BY fk_a;
CREATE VIEW v_guarded WITH (security_barrier) AS SELECT fk_a, max(val) AS most FROM tb_b WHERE val > 0 GROUP BY fk_a;
CREATE FUNCTION shown(anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';

-- Whole rows of what is looked up.
CREATE VIEW v_whole_row AS SELECT a.id, to_jsonb(s) AS sums, shown(g) AS guarded FROM tb_a a LEFT JOIN v_sums s ON s.fk_a = a.grp LEFT JOIN v_guarded g ON g.fk_a = a.id;
-- Outer joins of every kind around it, in either order, chained through each other.
CREATE VIEW v_full AS SELECT k AS id, a.val, s.sum FROM (SELECT id AS k, val FROM tb_a) a FULL JOIN (SELECT fk_a AS k, sum(val) AS sum FROM tb_b WHERE fk_a IS NOT NULL GROUP BY fk_a) s USING (k);
CREATE VIEW v_right AS SELECT a.id, s.sum, x.n FROM v_sums s RIGHT JOIN (v_sums x RIGHT JOIN tb_a a ON x.fk_a = a.grp) ON s.fk_a = a.id;
CREATE VIEW v_chain AS SELECT a.id, s.n, t.n AS next FROM tb_a a LEFT JOIN (v_sums s LEFT JOIN v_sums t ON t.fk_a = s.n) ON s.fk_a = a.grp;
CREATE VIEW v_inner_of_outer AS SELECT a.id, s.sum FROM tb_a a LEFT JOIN (tb_b b JOIN v_sums s ON s.fk_a = b.fk_a AND s.n > 3) ON b.pk_b = a.id;
CREATE VIEW v_above AS SELECT a.id, s.sum FROM tb_a a LEFT JOIN v_sums s ON true WHERE s.fk_a = a.id;
CREATE VIEW v_natural AS SELECT * FROM (SELECT id, grp FROM tb_a) a NATURAL JOIN (SELECT fk_a AS grp, count(*) AS n FROM tb_b GROUP BY fk_a) s;
-- More joins than the planner orders freely, the counted view first.
CREATE VIEW v_long AS
SELECT a.id, s.sum, t.n, count(*) AS rows FROM v_sums s JOIN tb_a a1 ON a1.id = s.fk_a JOIN tb_a a2 ON a2.id = a1.id JOIN tb_a a3 ON a3.id = a2.id
  JOIN tb_a a4 ON a4.id = a3.id JOIN tb_a a5 ON a5.id = a4.id JOIN tb_a a6 ON a6.id = a5.id JOIN tb_a a7 ON a7.id = a6.id
  JOIN tb_a a8 ON a8.id = a7.id JOIN tb_a a9 ON a9.id = a8.id JOIN tb_a a10 ON a10.id = a9.id JOIN tb_a a11 ON a11.id = a10.id
  LEFT JOIN v_sums t ON t.fk_a = a5.grp JOIN tb_a a ON a.id = a11.id GROUP BY a.id, s.sum, t.n;
-- Subtracted, intersected, doubled branches; types that differ between branches.
CREATE VIEW v_except AS SELECT a.id, x.val FROM tb_a a JOIN (SELECT grp, val FROM tb_b EXCEPT ALL SELECT grp, val::int8 FROM tb_a) x ON x.grp = a.grp AND x.val = a.id;
CREATE VIEW v_except_top AS SELECT id, grp FROM tb_a EXCEPT (SELECT fk_a, grp FROM tb_b INTERSECT SELECT id, grp FROM tb_a);
CREATE VIEW v_union AS SELECT a.id, array_agg(x.val ORDER BY x.val) AS vals FROM tb_a a LEFT JOIN (SELECT fk_a AS k, val FROM tb_b UNION SELECT grp, val FROM tb_a) x ON x.k = a.id GROUP BY a.id;
-- Windows over partitions with NULLs, of several columns, with DISTINCT ON, above joins, joined by what is not in them.
CREATE VIEW v_window AS SELECT id, rank() OVER (PARTITION BY grp, val > 6 ORDER BY val) AS place, sum(val) OVER (PARTITION BY val > 6, grp) AS sum FROM tb_a;
CREATE VIEW v_first AS SELECT DISTINCT ON (a.grp) a.id, b.val, count(*) OVER (PARTITION BY a.grp) AS n FROM tb_a a LEFT JOIN tb_b b ON b.fk_a = a.id ORDER BY a.grp, b.val DESC NULLS LAST, a.id;
CREATE VIEW v_joined_window AS SELECT a.id, w.place FROM tb_a a LEFT JOIN (SELECT b.pk_b, rank() OVER (PARTITION BY b.grp, x.grp ORDER BY b.val, b.pk_b) AS place FROM tb_b b LEFT JOIN tb_a x ON x.id = b.fk_a) w ON w.pk_b = a.val;
CREATE VIEW v_two_partitions AS SELECT id, count(*) OVER (PARTITION BY grp) AS a, count(*) OVER (PARTITION BY val % 2) AS b FROM tb_a;
CREATE VIEW v_counted_window AS SELECT a.id, w.best FROM tb_a a JOIN (SELECT fk_a, max(count(*)) OVER (PARTITION BY fk_a % 2) AS best FROM tb_b GROUP BY fk_a) w ON w.fk_a = a.id;
-- Membership whose value is used, with NULLs on either side.
CREATE VIEW v_member AS SELECT a.id, a.id IN (SELECT b.fk_a FROM tb_b b WHERE b.val > 2) AS used, a.grp NOT IN (SELECT b.grp FROM tb_b b WHERE b.val = 1) AS grp_used FROM tb_a a;
CREATE VIEW v_not_in AS SELECT a.id FROM tb_a a WHERE a.id NOT IN (SELECT b.fk_a FROM tb_b b WHERE b.val > 3) OR a.val IN (SELECT s.sum FROM v_sums s);
-- CTEs: twice, in each other, computed once on purpose, around a recursion.
CREATE VIEW v_ctes AS
WITH s AS MATERIALIZED (SELECT * FROM v_sums), both_sums AS (SELECT s.fk_a, s.sum + coalesce(t.sum, 0) AS sum FROM s LEFT JOIN s t ON t.fk_a = s.n)
SELECT a.id, x.sum, y.sum AS other, (SELECT z.n FROM s z WHERE z.fk_a = a.id) AS n FROM tb_a a LEFT JOIN both_sums x ON x.fk_a = a.id LEFT JOIN both_sums y ON y.fk_a = a.grp;
CREATE VIEW v_recursive AS
WITH RECURSIVE up(id, n) AS (SELECT id, 0 FROM tb_a UNION ALL SELECT b.fk_a, up.n + 1 FROM up JOIN tb_b b ON b.pk_b = up.id + 7 WHERE up.n < 3), most AS (SELECT id, max(n) AS n FROM up GROUP BY id)
SELECT a.id, m.n, k.n AS by_grp FROM tb_a a LEFT JOIN most m ON m.id = a.id LEFT JOIN most k ON k.id = a.grp;
-- Sub-selects that look up what is counted, over and under what is LATERAL anyway.
CREATE VIEW v_lateral AS SELECT a.id, t.sum, l.x FROM tb_a a CROSS JOIN LATERAL (SELECT b.grp FROM tb_b b WHERE b.fk_a = a.id ORDER BY b.val, b.pk_b LIMIT 1) b LEFT JOIN v_sums t ON t.fk_a = b.grp LEFT JOIN LATERAL (SELECT s.n + a.val AS x FROM v_sums s WHERE s.fk_a = t.n) l ON true;
CREATE VIEW v_exists AS SELECT a.id, EXISTS (SELECT FROM v_sums s WHERE s.fk_a = a.grp AND s.n > 4) AS many FROM tb_a a WHERE EXISTS (SELECT FROM v_sums s JOIN v_guarded g ON g.fk_a = s.fk_a WHERE s.fk_a = a.id) OR a.grp IS NULL;
CREATE TABLE shape AS SELECT string_agg(substr(relname, 3), ',') AS entities, array_agg(substr(relname, 3)) AS names FROM pg_class
 WHERE relkind = 'v' AND relnamespace = 'recompute_few_keys'::regnamespace AND relname NOT IN ('v_sums', 'v_guarded');
SELECT count(pg_tviews_create(name, key_columns => '{id}')) FROM shape, unnest(names) AS name;

SELECT command FROM shape, run_case(entities,
    $$UPDATE tb_b SET val = val + 1 WHERE pk_b = 3$$,
    $$UPDATE tb_b SET fk_a = 5 WHERE pk_b = 3$$,
    $$UPDATE tb_b SET fk_a = NULL, grp = NULL WHERE pk_b IN (4, 11)$$,
    $$UPDATE tb_a SET grp = NULL WHERE id = 2$$,
    $$UPDATE tb_a SET grp = 3, val = 7 WHERE id = 4$$,
    $$INSERT INTO tb_a VALUES (20, 2, 5), (21, NULL, 100)$$,
    $$INSERT INTO tb_b VALUES (40, 20, 1, 4), (41, 20, NULL, 1), (42, NULL, 2, 1)$$,
    $$DELETE FROM tb_b WHERE fk_a = 6$$,
    $$DELETE FROM tb_a WHERE id = 1$$,
    $$UPDATE tb_b SET grp = NULL WHERE val = 1$$)
\gexec

-- By key, whatever follows changes of the sources: all rows gone, and asked for again.
INSERT INTO tb_a VALUES (1, 1, 1), (22, 4, 2) ON CONFLICT (id) DO UPDATE SET grp = 4;
INSERT INTO tb_b SELECT 50 + i, nullif(i % 5, 0), nullif(i % 4, 0), i % 6 FROM generate_series(1, 20) AS i ON CONFLICT DO NOTHING;
SELECT count(pg_tviews_create(name, key_columns => '{id}')) FROM shape, unnest(names) AS name;
CALL pg_tviews_drain();
SELECT format('DELETE FROM tv_%s', name) FROM shape, unnest(names) AS name
\gexec
SELECT format('DO $do$BEGIN PERFORM pg_tviews_refresh(%L, (SELECT array_agg(id::text) FROM v_%s)); END$do$', name, name) FROM shape, unnest(names) AS name
\gexec
CALL pg_tviews_drain();
SELECT name || ': ' || CASE same(relation_of('v_', name), relation_of('tv_', name)) WHEN 0 THEN 'same' ELSE 'WRONG' END
  FROM shape, unnest(names) AS name ORDER BY name;
SELECT DISTINCT operation, status, keys_refreshed > 0, rows_inserted > 0 FROM pg_tview_meta_audit WHERE operation = 'refresh'
   AND audit_id > (SELECT max(audit_id) FROM pg_tview_meta_audit WHERE operation <> 'refresh');

DROP SCHEMA recompute_few_keys CASCADE;
