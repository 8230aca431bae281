-- pg_tviews_export: what it prints makes the TVIEWs again, and leaves them unchanged when it is run twice.
CREATE SCHEMA shop;
CREATE SCHEMA "Odd 'schema'";
CREATE TABLE tb_author (pk_author bigint PRIMARY KEY, name text NOT NULL, fk_newest bigint);
CREATE TABLE tb_book (pk_book bigint PRIMARY KEY, fk_author bigint REFERENCES tb_author, title text NOT NULL, price numeric);
INSERT INTO tb_author VALUES (1, 'Ada'), (2, 'Bob');
INSERT INTO tb_book SELECT n, n % 2 + 1, 'title ' || n, n FROM generate_series(1, 6) n;

-- Made by the extension; with a column, an index, a constraint and a bound of its own.
SET TimeZone = 'Europe/Paris';
SELECT pg_tviews_create('shop.author', $$SELECT a.pk_author, a.name || ' $query$' AS label, p.pk_book AS newest FROM tb_author a LEFT JOIN tb_book p ON p.pk_book = a.fk_newest$$, max_latency => '1500 us'::interval * 1000);
RESET TimeZone;
ALTER TABLE shop.tv_author ADD COLUMN seen int DEFAULT 7;
ALTER TABLE shop.tv_author ADD CONSTRAINT "seen; enough" CHECK (seen > 0);
CREATE INDEX "by label" ON shop.tv_author (lower(label));
-- A TVIEW over it, whose name sorts first.
SELECT pg_tviews_create('shop.a_book', $$SELECT b.pk_book, b.title, a.label FROM tb_book b JOIN shop.tv_author a ON a.pk_author = b.fk_author$$, key_columns => '{pk_book}');
-- The user's own table and view, with a foreign key to another tv table.
CREATE TABLE shop.tv_price (id bigint, price numeric(10, 2) DEFAULT 0, note text COLLATE "C", fk_author bigint REFERENCES shop.tv_author, twice numeric GENERATED ALWAYS AS (price * 2) STORED, PRIMARY KEY (id), UNIQUE (note)) WITH (fillfactor = 70, toast.autovacuum_enabled = off);
CREATE VIEW shop.v_price WITH (security_barrier) AS SELECT b.pk_book AS id, b.price, a.pk_author AS fk_author FROM tb_book b JOIN tb_author a ON a.pk_author = b.fk_author;
SELECT pg_tviews_create('shop.price');
UPDATE pg_tview_meta SET feed = true, throttle_lag = '90 seconds', refresh_group = 'the shop''s' WHERE entity_name = 'price';
SELECT pg_tviews_create_fresh_view('shop.price');
SELECT pg_tviews_pause('shop.price');
SELECT pg_tviews_create('"Odd ''schema''"."Odd ""name"""', $$SELECT pk_author AS "the 'key'", name FROM tb_author$$, key_columns => ARRAY['the ''key''']);
-- Declared lineage.
CREATE FUNCTION shop.label(author bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN (SELECT name FROM public.tb_author WHERE pk_author = author); END$$;
SELECT pg_tviews_create('review', $$SELECT b.pk_book AS pk_review, b.fk_author, shop.label(b.fk_author) AS label FROM tb_book b, (VALUES (1)) one$$);
UPDATE pg_tview_meta SET fk_columns = '{fk_author}' WHERE entity_name = 'review';

-- Of a table that the extension created, other storage than it gives; an entity whose name looks like that of a table.
SELECT pg_tviews_create('shop.tv_tv_unlogged', 'SELECT b.pk_book AS id, b.title FROM tb_book b JOIN tb_author a ON a.pk_author = b.fk_author');
ALTER TABLE shop.tv_tv_unlogged SET UNLOGGED;
ALTER TABLE shop.tv_tv_unlogged SET (toast.autovacuum_enabled = off, autovacuum_enabled = off, fillfactor = 70);
SELECT pg_tviews_create('shop.dense', 'SELECT b.pk_book AS id, b.title FROM tb_book b JOIN tb_author a ON a.pk_author = b.fk_author');
ALTER TABLE shop.tv_dense RESET (fillfactor);

SELECT pg_tviews_export('shop') AS script \gset
\echo :script
SELECT pg_tviews_export(NULL) LIKE '%Odd%', pg_tviews_export(NULL) LIKE '%fk_columns = ARRAY[''fk_author'']::text[] WHERE tview_oid = ''public.tv_review''%', pg_tviews_export('shop') NOT LIKE '%Odd%';

-- Run where the TVIEWs are, it writes nothing. Operators that fit better than PostgreSQL's own are not called.
CREATE FUNCTION public.not_mine(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'called'; END$$;
CREATE FUNCTION public.not_mine(oid, regclass) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'called'; END$$;
CREATE OPERATOR public.@> (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public.not_mine);
CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.not_mine);
SELECT count(*) AS audited FROM pg_tview_meta_audit \gset
SET client_min_messages = notice;
\set ECHO none
:script
\set ECHO all
RESET client_min_messages;
SELECT count(*) - :audited AS rows_in_the_audit FROM pg_tview_meta_audit;
DROP FUNCTION public.not_mine(text[], text[]), public.not_mine(oid, regclass) CASCADE;

-- Run in an empty schema, it makes them again.
CREATE TABLE before AS SELECT entity_name, key_columns, fk_columns, max_latency, state, feed, throttle_lag, refresh_group FROM pg_tview_meta;
DROP VIEW shop.fv_price;
SELECT pg_tviews_drop('shop.price'), pg_tviews_drop('shop.a_book');
DROP VIEW shop.v_price;
SELECT pg_tviews_drop('shop.author'), pg_tviews_drop('shop.tv_tv_unlogged'), pg_tviews_drop('shop.dense');
SELECT count(*) FROM pg_class WHERE relnamespace = 'shop'::regnamespace;
\set ECHO none
:script
\set ECHO all
SELECT * FROM before EXCEPT ALL SELECT entity_name, key_columns, fk_columns, max_latency, state, feed, throttle_lag, refresh_group FROM pg_tview_meta;
SELECT pg_tviews_export('shop') = :'script' AS same_script;
\d shop.tv_price
\d shop.tv_author
SELECT c.relname, c.relpersistence, c.reloptions, t.reloptions
  FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.relname IN ('tv_tv_unlogged', 'tv_dense') ORDER BY 1;
SELECT * FROM shop.fv_price ORDER BY id;
SELECT * FROM shop.tv_a_book ORDER BY 1;
SELECT pinned_settings->>'TimeZone' FROM pg_tview_definition WHERE entity_name = 'author';

-- Whole databases, and odd names.
SELECT pg_tviews_export() AS script \gset
\set ECHO none
:script
\set ECHO all
SELECT pg_tviews_export() = :'script' AS same_script;

SELECT pg_tviews_export('missing');

DROP VIEW shop.fv_price;
SELECT pg_tviews_drop('shop.price'), pg_tviews_drop('shop.a_book');
SELECT pg_tviews_drop('shop.author'), pg_tviews_drop('shop.tv_tv_unlogged'), pg_tviews_drop('shop.dense');
SELECT pg_tviews_drop('"Odd ''schema''"."Odd ""name"""');
SELECT pg_tviews_drop('review');
DROP SCHEMA shop CASCADE;
DROP SCHEMA "Odd 'schema'" CASCADE;
DROP TABLE before;

-- Made by CREATE TABLE AS, with what only that statement says.
\c -reuse-previous=on "options='-c session_preload_libraries=pg_tviews'"
CREATE SCHEMA fast;
CREATE UNLOGGED TABLE fast.tv_author WITH (fillfactor = 70, autovacuum_enabled = off) AS SELECT pk_author, name FROM tb_author;
CREATE TABLE fast.tv_book WITH (fillfactor = 100) AS SELECT pk_book, title FROM tb_book;
SELECT pg_tviews_export('fast') AS script \gset
SELECT count(*) AS audited FROM pg_tview_meta_audit \gset
\set ECHO none
:script
\set ECHO all
SELECT count(*) - :audited AS rows_in_the_audit FROM pg_tview_meta_audit;
SELECT pg_tviews_drop('fast.author'), pg_tviews_drop('fast.book');
\set ECHO none
:script
\set ECHO all
SELECT pg_tviews_export('fast') = :'script' AS same_script;
SELECT relname, relpersistence, reloptions FROM pg_class WHERE relnamespace = 'fast'::regnamespace AND relkind = 'r' ORDER BY relname;
SELECT count(*) FROM fast.tv_author, fast.tv_book;
SELECT pg_tviews_drop('fast.author'), pg_tviews_drop('fast.book');
DROP SCHEMA fast;
DROP TABLE tb_book, tb_author;
