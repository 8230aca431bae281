-- Keys that are equal and not the same: the stored key is the view's, to the letter, whatever the settings of the session that
-- creates the TVIEW, that writes, that asks. One line for each kind of key; what is wrong is listed.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA keys_equal_not_identical;
SET search_path = keys_equal_not_identical, public;

CREATE EXTENSION citext SCHEMA keys_equal_not_identical;
CREATE EXTENSION hstore SCHEMA keys_equal_not_identical;
-- Not every server is built with ICU, which collations that are not deterministic need: the other expected file.
SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'en-x-icu') AS has_icu \gset
\if :has_icu
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
\endif
CREATE DOMAIN amount AS numeric CHECK (VALUE IS NOT NULL);
CREATE TYPE pair AS (n numeric, at timestamptz);
CREATE TABLE target_a (x int);

-- b equals a and is written differently; c is another key.
CREATE TABLE kind (name text, type text, a text, b text, c text);
INSERT INTO kind VALUES
    ('numeric', 'numeric', '1.0', '1.00', '2'),
    ('numeric_long', 'numeric', '12345678901234567890123.10', '12345678901234567890123.1', '12345678901234567890123.2'),
    ('numeric_huge', 'numeric', '1e400', '1e400', '1e401'),
    ('numeric_scale', 'numeric(20,3)', '0.100', '0.1', 'NaN'),
    ('domain', 'amount', '1.0', '1.000', '-7'),
    ('float8', 'float8', '0', '-0', '0.30000000000000004'),
    ('float4', 'real', '-0', '0', '1.1754944e-38'),
    ('interval', 'interval', '1 day', '24 hours', '-1 mons +2 days -03:00:00.5'),
    ('interval_months', 'interval', '1 mon', '30 days', '1 year -1 day'),
    ('jsonb', 'jsonb', '{"n": 1.0}', '{"n": 1.00}', '"text"'),
    ('jsonb_scalar', 'jsonb', '1.50', '1.5', 'null'),
    ('citext', 'citext', 'Key', 'KEY', 'key2'),
    ('collated', 'text COLLATE no_case', 'APPLE', 'apple', 'pear'),
    ('bpchar', 'bpchar', 'a', 'a  ', 'b'),
    ('array_of_numbers', 'numeric[]', '{1.0,NULL}', '{1.00,NULL}', '{}'),
    ('array_of_times', 'timestamptz[]', '{2024-03-31 02:30+02}', '{2024-03-31 00:30+00}', '{infinity}'),
    ('range', 'numrange', '[1.0,2.0)', '[1.00,2)', 'empty'),
    ('multirange', 'nummultirange', '{[1.0,2.0)}', '{[1,2.0)}', '{}'),
    ('row', 'pair', '(1.0,"2024-10-27 01:30:00+00")', '(1.00,"2024-10-27 03:30:00+02")', '(,)'),
    ('timestamptz', 'timestamptz', '2024-10-27 01:30:00+00', '2024-10-27 03:30:00+02', '2024-10-27 00:30:00+00'),
    ('timestamptz_old', 'timestamptz', '1969-06-01 12:00:00+00', '1969-06-01 13:00:00+01', 'infinity'),
    ('timestamp', 'timestamp', '2024-02-01 12:30:00.5', '2024-02-01 12:30:00.500', '0044-03-15 00:00 BC'),
    ('timetz', 'timetz', '12:00:00+05:30', '12:00:00+05:30', '11:00:00-08'),
    ('date', 'date', '2024-02-01', '2024-02-01', '2024-01-02'),
    ('money', 'money', '1234.50', '1234.5', '-0.07'),
    ('bytea', 'bytea', '\x00ff5c', '\x00ff5c', ''),
    ('hstore', 'hstore', 'b=>2, a=>1', 'a=>1,b=>2', ''),
    ('bit', 'varbit', '101', '101', ''),
    ('regclass', 'regclass', 'target_a', 'target_a', 'pg_catalog.pg_class'),
    ('xid8', 'xid8', '7', '7', '18446744073709551615'),
    ('tsvector', 'tsvector', 'a:1 b:2', 'b:2 a:1', ''),
    ('inet', 'inet', '10.0.0.1', '10.0.0.1/32', '::1');

\if :has_icu
\else
DELETE FROM kind WHERE name = 'collated';
\endif

CREATE TABLE setting (way int, creates text, writes text);
INSERT INTO setting VALUES
    (1, 'SET datestyle = ''ISO, YMD''; SET timezone = ''UTC''', ''),
    (2, 'SET extra_float_digits = 0; SET datestyle = ''SQL, YMD''; SET timezone = ''Asia/Kolkata''; SET intervalstyle = ''sql_standard''',
        'SET LOCAL datestyle = ''German''; SET LOCAL timezone = ''America/Chicago''; SET LOCAL intervalstyle = ''postgres_verbose''; SET LOCAL extra_float_digits = -15; SET LOCAL bytea_output = ''escape'''),
    (3, 'SET extra_float_digits = -15; SET datestyle = ''Postgres, DMY''; SET timezone = ''America/Chicago''; SET intervalstyle = ''postgres_verbose''; SET bytea_output = ''escape''',
        'SET LOCAL datestyle = ''SQL, DMY''; SET LOCAL timezone = ''Asia/Kathmandu''; SET LOCAL intervalstyle = ''iso_8601'''),
    (4, 'SET datestyle = ''German''; SET timezone = ''Europe/Berlin''; SET intervalstyle = ''iso_8601''',
        'SET LOCAL datestyle = ''Postgres, MDY''; SET LOCAL timezone = ''Asia/Kolkata''; SET LOCAL intervalstyle = ''sql_standard''');

