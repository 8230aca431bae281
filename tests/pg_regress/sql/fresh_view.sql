-- Fresh views: pg_tviews_create_fresh_view, and what fv_ shows while changes are pending. Nothing is refreshed meanwhile.
CREATE SCHEMA fresh;
SET search_path = fresh, public;
CREATE TABLE tb_author (pk_author int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_book (pk_book int PRIMARY KEY, fk_author int REFERENCES tb_author, title text NOT NULL, at timestamptz);
INSERT INTO tb_author SELECT i, 'author ' || i FROM generate_series(1, 4) i;
INSERT INTO tb_book SELECT i, 1 + i % 4, 'book ' || i, '2024-01-01 12:00:00+00'::timestamptz + i * interval '1 day' FROM generate_series(1, 40) i;
SELECT pg_tviews_create('book', $$
    SELECT b.pk_book, b.fk_author, jsonb_build_object('title', b.title, 'author', a.name) AS data
      FROM tb_book b JOIN tb_author a ON a.pk_author = b.fk_author $$);

-- Refused.
\set VERBOSITY default
SELECT pg_tviews_create_fresh_view(NULL);
SELECT pg_tviews_create_fresh_view('no_such');
CREATE VIEW fv_book AS SELECT 1 AS mine;
SELECT pg_tviews_create_fresh_view('book');
DROP VIEW fv_book;
BEGIN READ ONLY;
SELECT pg_tviews_create_fresh_view('book');
ROLLBACK;
CREATE ROLE fresh_stranger;
GRANT USAGE, CREATE ON SCHEMA fresh TO fresh_stranger;
SET ROLE fresh_stranger;
SELECT pg_tviews_create_fresh_view('book');
RESET ROLE;
ALTER TABLE tv_book ENABLE ROW LEVEL SECURITY;
SELECT pg_tviews_create_fresh_view('book');
ALTER TABLE tv_book DISABLE ROW LEVEL SECURITY;

\set VERBOSITY terse
-- Created: the columns of the table, and its grants.
CREATE ROLE fresh_reader;
CREATE ROLE fresh_part;
GRANT SELECT ON tv_book TO fresh_reader;
GRANT SELECT (pk_book) ON tv_book TO fresh_part;
SELECT pg_tviews_create_fresh_view('book');
SELECT pg_tviews_create_fresh_view('tv_book');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'fv_book'::regclass ORDER BY attnum;
SELECT has_table_privilege('fresh_reader', 'fv_book', 'SELECT') AS reader, has_table_privilege('fresh_stranger', 'fv_book', 'SELECT') AS stranger,
       has_column_privilege('fresh_part', 'fv_book', 'pk_book', 'SELECT') AS part, has_column_privilege('fresh_part', 'fv_book', 'data', 'SELECT') AS no_part;
ALTER TABLE tv_book ENABLE ROW LEVEL SECURITY;

-- The rows in which a fresh view differs from its view, in one statement.
CREATE FUNCTION differs(entity text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM differences(('v_' || entity)::regclass, ('fv_' || entity)::regclass)
$$;
UPDATE tb_author SET name = 'Ada' WHERE pk_author = 2;
DELETE FROM tb_book WHERE pk_book = 3;
INSERT INTO tb_book VALUES (100, 1, 'new', now());
SELECT count(*) FILTER (WHERE data->>'author' = 'Ada') FROM tv_book;
SELECT count(*) FILTER (WHERE data->>'author' = 'Ada'), count(*), min(pk_book), max(pk_book) FROM fv_book;
SELECT differs('book');
SELECT pk_book, data FROM fv_book WHERE pk_book IN (3, 4, 5, 100) ORDER BY pk_book;
SELECT pk_book FROM fv_book WHERE fk_author = 1 ORDER BY pk_book DESC LIMIT 2;

-- Conditions reach both sides.
CREATE FUNCTION planned(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line ~ 'One-Time Filter|Index Cond: \(pk_book = 5|Index Cond: \(pk_book = ANY \(pg_tviews' THEN
            RETURN NEXT trim(line);
        END IF;
    END LOOP;
END$$;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT planned('SELECT data FROM fv_book WHERE pk_book = 5');
SELECT planned('SELECT data FROM fv_book');
RESET enable_seqscan;
RESET enable_bitmapscan;

-- Changes of the own transaction, and savepoints.
BEGIN;
UPDATE tb_author SET name = 'mine' WHERE pk_author = 3;
SELECT differs('book');
SAVEPOINT s;
DELETE FROM tb_book WHERE pk_book < 10;
SELECT differs('book'), count(*) FROM fv_book;
ROLLBACK TO s;
SELECT differs('book'), count(*) FROM fv_book;
SELECT count(*) FROM tv_book WHERE data->>'author' = 'mine';
SELECT differs('book'), count(*) FILTER (WHERE data->>'author' = 'mine') FROM fv_book;
TRUNCATE tb_book;
SELECT differs('book'), count(*) FROM fv_book;
ROLLBACK;
-- A statement does not see what it does itself.
WITH changed AS (UPDATE tb_author SET name = 'late' WHERE pk_author = 4 RETURNING 1)
SELECT (SELECT count(*) FROM changed), count(*) FILTER (WHERE data->>'author' = 'late') FROM fv_book;
SELECT count(*) FILTER (WHERE data->>'author' = 'late') FROM fv_book;
CREATE FUNCTION books(author text) RETURNS bigint LANGUAGE sql STABLE AS $$SELECT count(*) FROM fv_book WHERE data->>'author' = author$$;
SELECT books('late'), books('Ada');
INSERT INTO tb_book SELECT 200 + pk_book, fk_author, 'copied', at FROM tb_book WHERE pk_book IN (SELECT pk_book FROM fv_book WHERE pk_book < 3);
SELECT differs('book'), count(*) FROM fv_book;
-- A trigger that fires before the change of its row is captured.
CREATE TABLE log (seen int, differs int);
CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO log SELECT count(*) FILTER (WHERE data->>'title' = 'seen'), differs('book') FROM fv_book;
    RETURN NULL;
END$$;
CREATE TRIGGER a_row AFTER UPDATE ON tb_book FOR EACH ROW EXECUTE FUNCTION seen();
UPDATE tb_book SET title = 'seen' WHERE pk_book IN (10, 11);
SELECT * FROM log;
DROP TRIGGER a_row ON tb_book;
CREATE FUNCTION half_done() RETURNS text LANGUAGE plpgsql VOLATILE AS $$BEGIN RETURN 'differs ' || differs('book'); END$$;
UPDATE tb_book SET title = half_done() WHERE pk_book IN (20, 21, 22);
SELECT pk_book, title FROM tb_book WHERE pk_book IN (20, 21, 22) ORDER BY 1;
CALL pg_tviews_drain();
SELECT differs('book'), count(*) FROM fv_book;

-- Columns that only the table has, generated columns, other types, keys of several columns.
CREATE TABLE tb_line (order_no varchar(10), line int, text varchar(20) NOT NULL, PRIMARY KEY (order_no, line));
INSERT INTO tb_line SELECT 'o' || i, j, 'line ' || i || '.' || j FROM generate_series(1, 5) i, generate_series(1, 3) j;
CREATE VIEW v_line AS SELECT order_no, line, text COLLATE "C" AS text FROM tb_line;
CREATE TABLE tv_line (note text DEFAULT 'of the table', order_no text, line bigint, text text, upper_text text GENERATED ALWAYS AS (upper(text)) STORED,
    updated_at timestamptz DEFAULT now(), PRIMARY KEY (order_no, line));
SELECT pg_tviews_create('line', key_columns => '{order_no,line}');
SELECT pg_tviews_create_fresh_view('line');
SELECT pg_tviews_pause('line');
UPDATE tb_line SET text = 'changed' WHERE order_no = 'o2' AND line = 2;
INSERT INTO tb_line VALUES ('o9', 1, 'added');
DELETE FROM tb_line WHERE order_no = 'o1' AND line = 1;
SELECT note, order_no, line, text, upper_text, updated_at IS NOT NULL AS has_time FROM fv_line WHERE order_no IN ('o1', 'o2', 'o9') ORDER BY 2, 3;
SELECT count(*) FROM (SELECT order_no, line, text FROM fv_line EXCEPT ALL SELECT order_no, line, text FROM v_line) d;
SELECT order_no, line, text FROM fv_line WHERE order_no = 'o2' AND line = 2;
SELECT order_no FROM fv_line WHERE upper_text = 'ADDED';

-- Keys that are equal and not identical.
CREATE TABLE tb_price (pk_price numeric PRIMARY KEY, n int);
INSERT INTO tb_price SELECT i, i FROM generate_series(1, 30) i;
SELECT pg_tviews_create('price', 'SELECT pk_price, n FROM tb_price');
SELECT pg_tviews_create_fresh_view('price');
SELECT pg_tviews_pause('price');
UPDATE tb_price SET pk_price = (pk_price::text || '.00')::numeric, n = -n WHERE pk_price < 20;
SELECT differs('price'), count(*) FROM fv_price;
SELECT * FROM fv_price WHERE pk_price = 7;

-- A setting of the reader that values depend on: all rows are the view's.
SET TimeZone = 'UTC';
CREATE TABLE tb_time (pk_time int PRIMARY KEY, at timestamptz);
INSERT INTO tb_time SELECT i, '2024-01-01 12:00:00+00'::timestamptz FROM generate_series(1, 20) i;
SELECT pg_tviews_create('time', 'SELECT pk_time, at::text AS at FROM tb_time');
SELECT pg_tviews_create_fresh_view('time');
SELECT at FROM fv_time WHERE pk_time = 1;
SET TimeZone = 'Asia/Tokyo';
SELECT at FROM fv_time WHERE pk_time = 1;
SELECT differs('time');
RESET TimeZone;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL TimeZone = 'UTC';
SELECT count(*) FROM fv_time WHERE at LIKE '%UTC';
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT count(*) FROM fv_time WHERE at LIKE '%JST';
COMMIT;

-- Rows that have no place in the table.
CREATE TABLE tb_null (pk_null int, n int);
INSERT INTO tb_null VALUES (1, 1), (3, 3);
SELECT pg_tviews_create('null', 'SELECT pk_null, n FROM tb_null', key_columns => '{pk_null}');
SELECT pg_tviews_create_fresh_view('null');
INSERT INTO tb_null VALUES (NULL, 2), (NULL, 2), (4, 4), (4, 5);
SELECT differs('null'), count(*) FROM fv_null;
CALL pg_tviews_drain('null');
SELECT count(*) FROM tv_null;
SELECT differs('null'), count(*) FROM fv_null;
SELECT n FROM fv_null WHERE pk_null = 4 ORDER BY n;

-- TVIEWs that read others.
SELECT pg_tviews_create('shelf', 'SELECT b.fk_author AS pk_shelf, count(*) AS books, max(b.data->>''author'') AS author FROM tv_book b GROUP BY b.fk_author');
SELECT pg_tviews_create_fresh_view('shelf');
SELECT pg_tviews_create('both', 'SELECT pk_shelf AS pk_both, books FROM tv_shelf');
SELECT pg_tviews_create_fresh_view('both');
SELECT pg_tviews_drop('both');
\set VERBOSITY default
SELECT pg_tviews_create('lower', 'SELECT pk_author AS pk_lower, name FROM tb_author');
SELECT pg_tviews_create('upper', 'SELECT pk_lower AS pk_upper, name FROM tv_lower');
SELECT pg_tviews_create_fresh_view('upper');
SELECT pg_tviews_create('higher', 'SELECT pk_price AS pk_higher, n FROM fv_price');
\set VERBOSITY terse
CALL pg_tviews_drain('shelf');
SELECT pg_tviews_pause('book');
UPDATE tb_author SET name = 'below' WHERE pk_author = 1;
INSERT INTO tb_book VALUES (300, 1, 'below', now());
SELECT books, author FROM tv_shelf WHERE pk_shelf = 1;
SELECT books, author FROM fv_shelf WHERE pk_shelf = 1;
SELECT count(*) FROM (SELECT * FROM fv_shelf EXCEPT ALL SELECT fk_author, count(*), max(data->>'author') FROM v_book GROUP BY 1) d;
-- Copies of the queries above other TVIEWs.
CREATE OR REPLACE VIEW v_shelf AS SELECT b.fk_author AS pk_shelf, count(*) + 100 AS books, max(b.data->>'author') AS author FROM tv_book b GROUP BY b.fk_author;
\set VERBOSITY default
SELECT books FROM fv_shelf WHERE pk_shelf = 1;
\set VERBOSITY terse
SELECT pg_tviews_create_fresh_view('shelf');
SELECT books FROM fv_shelf WHERE pk_shelf = 1;
SELECT pg_tviews_resume('book');
SELECT pg_tviews_drop('shelf');

SET client_min_messages = notice;
-- Redefined: replaced, or created again.
SELECT pg_tviews_create('book', $$
    SELECT b.pk_book, b.fk_author, jsonb_build_object('title', b.title) AS data, b.title FROM tb_book b $$);
SELECT attname FROM pg_attribute WHERE attrelid = 'fv_book'::regclass ORDER BY attnum;
SELECT differs('book'), count(*) FROM fv_book;
SELECT pg_tviews_create('book', 'SELECT pk_book, title FROM tb_book');
SELECT attname FROM pg_attribute WHERE attrelid = 'fv_book'::regclass ORDER BY attnum;
SELECT has_table_privilege('fresh_reader', 'fv_book', 'SELECT');
SELECT differs('book'), count(*) FROM fv_book;
CREATE OR REPLACE VIEW v_book AS SELECT pk_book, upper(title) AS title FROM tb_book;
SELECT differs('book'), count(*) FROM fv_book;

SET client_min_messages = warning;
-- Dropped with the TVIEW.
DROP TABLE tv_book;
SELECT pg_tviews_drop('book');
SELECT to_regclass('fv_book');
SELECT pg_tviews_drop('line', keep_table => true);
SELECT to_regclass('fv_line'), to_regclass('tv_line');

-- Keys that are compared after a cast; pending changes beside DDL of the same transaction.
CREATE TABLE tb_word (pk_word varchar, part varchar(5), n int, PRIMARY KEY (pk_word, part));
CREATE TABLE tb_net (pk_net cidr PRIMARY KEY, n int);
INSERT INTO tb_word VALUES ('x', 'a', 1), ('y', 'b', 2);
INSERT INTO tb_net VALUES ('10.0.0.0/8', 1), ('10.1.0.0/16', 2);
SELECT pg_tviews_create('word', 'SELECT pk_word, part, n FROM tb_word', key_columns => '{pk_word,part}'), pg_tviews_create('net', 'SELECT pk_net, n FROM tb_net');
CALL pg_tviews_drain();
SELECT pg_tviews_create_fresh_view('word'), pg_tviews_create_fresh_view('net');
UPDATE tb_word SET n = n + 10; UPDATE tb_net SET n = n + 10;
SELECT * FROM fv_word ORDER BY 1;
SELECT * FROM fv_net ORDER BY 1;
SELECT n FROM fv_word WHERE pk_word = 'x' AND part = 'a';
SELECT n FROM fv_net WHERE pk_net::text = '10.0.0.0/8';
BEGIN; ALTER TABLE tb_word ADD COLUMN more int; SELECT * FROM fv_word ORDER BY 1; ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT differs('word'), sum(n) FROM fv_word; COMMIT;
-- TVIEWs over TVIEWs, too many.
SELECT pg_tviews_create('z0', 'SELECT pk_net AS pk_z0, n FROM tb_net') IS NOT NULL AS z0, pg_tviews_create_fresh_view('z0') IS NOT NULL AS fresh;
DO $$BEGIN
    FOR i IN 1 .. 4 LOOP
        PERFORM pg_tviews_create('z' || i, format('SELECT pk_z%s AS pk_z%s, n FROM tv_z%1$s', i - 1, i));
        CALL pg_tviews_drain();
        PERFORM pg_tviews_create_fresh_view('z' || i);
    END LOOP;
END$$;
SELECT pg_tviews_create('z5', 'SELECT pk_z4 AS pk_z5, n FROM tv_z4');
CALL pg_tviews_drain();
SELECT count(*) FROM fv_z4;
\set VERBOSITY default
SELECT pg_tviews_create_fresh_view('z5');
\set VERBOSITY terse

-- Not for calls by hand.
SELECT pg_tviews_behind('tv_price', 'text'::text);
SELECT pg_tviews_behind('tv_price', VARIADIC ARRAY[1]);
SELECT pg_tviews_behind('tb_price', 1);
DROP OWNED BY fresh_stranger, fresh_reader, fresh_part;
DROP ROLE fresh_stranger, fresh_reader, fresh_part;
DROP SCHEMA fresh CASCADE;
CALL pg_tviews_drain();
