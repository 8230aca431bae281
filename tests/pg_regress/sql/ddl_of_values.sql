-- DDL on what values are made with, shown by or compared with: types, functions, aggregates, casts, collations, text search, rights.
-- Each is waited for, and followed.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA ddl_of_values;
SET search_path = ddl_of_values, public;

CREATE TYPE addr AS (street text, zip text);
CREATE TYPE person AS (name text, home addr);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN house AS addr;
CREATE FUNCTION span_diff(a float8, b float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT a - b';
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = span_diff);
CREATE TABLE tb_typed OF person;
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text);
CREATE TABLE tb_p (pk_p int PRIMARY KEY, n int, name text, home addr, homes addr[], who person, house house, mood mood DEFAULT 'ok', owner tb_owner,
    spans span, body text DEFAULT 'running dogs', secret boolean NOT NULL DEFAULT false);
INSERT INTO tb_p SELECT i, i, 'name ' || i, ROW ('High Street', 'E' || i)::addr, ARRAY[ROW ('Low Street', 'F' || i)::addr], ROW ('Ann', ROW ('Third Street', 'G')::addr)::person,
    ROW ('Fourth Street', 'H')::addr, 'ok', ROW (i, 'owner')::tb_owner, span(i, i + 1) FROM generate_series(1, 3) i;
INSERT INTO tb_p (pk_p) VALUES (4);
INSERT INTO tb_typed VALUES ('Bob', ROW ('Fifth Street', 'I'));

