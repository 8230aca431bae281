-- pg_tviews_compare: which rows and paths another query for a TVIEW would change.
SET client_min_messages = warning;
CREATE SCHEMA compare;
SET search_path = compare, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, born date);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, tags text[], at timestamptz);
INSERT INTO tb_user VALUES (1, 'Ann', '2000-01-01'), (2, 'Bob', NULL), (3, 'Cid', '1999-12-31');
INSERT INTO tb_post VALUES (1, 1, 'one', '{a,b}', '2024-01-01 00:00Z'), (2, 2, 'two', '{}', NULL), (3, 3, 'three', NULL, '2024-06-01 00:00Z');
SELECT pg_tviews_create('post', $$
    SELECT p.pk_post, p.title, jsonb_build_object('author', jsonb_build_object('name', u.name, 'born', u.born), 'tags', p.tags, 'at', p.at) AS data
      FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
SELECT entity_name, state FROM pg_tview_meta WHERE tview_oid = 'tv_post'::regclass;
CREATE TEMP TABLE was AS SELECT pg_get_viewdef('v_post') AS view, md5(string_agg(tv::text || tv.xmin::text, ',' ORDER BY pk_post)) AS rows FROM tv_post tv;

-- The same query, written differently: nothing.
SELECT * FROM pg_tviews_compare('post', $$
    SELECT p.pk_post, p.title, jsonb_build_object('tags', p.tags, 'at', p.at, 'author', jsonb_build_object('born', u.born, 'name', u.name)) AS data
      FROM tb_user u, tb_post p WHERE u.pk_user = p.fk_user$$);
-- Neither another TimeZone nor pending changes make a difference.
SET TimeZone = 'Asia/Tokyo';
UPDATE tb_user SET name = 'Bea' WHERE pk_user = 2;
SELECT * FROM pg_tviews_compare('post', pg_get_viewdef('v_post'));
RESET TimeZone;

-- Paths in documents, elements of arrays, columns, rows.
SELECT * FROM pg_tviews_compare('post', $$
    SELECT p.pk_post, upper(p.title) AS title,
           jsonb_build_object('author', jsonb_build_object('name', u.name, 'born on', u.born), 'tags', p.tags || '{c}'::text[], 'at', p.at) AS data
      FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user WHERE p.pk_post < 3
     UNION ALL SELECT 4, 'four', NULL$$);
-- At most so many.
SELECT key, change, path FROM pg_tviews_compare('post', $$SELECT pk_post, 'x' AS title, '{}'::jsonb AS data FROM tb_post$$, 2);
SELECT count(*) FROM pg_tviews_compare('post', $$SELECT pk_post, 'x' AS title, '{}'::jsonb AS data FROM tb_post$$, 0);
SELECT count(*) FROM pg_tviews_compare('post', $$SELECT i AS pk_post, 'x' AS title, '{}'::jsonb AS data FROM generate_series(10, 1009) i$$, NULL);
SELECT count(*) FROM pg_tviews_compare('post', $$SELECT i AS pk_post, 'x' AS title, '{}'::jsonb AS data FROM generate_series(10, 1009) i$$);

-- Columns that the table gets, loses, or has with another type then.
SELECT * FROM pg_tviews_compare('post', $$SELECT pk_post, title::varchar AS title, length(title) AS size FROM tb_post WHERE pk_post = 1$$);
-- Images count, as in a refresh: 1.0 and 1.00 are other rows; and so do JSON null and nothing.
SELECT pg_tviews_create('number', $$SELECT pk_post AS pk_number, 1.0 AS n, '{"a": 1.0, "b": null}'::jsonb AS data FROM tb_post WHERE pk_post = 1$$);
SELECT * FROM pg_tviews_compare('number', $$SELECT pk_post AS pk_number, 1.00 AS n, '{"a": 1.00}'::jsonb AS data FROM tb_post WHERE pk_post = 1$$);
SELECT * FROM pg_tviews_compare('number', $$SELECT pk_post AS pk_number, 1.0 AS n, '[1, {"a": 2}, [3]]'::jsonb AS data FROM tb_post WHERE pk_post = 1$$);

-- Rows without a place in the table.
SELECT * FROM pg_tviews_compare('number', $$SELECT i AS pk_number, 1.0 AS n, '{"a": 1.0, "b": null}'::jsonb AS data FROM unnest('{1,7,7,NULL,8}'::int[]) i$$);

-- A table of the application: columns that it does not have are in its document.
CREATE TABLE tv_user (pk_user int PRIMARY KEY, data jsonb, updated_at timestamptz);
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT * FROM pg_tviews_compare('user', 'SELECT pk_user, name, born FROM tb_user WHERE pk_user <> 3');

-- Composite and other keys.
SELECT pg_tviews_create('pair', $$SELECT fk_user, title, tags FROM tb_post$$, key_columns => '{fk_user,title}');
SELECT * FROM pg_tviews_compare('pair', $$SELECT fk_user, title, NULL::text[] AS tags FROM tb_post WHERE fk_user > 1 UNION ALL SELECT 9, 'ni"ne', '{}'$$);

-- The redefinition does what was announced.
SELECT change, count(DISTINCT key) FROM pg_tviews_compare('pair', $$SELECT fk_user, title, NULL::text[] AS tags FROM tb_post WHERE fk_user > 1 UNION ALL SELECT 9, 'ni"ne', '{}'$$) GROUP BY change ORDER BY change;
SELECT pg_tviews_create('pair', $$SELECT fk_user, title, NULL::text[] AS tags FROM tb_post WHERE fk_user > 1 UNION ALL SELECT 9, 'ni"ne', '{}'$$);
SELECT rows_deleted, rows_inserted, rows_updated FROM pg_tview_meta_audit WHERE tview_oid = 'tv_pair'::regclass ORDER BY audit_id DESC LIMIT 1;
SELECT * FROM pg_tviews_compare('pair', pg_get_viewdef('v_pair'));

-- Errors are those of creation.
SELECT error_of($$SELECT pg_tviews_compare('nobody', 'SELECT 1')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post FRM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'DELETE FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'DELETE FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'WITH gone AS (DELETE FROM tb_post RETURNING *) SELECT * FROM gone')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post FROM tb_post; SELECT 1')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post FROM tb_post FOR UPDATE')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT title FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post FROM tv_post')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post, 1 / (pk_post - 2) AS title FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT 1 AS pk_post FROM was')$$);
SELECT error_of($$SELECT pg_tviews_compare('post', NULL)$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post FROM tb_post', -1)$$);
SELECT error_of($$SELECT pg_tviews_compare('number', 'SELECT 1::text AS pk_number, point(1,1) AS n')$$);
SELECT error_of($$SELECT pg_tviews_compare('pair', 'SELECT 1 AS id')$$);
-- What the query calls writes nothing.
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO compare.tb_user VALUES (99); RETURN 1; END';
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT writes() AS pk_post')$$);
CREATE SEQUENCE counter;
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT nextval(''counter'')::int AS pk_post')$$);
SHOW transaction_read_only;

-- It changes nothing, and is left open to writers.
SELECT was.view = pg_get_viewdef('v_post') AS same_view, was.rows = (SELECT md5(string_agg(tv::text || tv.xmin::text, ',' ORDER BY pk_post)) FROM tv_post tv) AS same_rows FROM was;
BEGIN;
SELECT count(*) FROM pg_tviews_compare('post', 'SELECT pk_post FROM tb_post');
SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('relation', 'object') AND mode <> 'AccessShareLock';
COMMIT;
BEGIN READ ONLY;
SELECT count(*) > 0 AS read_only FROM pg_tviews_compare('post', 'SELECT pk_post FROM tb_post');
COMMIT;

-- Who may create the TVIEW may compare.
CREATE ROLE compare_owner;
CREATE ROLE compare_other;
GRANT USAGE ON SCHEMA compare TO compare_owner, compare_other;
GRANT SELECT ON tv_post, v_post, tb_post TO compare_other;
SET ROLE compare_other;
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post FROM tb_post')$$);
RESET ROLE;
ALTER TABLE tv_post OWNER TO compare_owner;
ALTER VIEW v_post OWNER TO compare_owner;
GRANT SELECT ON tb_post TO compare_owner;
SET ROLE compare_owner;
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post, title FROM tb_post')$$);
RESET ROLE;
GRANT SELECT, TRIGGER ON tb_post, tb_user TO compare_owner;
SET ROLE compare_owner;
SELECT key, change, path FROM pg_tviews_compare('post', $$SELECT pk_post, title || '!' AS title, NULL::jsonb AS data FROM tb_post WHERE pk_post = 1$$);
SELECT error_of($$SELECT pg_tviews_compare('post', 'SELECT pk_post, title FROM tb_note')$$);
RESET ROLE;

DROP SCHEMA compare CASCADE;
DROP OWNED BY compare_owner, compare_other;
DROP ROLE compare_owner, compare_other;
