-- Key columns whose types differ between view and table: accepted where the cast keeps different keys apart and equal ones equal,
-- else refused with the columns, the types, and what to type. So are types without equality or order.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA key_types_that_differ;
SET search_path = key_types_that_differ, public;
CREATE EXTENSION citext SCHEMA key_types_that_differ;
-- Not every server is built with ICU, which collations that are not deterministic need: the other expected file.
SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'en-x-icu') AS has_icu \gset
\if :has_icu
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION no_accent (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
\endif
CREATE DOMAIN short AS varchar(3);
CREATE DOMAIN wide AS varchar(10);
CREATE TYPE mood AS ENUM ('sad', 'happy');

CREATE FUNCTION try(of_view text, of_table text, VARIADIC keys text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    EXECUTE format('CREATE TABLE tb_try (k %s, n int)', of_view);
    EXECUTE format('INSERT INTO tb_try SELECT k::%s, n FROM unnest(%L::text[]) WITH ORDINALITY u(k, n)', of_view, keys);
    CREATE VIEW v_try AS SELECT * FROM tb_try;
    EXECUTE format('CREATE TABLE tv_try (k %s PRIMARY KEY, n int)', of_table);
    FOR line IN SELECT error_of($s$SELECT pg_tviews_create('try')$s$) OFFSET 1 LOOP
        RETURN NEXT format('%s -> %s: %s', of_view, of_table, line);
    END LOOP;
    -- error_of undoes nothing where there is no error.
    IF line IS NULL THEN
        RETURN NEXT format('%s -> %s: accepted, %s rows, %s differences', of_view, of_table, (SELECT count(*) FROM tv_try),
                           (SELECT count(*) FROM pg_tviews_check('try')));
        PERFORM pg_tviews_drop('try');
    END IF;
    DROP TABLE tb_try CASCADE;
    DROP TABLE IF EXISTS tv_try;
END $$;

-- Accepted.
SELECT try('smallint', 'bigint', '1', '-32768');
SELECT try('bigint', 'int', '1', '2');
SELECT try('int', 'numeric', '1', '2');
SELECT try('real', 'float8', '0.1', 'NaN');
SELECT try('varchar(3)', 'varchar(5)', 'a', 'a ');
SELECT try('varchar(3)', 'text', 'a', 'a ');
SELECT try('text', 'varchar', 'a', 'a ');
SELECT try('char(3)', 'text', 'a', 'b');
SELECT try('char(3)', 'char(5)', 'a', 'b');
SELECT try('short', 'wide', 'a', 'abc');
SELECT try('numeric(5,2)', 'numeric(8,3)', '1.00', '999.99');
SELECT try('numeric(5,2)', 'numeric', '1.00', '2');
SELECT try('uuid', 'text', '00000000-0000-0000-0000-00000000000A', '00000000-0000-0000-0000-00000000000b');
SELECT try('mood', 'text', 'sad', 'happy');
SELECT try('text', 'mood', 'sad', 'happy');
SELECT try('date', 'timestamp', '2024-01-02', 'infinity');
SELECT try('timestamp(3)', 'timestamp', '2024-01-02 00:00:00.123', 'infinity');
SELECT try('cidr', 'inet', '10.0.0.0/8', '10.0.0.0/16');
SELECT try('regclass', 'oid', 'pg_class', 'pg_type');
SELECT try('varchar(3)[]', 'text[]', '{a}', '{a,b}');
SELECT try('text COLLATE "C"', 'text COLLATE "POSIX"', 'a', 'A');
SELECT try('text', 'text COLLATE "C"', 'a', 'A');
\if :has_icu
SELECT try('text COLLATE no_case', 'text COLLATE no_case', 'a', 'b');
\endif
SELECT try('name', 'text', 'a', 'A');

-- Refused.
SELECT try('numeric', 'int', '5.1', '5.2');
SELECT try('numeric', 'numeric(10,2)', '5.001', '5.002');
SELECT try('numeric(5,2)', 'numeric(5,3)', '1', '2');
SELECT try('float8', 'real', '0.1', '0.10000000001');
SELECT try('bigint', 'float8', '9007199254740993', '9007199254740992');
SELECT try('text', 'varchar(3)', 'abc', 'abcd');
SELECT try('wide', 'short', 'abc', 'abcd');
SELECT try('text', 'char(5)', 'a', 'a ');
SELECT try('text', 'name', 'a', 'b');
SELECT try('text', 'bigint', '1', '01');
SELECT try('text', 'uuid', '00000000-0000-0000-0000-00000000000A', '00000000-0000-0000-0000-00000000000a');
SELECT try('citext', 'text', 'Key', 'other');
SELECT try('text', 'citext', 'Key', 'KEY');
SELECT try('timestamp', 'timestamp(0)', '2024-01-02 00:00:00.1', '2024-01-02 00:00:00.2');
SELECT try('timestamp', 'timestamptz', '2024-01-02 00:00:00', '2024-01-02 00:00:01');
SELECT try('timestamp', 'date', '2024-01-02 00:00:00', '2024-01-02 00:00:01');
SELECT try('inet', 'cidr', '10.0.0.0/8', '10.0.0.0/16');
SELECT try('bit(3)', 'bit(2)', '101', '100');
SELECT try('numeric[]', 'int[]', '{5.1}', '{5.2}');
SELECT try('boolean', 'int', 'true', 'false');
\if :has_icu
SELECT try('text COLLATE no_case', 'text', 'a', 'b');
SELECT try('text', 'text COLLATE no_case', 'a', 'A');
SELECT try('text COLLATE no_case', 'text COLLATE no_accent', 'a', 'b');
\endif

-- A column that is no key may have any type that takes its values; what does not fit is named.
CREATE TABLE tb_other (pk_other int PRIMARY KEY, n text, m text);
INSERT INTO tb_other VALUES (1, '17', 'x');
CREATE VIEW v_other AS SELECT * FROM tb_other;
CREATE TABLE tv_other (pk_other int PRIMARY KEY, n int, m bigint);
SELECT error_of($$SELECT pg_tviews_create('other')$$);
UPDATE tb_other SET m = '18';
SELECT pg_tviews_create('other');
SELECT * FROM tv_other;

-- A table the extension makes compares as the view does, in every column.
\if :has_icu
CREATE TABLE tb_made (id text COLLATE no_case PRIMARY KEY, c text COLLATE "C", d text);
CREATE VIEW v_made AS SELECT * FROM tb_made;
SELECT pg_tviews_create('made');
SELECT attname, collname FROM pg_attribute JOIN pg_collation ON pg_collation.oid = attcollation WHERE attrelid = 'tv_made'::regclass ORDER BY attnum;
INSERT INTO tb_made VALUES ('APPLE', 'c', 'd');
CALL pg_tviews_drain();
UPDATE tb_made SET id = 'apple';
CALL pg_tviews_drain();
SELECT * FROM tv_made;
DELETE FROM tb_made;
CALL pg_tviews_drain();
SELECT count(*) FROM tv_made;
SELECT pg_tviews_drop('made');
\endif

-- A view replaced by one whose key does not fit any more: its changes wait, with the reason; the table follows, and so does the TVIEW.
CREATE TABLE tb_later (pk_later int PRIMARY KEY, n numeric);
INSERT INTO tb_later VALUES (1, 5.1), (2, 5.2);
CREATE VIEW v_later AS SELECT pk_later, n FROM tb_later;
SELECT pg_tviews_create('later');
DROP VIEW v_later;
CREATE VIEW v_later AS SELECT n AS pk_later, pk_later AS n FROM tb_later;
\set VERBOSITY terse
CALL pg_tviews_drain('later');
SELECT m.state, a.sqlstate, a.message, a.details ->> 'hint' FROM pg_tview_meta m JOIN pg_tview_meta_audit a ON a.tview_oid = m.tview_oid
 WHERE m.tview_oid = 'tv_later'::regclass ORDER BY a.audit_id DESC LIMIT 1;
ALTER TABLE tv_later ALTER COLUMN pk_later TYPE numeric;
CALL pg_tviews_drain('later');
SELECT m.state FROM pg_tview_meta m WHERE m.tview_oid = 'tv_later'::regclass;
SELECT * FROM tv_later ORDER BY 1;

SELECT pg_tviews_drop(name) FROM unnest('{other,later}'::text[]) name;
-- Types without equality, or without an order, as a new table's key and as an existing table's.
CREATE TYPE with_json AS (n int, j json);
CREATE TYPE with_xid AS (n int, x xid);
CREATE DOMAIN some_json AS json;
CREATE TABLE tb_unsuited (n int PRIMARY KEY, j json, x xml, p point, ar json[], pr with_json, "Some" some_json, i xid, px with_xid);
CREATE FUNCTION try_key(k text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT error_of(format('SELECT pg_tviews_create(%L, %L, key_columns => %L)', 'unsuited', format('SELECT %I, n FROM tb_unsuited', k), ARRAY[k])) $$;
SELECT try_key(k) FROM unnest('{j,x,p,ar,pr,Some,i,px}'::text[]) k;
CREATE VIEW v_document AS SELECT j, n FROM tb_unsuited;
CREATE TABLE tv_document (j json, n int);
SELECT error_of($$SELECT pg_tviews_create('document', key_columns => '{j}')$$);
CREATE OR REPLACE VIEW v_texts AS SELECT j::text AS j, n FROM tb_unsuited;
CREATE TABLE tv_texts (j json, n int);
SELECT error_of($$SELECT pg_tviews_create('texts', key_columns => '{j}')$$);
SELECT error_of($$SELECT pg_tviews_explain('SELECT i, n FROM tb_unsuited', key_columns => '{i}')$$);

DROP SCHEMA key_types_that_differ CASCADE;