CREATE FUNCTION f(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT coalesce(i::text, 'none')$$;
CREATE FUNCTION padded(t text, width int DEFAULT 12) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lpad(t, width)';
CREATE FUNCTION halved(n int, OUT half int, OUT rest int) LANGUAGE sql IMMUTABLE AS 'SELECT n / 2, n % 2';
CREATE FUNCTION zone() RETURNS text LANGUAGE sql STABLE AS $$SELECT current_setting('TimeZone')$$;
CREATE FUNCTION more(s int, n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT coalesce(s, 0) + n';
CREATE FUNCTION final_one(s int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT s + 100';
CREATE AGGREGATE best(int) (sfunc = int4larger, stype = int);
CREATE AGGREGATE counted(int) (sfunc = more, stype = int, initcond = '0');
CREATE AGGREGATE finished(int) (sfunc = more, stype = int, finalfunc = final_one);
CREATE FUNCTION near(a int, b int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs(a - b) <= 1';
CREATE OPERATOR ~~~ (leftarg = int, rightarg = int, function = near);
CREATE FUNCTION "as"(m mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$SELECT to_json('<' || m::text || '>')$$;
CREATE COLLATION by_bytes (provider = libc, locale = 'C');
CREATE TEXT SEARCH DICTIONARY stems (template = simple);
CREATE TEXT SEARCH CONFIGURATION conf (parser = "default");
ALTER TEXT SEARCH CONFIGURATION conf ADD MAPPING FOR asciiword WITH stems;
CREATE VIEW pets AS SELECT pk_p, name FROM tb_p;

-- One TVIEW for each kind of value, each with one column.
CREATE TABLE kinds (kind text, expression text);
INSERT INTO kinds VALUES
    ('composite', 'to_jsonb(home)'), ('array', 'to_jsonb(homes)'), ('nested', 'to_jsonb(who)'), ('domain', 'to_jsonb(house)'),
    ('made', 'to_jsonb(ROW (name, name)::addr)'), ('read', $$to_jsonb(jsonb_populate_record(NULL::addr, '{"street": "s", "zip": "z", "postcode": "p"}'))$$),
    ('row', 'to_jsonb(tb_p)'), ('row_of_view', '(SELECT to_jsonb(p) FROM pets p WHERE p.pk_p = tb_p.pk_p)'), ('other_row', 'to_jsonb(owner)'),
    ('typed', '(SELECT jsonb_agg(to_jsonb(t)) FROM tb_typed t)'), ('enum', 'mood::text'), ('enum_json', 'to_jsonb(mood)'), ('range', 'to_jsonb(spans)'),
    ('labels', 'enum_range(mood)::text'), ('function', 'f(n)'), ('default', 'padded(name)'), ('out', 'to_jsonb(halved(n))'), ('setting', 'zone()'),
    ('aggregate', '(SELECT best(o.n) FROM tb_p o)'), ('initial', '(SELECT counted(o.n) FROM tb_p o WHERE o.n > 0)'), ('final', '(SELECT finished(o.n) FROM tb_p o WHERE o.n > 0)'),
    ('operator', 'n ~~~ 2'), ('collation', $$body < 'RUN' COLLATE by_bytes$$), ('search', $$to_tsvector('conf', body)::text$$),
    ('table_name', 'tableoid::regclass::text'), ('type_name', 'pg_typeof(mood)::text');
SELECT format('CREATE VIEW v_%s AS SELECT pk_p, %s AS value FROM tb_p', kind, expression) FROM kinds \gexec
SELECT count(pg_tviews_create(kind, key_columns => '{pk_p}')) FROM kinds;
CALL pg_tviews_drain();

-- Which TVIEWs the command left to be looked at; which of them showed something else then, and what in the first row; all are right in the end.
CREATE TABLE before (kind text, pk_p int, value text);
CREATE FUNCTION step(change text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'TRUNCATE before'
     UNION ALL SELECT format('INSERT INTO before SELECT %L, pk_p, value::text FROM tv_%s', kind, kind) FROM kinds
     UNION ALL SELECT change
     UNION ALL SELECT format('SELECT %L', change)
     UNION ALL SELECT 'SELECT ''    waited for: '' || CASE count(*) WHEN 0 THEN ''none'' WHEN (SELECT count(*) FROM kinds) THEN ''all'' ELSE string_agg(kind, '' '' ORDER BY kind) END FROM kinds WHERE NOT is_applied(kind)'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT 'SELECT changed()'
$$;
CREATE FUNCTION is_applied(kind text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN pg_tviews_wait(kind);
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RETURN false;
END $$;
CREATE FUNCTION changed() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    kind   text;
    told   text;
    states jsonb := (SELECT jsonb_object_agg(s.tview_oid::oid, format('%s: %s', s.state, s.last_error)) FROM pg_tview_status s WHERE s.state <> 'active');
BEGIN
    FOR kind IN SELECT k.kind FROM kinds k ORDER BY 1 LOOP
        EXECUTE format('SELECT format(''    %s: %%s -> %%s'', b.value, t.value) FROM before b FULL JOIN tv_%s t USING (pk_p)
                         WHERE b.kind = %L AND b.value IS DISTINCT FROM t.value::text ORDER BY pk_p LIMIT 1', kind, kind, kind) INTO told;
        IF told IS NOT NULL AND kind = 'row' THEN
            told := '    row: ...';
        END IF;
        RETURN QUERY SELECT told WHERE told IS NOT NULL;
        told := states ->> relation_of('tv_', kind)::oid::text;
        IF told IS NOT NULL THEN
            RETURN NEXT format('    %s is %s', kind, told);
            CONTINUE;
        END IF;
        EXECUTE format('SELECT ''    WRONG: %s '' || string_agg(concat(key, problem), '' '') FROM pg_tviews_check(%L)', kind, kind) INTO told;
        RETURN QUERY SELECT told WHERE told IS NOT NULL;
    END LOOP;
END $$;

SELECT step('ALTER TYPE addr RENAME ATTRIBUTE zip TO postcode') \gexec
SELECT step('ALTER TYPE person ADD ATTRIBUTE age int CASCADE') \gexec
SELECT step('ALTER TYPE addr DROP ATTRIBUTE street CASCADE') \gexec
SELECT step('ALTER TABLE tb_owner RENAME COLUMN name TO called') \gexec
SELECT step('ALTER TABLE tb_p ADD COLUMN more int DEFAULT 7') \gexec
SELECT step('ALTER VIEW pets RENAME COLUMN name TO called') \gexec
SELECT step('CREATE OR REPLACE VIEW pets AS SELECT pk_p, name AS called, n FROM tb_p') \gexec
SELECT step('ALTER TYPE mood RENAME VALUE ''ok'' TO ''fine''') \gexec
SELECT step('ALTER TYPE mood ADD VALUE ''great''') \gexec
SELECT step('ALTER TYPE mood RENAME TO humour') \gexec
SELECT step('CREATE CAST (humour AS json) WITH FUNCTION "as"(humour)') \gexec
SELECT step('CREATE OR REPLACE FUNCTION "as"(m humour) RETURNS json LANGUAGE sql IMMUTABLE AS $f$SELECT to_json(upper(m::text))$f$') \gexec
SELECT step('DROP CAST (humour AS json)') \gexec
SELECT step('ALTER TABLE tb_p RENAME TO tb_pets') \gexec
SELECT step('ALTER TABLE tb_pets RENAME TO tb_p') \gexec
SELECT step('ALTER FUNCTION f(int) STRICT') \gexec
SELECT step('ALTER ROUTINE f(int) CALLED ON NULL INPUT') \gexec
SELECT step('CREATE OR REPLACE FUNCTION padded(t text, width int DEFAULT 9) RETURNS text LANGUAGE sql IMMUTABLE AS ''SELECT lpad(t, width)''') \gexec
SELECT step('ALTER FUNCTION zone() SET TimeZone = ''Asia/Tokyo''') \gexec
SELECT step('ALTER FUNCTION zone() RESET ALL') \gexec
SELECT step('CREATE OR REPLACE AGGREGATE best(int) (sfunc = int4smaller, stype = int)') \gexec
SELECT step('CREATE OR REPLACE AGGREGATE counted(int) (sfunc = more, stype = int, initcond = ''10'')') \gexec
SELECT step('CREATE OR REPLACE FUNCTION final_one(s int) RETURNS int LANGUAGE sql IMMUTABLE AS ''SELECT s + 200''') \gexec
SELECT step('CREATE OR REPLACE FUNCTION near(a int, b int) RETURNS boolean LANGUAGE sql IMMUTABLE AS ''SELECT a = b''') \gexec
SELECT step('ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR asciiword WITH english_stem') \gexec
SELECT step('ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING REPLACE english_stem WITH stems') \gexec
SELECT step('ALTER TEXT SEARCH DICTIONARY stems (accept = false)') \gexec
SELECT step('ALTER TEXT SEARCH CONFIGURATION conf DROP MAPPING FOR asciiword') \gexec
SELECT step('ALTER COLLATION by_bytes REFRESH VERSION') \gexec
SELECT step('ALTER FUNCTION near(int, int) COST 100') \gexec
SELECT step('CREATE TYPE unrelated AS (a int); CREATE FUNCTION unrelated() RETURNS int LANGUAGE sql AS ''SELECT 1''; CREATE TABLE unrelated_too (a addr)') \gexec

-- What takes the view along leaves a TVIEW that says so.
SELECT step('DROP AGGREGATE best(int) CASCADE') \gexec
SELECT step('DROP OPERATOR ~~~ (int, int) CASCADE') \gexec
SELECT step('DROP ROUTINE f(int) CASCADE') \gexec
SELECT step('DROP TEXT SEARCH CONFIGURATION conf CASCADE') \gexec
SELECT step('DROP COLLATION by_bytes CASCADE') \gexec
SELECT step('DROP DOMAIN house CASCADE') \gexec
SELECT step('ALTER TABLE tb_p DROP COLUMN spans CASCADE') \gexec
DROP SCHEMA ddl_of_values CASCADE;
