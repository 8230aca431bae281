-- CREATE TABLE tv_post AS SELECT makes a TVIEW, where the library is loaded before the session begins.
\c -reuse-previous=on "options='-c session_preload_libraries=pg_tviews'"
SET client_min_messages = notice;
CREATE SCHEMA create_table_as;
CREATE SCHEMA "Other One";
SET search_path = create_table_as, public;
\pset tuples_only on
\pset format unaligned

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user, title text);
INSERT INTO tb_user VALUES (1, 'ada'), (2, 'bob');
INSERT INTO tb_post VALUES (10, 1, 'first'), (20, 2, 'second'), (30, 2, 'third');

-- What a TVIEW is like: registered or not, persistence, storage parameters, columns, key.
CREATE FUNCTION described(tview regclass) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' | ', tview, coalesce((SELECT state FROM pg_tview_meta WHERE tview_oid = tview), 'no TVIEW'), relpersistence, reloptions,
                     (SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
                        FROM pg_attribute WHERE attrelid = tview AND attnum > 0 AND NOT attisdropped),
                     (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = tview AND contype = 'p'))
      FROM pg_class WHERE oid = tview
$$;

-- The tag, rows, key, view; the table follows.
\set QUIET off
CREATE TABLE tv_post AS
    SELECT p.pk_post, p.title, jsonb_build_object('title', p.title, 'by', u.name) AS data /* AS SELECT */ -- ; not the end
      FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