CREATE TABLE verdict (name text, wrong text);

-- The rows of view and table, written with all there is to a value; what pg_tviews_check says; its state. In the end: what is pending.
CREATE PROCEDURE judge_images(kind text, way int, step text, is_last boolean) LANGUAGE plpgsql AS $$
DECLARE
    of_view  text;
    of_table text;
    other    text;
BEGIN
    EXECUTE format('SELECT string_agg(v::text, '' '' ORDER BY v::text COLLATE "C") FROM v_%s v', kind) INTO of_view;
    EXECUTE format('SELECT string_agg(tv::text, '' '' ORDER BY tv::text COLLATE "C") FROM tv_%s tv', kind) INTO of_table;
    SELECT string_agg(concat(c.key, ' ', c.problem), ', ') INTO other FROM pg_tviews_check(kind) c;
    other := concat_ws(', ', other, CASE WHEN is_last THEN (SELECT string_agg(concat('pending ', p.key), ', ') FROM pg_tviews_pending(kind) p) END,
                       (SELECT nullif(m.state, 'active') FROM pg_tview_meta m WHERE m.tview_oid = ('tv_' || kind)::regclass),
                       (SELECT concat(d.key, ' ', d.message) FROM pg_tview_dead_letter d WHERE d.tview_oid = ('tv_' || kind)::regclass LIMIT 1));
    INSERT INTO verdict
    SELECT kind, CASE WHEN of_view IS DISTINCT FROM of_table THEN format('way %s, %s: view %s, table %s', way, step, of_view, of_table)
                      WHEN other <> '' THEN format('way %s, %s: %s', way, step, other) END;
END $$;

-- A preview in the transaction that writes, the wait of a session that names the key as it writes it, a refresh of it.
CREATE FUNCTION commands(k kind, s setting) RETURNS TABLE (command text) LANGUAGE plpgsql AS $$
DECLARE
    write text := 'BEGIN; ' || s.writes || '; SET LOCAL search_path = keys_equal_not_identical, public; ';
    reset text := 'RESET ALL; SET client_min_messages = warning; SET search_path = keys_equal_not_identical, public';
    step  text;
BEGIN
    command := s.creates; RETURN NEXT;
    command := format('CREATE TABLE tb_%s (pk int PRIMARY KEY, k %s, note text)', k.name, k.type); RETURN NEXT;
    command := format('INSERT INTO tb_%s VALUES (1, %L, ''a''), (2, %L, ''c'')', k.name, k.a, k.c); RETURN NEXT;
    command := format('CREATE VIEW v_%1$s AS SELECT k, min(note) AS note, array_agg(%2$s ORDER BY %2$s) AS texts FROM tb_%1$s GROUP BY k',
                      k.name, CASE k.type WHEN 'regclass' THEN 'k::oid' ELSE 'k::text' END); RETURN NEXT;
    command := format('SELECT pg_tviews_create(%L, key_columns => ''{k}'') IS NULL', k.name); RETURN NEXT;
    FOREACH step IN ARRAY ARRAY[
        format('UPDATE tb_%s SET note = note || ''+''', k.name),
        format('UPDATE tb_%s SET k = %L WHERE pk = 1', k.name, k.b),
        format('UPDATE tb_%s SET k = %L WHERE pk = 1; SELECT count(*) < 0 FROM tv_%s', k.name, k.a, k.name),
        format('INSERT INTO tb_%s VALUES (3, %L, ''b'')', k.name, k.b),
        format('DELETE FROM tb_%s WHERE pk = 1', k.name),
        format('SELECT pg_tviews_refresh(%L, ARRAY[k::text]) IS NULL FROM tb_%s WHERE pk = 3', k.name, k.name),
        format('UPDATE tb_%s SET k = %L WHERE pk = 3; SELECT count(*) < 0 FROM tv_%s; UPDATE tb_%s SET k = %L WHERE pk = 3', k.name, k.c, k.name, k.name, k.a),
        format('DELETE FROM tb_%s WHERE pk = 2; SELECT count(*) < 0 FROM tv_%s', k.name, k.name),
        format('TRUNCATE tb_%s; INSERT INTO tb_%s VALUES (5, %L, ''a'')', k.name, k.name, k.b),
        format('DELETE FROM tb_%s', k.name)]
    LOOP
        command := reset; RETURN NEXT;
        command := write || step || '; COMMIT'; RETURN NEXT;
        command := 'CALL pg_tviews_drain()'; RETURN NEXT;
        command := s.creates; RETURN NEXT;
        command := format('CALL judge_images(%L, %s, %L, %L)', k.name, s.way, step, step LIKE 'DELETE FROM tb\__%' AND step NOT LIKE '% WHERE %'); RETURN NEXT;
    END LOOP;
    command := reset; RETURN NEXT;
    command := format('SELECT pg_tviews_drop(%L) IS NULL', k.name); RETURN NEXT;
    command := format('DROP TABLE tb_%s CASCADE', k.name); RETURN NEXT;
END $$;

\o /dev/null
SELECT c.command FROM kind JOIN setting ON way = 3 OR way = 1 AND name IN ('interval', 'timestamptz', 'float8', 'row') OR way IN (2, 4) AND type ~ 'time|date|interval|float|real|pair', commands(kind, setting) c
\gexec
\o
SELECT name, count(*) || ' steps', count(wrong) || ' wrong', min(wrong) FROM verdict GROUP BY name ORDER BY name;

DROP SCHEMA keys_equal_not_identical CASCADE;
