-- A CREATE TABLE tv_post AS that cannot make a TVIEW says why, and creates nothing.
\c -reuse-previous=on "options='-c session_preload_libraries=pg_tviews'"
SET client_min_messages = warning;
CREATE SCHEMA create_table_as_refused;
SET search_path = create_table_as_refused, public;
\pset tuples_only on
\pset format unaligned

CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text, word text);
INSERT INTO tb_post VALUES (10, 'first', 'a'), (20, 'second', 'a');

SELECT error_of('SELECT pk_post INTO tv_post FROM tb_post');
SELECT error_of('CREATE TEMP TABLE tv_post AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE pg_temp.tv_post AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TEMP TABLE IF NOT EXISTS tv_post ON COMMIT DROP AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE tv_post (pk_post, title) AS SELECT pk_post, title FROM tb_post');
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post WITH NO DATA');
PREPARE posts AS SELECT pk_post FROM tb_post;
SELECT error_of('CREATE TABLE tv_post AS EXECUTE posts');
SELECT error_of('EXPLAIN ANALYZE CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
SELECT error_of('EXPLAIN (ANALYZE) CREATE TABLE IF NOT EXISTS tv_post AS EXECUTE posts');
CREATE FUNCTION with_variable(word text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE tv_post AS SELECT pk_post FROM tb_post WHERE pk_post IN (SELECT 10 WHERE with_variable.word = 'a');
END $$;
SELECT error_of($$SELECT with_variable('a')$$);
CREATE FUNCTION with_argument(int) RETURNS void LANGUAGE sql AS 'CREATE TABLE tv_post AS SELECT pk_post FROM tb_post WHERE pk_post = $1';
SELECT error_of('SELECT with_argument(1)');
SELECT error_of($$DO 'BEGIN EXECUTE ''CREATE TABLE tv_post AS SELECT pk_post FROM tb_post WHERE pk_post = $1'' USING 1; END'$$);
CREATE FUNCTION with_transition_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE tv_post AS SELECT pk_post FROM changed;
    RETURN NULL;
END $$;
CREATE TRIGGER with_transition_table AFTER UPDATE ON tb_post REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION with_transition_table();
SELECT error_of('UPDATE tb_post SET title = upper(title)');

-- What pg_tviews_create refuses.
SELECT error_of('CREATE TABLE tv_post AS SELECT title FROM tb_post');
SELECT error_of('CREATE TABLE tv_post AS SELECT FROM tb_post');
SELECT error_of('CREATE TABLE tv_post AS VALUES (1), (2)');
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post FOR UPDATE');
SELECT error_of('CREATE TABLE tv_post AS SELECT 1 / (title = title)::int AS pk_post, word AS pk_post FROM tb_post');
SELECT error_of('CREATE TABLE tv_post AS SELECT a.pk_post FROM tb_post a, tb_post b');
SELECT error_of('CREATE TABLE tv_post AS WITH gone AS (DELETE FROM tb_post RETURNING pk_post) SELECT * FROM gone');
CREATE TEMP TABLE scratch AS SELECT 1 AS pk_post;
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM scratch');
SELECT error_of('CREATE TABLE tv_post ON COMMIT DROP AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE tv_post WITH (fillfactor = 1) AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE tv_post WITH (no_such_parameter) AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE tv_post TABLESPACE no_such_tablespace AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE tv_post USING no_such_method AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE no_such_schema.tv_post AS SELECT pk_post FROM tb_post');
SELECT error_of('CREATE TABLE tv_post AS SELECT no_such_column FROM tb_post');
SELECT error_of('CREATE TABLE tv_post AS SELECT 10 AS pk_post, 1 / count(*) FILTER (WHERE false) AS n FROM tb_post');
SELECT error_of('SET pg_tviews.allow_full = off; CREATE TABLE tv_post AS SELECT pk_post, row_number() OVER (ORDER BY title) FROM tb_post');
RESET pg_tviews.allow_full;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
ROLLBACK;
BEGIN READ ONLY;
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
ROLLBACK;
SET search_path = '';
SELECT public.error_of('CREATE TABLE tv_post AS SELECT pk_post FROM create_table_as_refused.tb_post');
SET search_path = create_table_as_refused, public;

-- A view of that name stays as it is.
CREATE VIEW v_post AS SELECT pk_post FROM tb_post;
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post, title FROM tb_post');
CREATE TABLE tv_post AS SELECT tb_post.pk_post FROM create_table_as_refused.tb_post;
SELECT pg_tviews_drop('post');
-- The query may be that view.
CREATE TABLE tv_post AS TABLE v_post;
SELECT pg_tviews_create('post', 'SELECT * FROM create_table_as_refused.v_post');
SELECT pg_tviews_drop('post');
SELECT attname FROM pg_attribute WHERE attrelid = 'v_post'::regclass AND attnum > 0;
DROP VIEW v_post;
CREATE TABLE v_post (pk_post int);
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
DROP TABLE v_post;

-- Rights: those of the function, and those that the statement needs.
CREATE ROLE create_table_as_anna;
SET ROLE create_table_as_anna;
SELECT error_of('CREATE TABLE create_table_as_refused.tv_post AS SELECT 1 AS pk_post');
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA create_table_as_refused TO create_table_as_anna;
SET ROLE create_table_as_anna;
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
RESET ROLE;
GRANT SELECT ON tb_post TO create_table_as_anna;
SET ROLE create_table_as_anna;
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
RESET ROLE;
GRANT TRIGGER ON tb_post TO create_table_as_anna;
REVOKE EXECUTE ON FUNCTION pg_tviews_create FROM PUBLIC;
SET ROLE create_table_as_anna;
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
SET pg_tviews.create_table_as = off;
CREATE TABLE tv_post AS SELECT pk_post FROM tb_post;
DROP TABLE tv_post;
RESET pg_tviews.create_table_as;
RESET ROLE;
GRANT EXECUTE ON FUNCTION pg_tviews_create TO PUBLIC;
SET ROLE create_table_as_anna;
CREATE TABLE tv_post AS SELECT pk_post FROM tb_post;
RESET ROLE;
SELECT relname, relowner::regrole FROM pg_class WHERE relname IN ('tv_post', 'v_post') AND relnamespace = 'create_table_as_refused'::regnamespace ORDER BY 1;
SELECT pg_tviews_drop('post');
-- The owner of a SECURITY DEFINER function is the current role.
CREATE FUNCTION as_owner() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = create_table_as_refused AS
    'BEGIN CREATE TABLE tv_post AS SELECT pk_post FROM tb_post; END';
ALTER FUNCTION as_owner OWNER TO create_table_as_anna;
SELECT as_owner();
SELECT relname, relowner::regrole FROM pg_class WHERE relname IN ('tv_post', 'v_post') AND relnamespace = 'create_table_as_refused'::regnamespace ORDER BY 1;
SELECT pg_tviews_drop('post');

SELECT * FROM traces;
SET client_min_messages = warning;
DROP SCHEMA create_table_as_refused CASCADE;
DROP ROLE create_table_as_anna;
CALL pg_tviews_drain();