CREATE TABLE IF NOT EXISTS tv_post AS SELECT 1;
\set QUIET on
SELECT described('tv_post');
SELECT pg_get_viewdef('v_post');
SELECT operation, details ->> 'function', details ->> 'effect', rows_inserted FROM pg_tview_meta_audit WHERE tview_oid = 'tv_post'::regclass;
UPDATE tb_user SET name = 'bert' WHERE pk_user = 2;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');
TABLE tv_post ORDER BY 1;
-- The same query by the function changes nothing.
SELECT pg_tviews_create('post', $$SELECT p.pk_post, p.title, jsonb_build_object('title', p.title, 'by', u.name) AS data
                                    FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
-- A table that exists is left alone.
CREATE TABLE IF NOT EXISTS tv_post AS SELECT pk_user FROM tb_user;
CREATE TABLE tv_post AS SELECT pk_user FROM tb_user;
SELECT described('tv_post');
SELECT pg_tviews_drop('post');
SELECT count(*) FROM traces;

-- In a string with other statements, decided by each statement alone.
SELECT 'CREATE TABLE tv_no AS SELECT 1' AS text\; CREATE TABLE tv_a AS SELECT pk_user AS pk_a, '; CREATE TABLE tv_no AS' AS text FROM tb_user\; CREATE TABLE plain AS SELECT 1 AS tv_no;
SELECT described('tv_a');
TABLE tv_a ORDER BY 1;
CREATE /* TEMP */ TABLE IF NOT EXISTS
    tv_b -- AS SELECT
    AS WITH "AS" AS (SELECT pk_post AS pk_b, $q$ AS SELECT ' $q$ AS quoted, title "as" FROM tb_post) (SELECT * FROM "AS" WHERE true) ;
TABLE tv_b ORDER BY 1;
SELECT described('tv_b');
-- A repeated column collapses; columns without names get those that PostgreSQL gives.
CREATE TABLE tv_c AS SELECT pk_post AS pk_c, pk_post AS pk_c, upper(title), count(*) FROM tb_post GROUP BY pk_post;
SELECT described('tv_c');
CREATE TABLE tv_d AS TABLE tb_user;
CREATE TABLE tv_user AS TABLE tb_user;
SELECT described('tv_user');

-- In a function, in DO, in a transaction that is taken back, and after a savepoint.
CREATE FUNCTION makes() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    CREATE TABLE tv_e AS SELECT pk_post AS pk_e, title FROM tb_post;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
SELECT makes();
SELECT described('tv_e');
CREATE FUNCTION makes_by_sql() RETURNS void LANGUAGE sql AS 'CREATE TABLE tv_f AS SELECT pk_post AS pk_f, title FROM tb_post';
SELECT makes_by_sql();
SELECT described('tv_f');
DO $$ BEGIN EXECUTE format('CREATE TABLE tv_g AS SELECT pk_post AS pk_g, title FROM tb_post WHERE title <> %L', 'first'); END $$;
SELECT described('tv_g');
BEGIN;
CREATE TABLE tv_h AS SELECT pk_post AS pk_h, title FROM tb_post;
INSERT INTO tb_post VALUES (40, 1, 'fourth');
SELECT count(*) FROM tv_h;
SAVEPOINT one;
CREATE TABLE tv_i AS SELECT pk_h AS pk_i FROM tv_h;
ROLLBACK TO one;
COMMIT;
CALL pg_tviews_drain();
SELECT same('v_h', 'tv_h'), count(*), to_regclass('tv_i') FROM tv_h;
BEGIN;
CREATE TABLE tv_i AS SELECT pk_h AS pk_i FROM tv_h;
ROLLBACK;
SELECT to_regclass('tv_i'), to_regclass('v_i');

-- What the statement says about the table.
CREATE UNLOGGED TABLE tv_j WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off) AS SELECT pk_post AS pk_j FROM tb_post;
SELECT described('tv_j');
CREATE TABLE tv_k USING heap WITH (fillfactor = 70) TABLESPACE pg_default AS SELECT pk_post AS pk_k, title::varchar(20) COLLATE "C" AS title FROM tb_post WITH DATA;
SELECT described('tv_k');
CREATE TABLE "Other One"."tv_Order ""1" AS SELECT pk_post AS "pk_Order ""1" FROM tb_post;
SELECT described('"Other One"."tv_Order ""1"');
CREATE TABLE tv_tv_l AS SELECT pk_post AS pk_tv_l FROM tb_post;
SELECT described('tv_tv_l');
CREATE TABLE tv_keyless AS SELECT pk_post AS id, title FROM tb_post;
SELECT described('tv_keyless');

-- Names mean what they mean in the session.
CREATE FUNCTION "Other One".lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'other ' || $1 $$;
SET search_path = create_table_as, "Other One", pg_catalog, public;
CREATE TABLE tv_m AS SELECT pk_post AS pk_m, lower(title) AS mine, pg_catalog.lower(title) AS theirs FROM tb_post WHERE pk_post = 10;
TABLE tv_m;
SET search_path = create_table_as, public;

-- EXPLAIN shows the plan and makes nothing.
EXPLAIN (COSTS off) CREATE TABLE tv_n AS SELECT pk_post AS pk_n FROM tb_post;
EXPLAIN (ANALYZE, ANALYZE off, COSTS off) CREATE TABLE tv_n AS SELECT pk_post AS pk_n FROM tb_post;
SELECT to_regclass('tv_n');
-- Other names, other commands, and with the setting off.
CREATE TABLE tv_ AS SELECT 1 AS pk_;
CREATE TABLE "TV_p" AS SELECT 1 AS pk_p;
CREATE TABLE xtv_p AS SELECT 1 AS pk_p;
CREATE MATERIALIZED VIEW tv_p AS SELECT 1 AS pk_p;
CREATE TABLE tv_q (pk_q int);
CREATE TABLE tv_empty ();
SET pg_tviews.create_table_as = off;
CREATE TABLE tv_r AS SELECT 1 AS pk_r;
CREATE TABLE tv_s (a) AS SELECT 1 WITH NO DATA;
SELECT 1 AS pk_t INTO tv_t;
CREATE TEMP TABLE tv_u AS SELECT 1;
RESET pg_tviews.create_table_as;
SELECT string_agg(described(relname::text::regclass), e'\n' ORDER BY relname) FROM pg_class WHERE relname IN ('tv_r', 'tv_s', 'tv_t', 'tv_u');
SET session_replication_role = replica;
CREATE TABLE tv_v AS SELECT 1 AS pk_v;
RESET session_replication_role;
SELECT described('tv_v');

-- Event triggers see the commands.
CREATE TABLE seen (place serial, event text, tag text, objects text[]);
CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO create_table_as.seen (event, tag, objects) VALUES (tg_event, tg_tag, CASE tg_event WHEN 'ddl_command_end' THEN
        ARRAY(SELECT object_type || ' ' || object_identity FROM pg_event_trigger_ddl_commands()) END);
END $$;
CREATE EVENT TRIGGER see_start ON ddl_command_start EXECUTE FUNCTION see();
CREATE EVENT TRIGGER see_end ON ddl_command_end EXECUTE FUNCTION see();
TRUNCATE seen;
CREATE TABLE tv_w AS SELECT pk_post AS pk_w FROM tb_post;
DROP EVENT TRIGGER see_start;
DROP EVENT TRIGGER see_end;
SELECT event, tag, objects FROM seen WHERE tag LIKE 'CREATE TABLE%' OR objects::text LIKE '%create_table_as%' ORDER BY place;
SELECT described('tv_w');

SET client_min_messages = warning;
DROP SCHEMA create_table_as CASCADE;
DROP SCHEMA "Other One" CASCADE;
CALL pg_tviews_drain();
