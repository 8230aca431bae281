-- Why a source is recomputed in full: one reason per construct; other sources of the same view stay keyed.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA explain_full;
SET search_path = explain_full, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, fk_boss int, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
CREATE TABLE tb_site (motto text);

SELECT construct, e.source, e.strategy, e.captured_columns, e.key_query IS NULL AS no_key_query, e.reason
  FROM (VALUES (1, 'LIMIT', 'SELECT pk_post, title FROM tb_post ORDER BY title LIMIT 3'),
               (2, 'window', 'SELECT pk_post, row_number() OVER (ORDER BY title) AS n FROM tb_post'),
               (3, 'average', 'SELECT p.pk_post FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user WHERE p.fk_user > (SELECT avg(x.pk_user) FROM tb_user x)'),
               (4, 'cross join', 'SELECT p.pk_post, s.motto FROM tb_post p CROSS JOIN tb_site s'),
               (5, 'recursion', 'WITH RECURSIVE tree AS (SELECT pk_user, fk_boss FROM tb_user WHERE fk_boss IS NULL UNION ALL SELECT u.pk_user, u.fk_boss FROM tb_user u JOIN tree t ON t.pk_user = u.fk_boss) SELECT pk_user AS id FROM tree'),
               (6, 'grouping sets', 'SELECT fk_user AS id, title, count(*) FROM tb_post GROUP BY GROUPING SETS ((fk_user), (title))'),
               (7, 'sample', 'SELECT pk_post FROM tb_post TABLESAMPLE SYSTEM (50)')) AS constructs (n, construct, query),
       pg_tviews_explain(query) WITH ORDINALITY AS e (source, strategy, captured_columns, key_query, reason, advice, running, place)
 ORDER BY n, place;

-- The owner of a TVIEW reads the view but not the tables that key queries go through.
DROP ROLE IF EXISTS regress_tviews_reader;
CREATE ROLE regress_tviews_reader;
GRANT USAGE, CREATE ON SCHEMA explain_full TO regress_tviews_reader;
CREATE VIEW v_post AS SELECT p.pk_post, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
GRANT SELECT ON v_post TO regress_tviews_reader;
SET ROLE regress_tviews_reader;
SELECT source, strategy, reason FROM pg_tviews_explain('post');
RESET ROLE;

DROP SCHEMA explain_full CASCADE;
DROP ROLE regress_tviews_reader;
