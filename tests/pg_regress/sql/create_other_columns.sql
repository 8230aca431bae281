-- A redefinition whose view has other columns: the table gets them if the extension made it, else a NOTICE has what to type.
SET client_min_messages = notice;
\set VERBOSITY default
CREATE SCHEMA create_other_columns;
SET search_path = create_other_columns, public;

CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int, name text);
INSERT INTO tb_item VALUES (1, 10, 'one'), (2, 20, 'two');
SELECT pg_tviews_create('item', 'SELECT pk_item, n, name FROM tb_item');
-- One more, one less, another type, which may be one that the old values do not cast to.
SELECT pg_tviews_create('item', 'SELECT pk_item, n::bigint AS n, name, upper(name) AS shout FROM tb_item');
SELECT pg_tviews_create('item', $$SELECT pk_item, jsonb_build_object('n', n) AS n, upper(name) AS shout FROM tb_item$$);
CALL pg_tviews_drain();
TABLE tv_item ORDER BY pk_item;
UPDATE tb_item SET n = 11, name = 'uno' WHERE pk_item = 1;
CALL pg_tviews_drain();
TABLE tv_item ORDER BY pk_item;
-- The same query, and the same with other words, are no redefinition with another.
SELECT pg_tviews_create('item', $$select tb_item.pk_item, jsonb_build_object('n', n) n, upper(name) shout from create_other_columns.tb_item;$$);
-- Columns of the application stay; what others depend on stays, too.
ALTER TABLE tv_item ADD COLUMN note text DEFAULT 'mine';
CREATE VIEW reader AS SELECT pk_item, shout, n FROM tv_item;
SELECT pg_tviews_create('item', 'SELECT pk_item, to_jsonb(n) AS n FROM tb_item');
TABLE tv_item ORDER BY pk_item;
SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item');
DROP VIEW reader;
ALTER TABLE create_other_columns.tv_item DROP COLUMN shout;
-- Another key, of another type.
SELECT pg_tviews_create('item', $$SELECT pk_item::bigint AS pk_item, 'x' AS "Odd ""name" FROM tb_item$$);
SELECT pg_tviews_create('item', 'SELECT pk_item::text AS code, n FROM tb_item', key_columns => '{code}');
CALL pg_tviews_drain();
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'tv_item'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname;
SELECT same('v_item', 'tv_item');

-- A table of the application.
CREATE TABLE tv_own (pk_own int PRIMARY KEY, n int, name text);
SELECT pg_tviews_create('own', 'SELECT pk_item AS pk_own, n, name FROM tb_item');
SELECT pg_tviews_create('own', 'SELECT pk_item AS pk_own, n::bigint AS n, upper(name) AS shout FROM tb_item');
TABLE tv_own ORDER BY pk_own;
ALTER TABLE create_other_columns.tv_own ADD COLUMN shout text;
ALTER TABLE create_other_columns.tv_own DROP COLUMN name;
ALTER TABLE create_other_columns.tv_own ALTER COLUMN n TYPE bigint USING n::bigint;
SELECT pg_tviews_create('own');
SELECT same('v_own', 'tv_own');
-- What is in the document that is built for it needs no column.
CREATE TABLE tv_doc (pk_doc int PRIMARY KEY, data jsonb);
SELECT pg_tviews_create('doc', 'SELECT pk_item AS pk_doc, n FROM tb_item');
SELECT pg_tviews_create('doc', 'SELECT pk_item AS pk_doc, n, name FROM tb_item');
TABLE tv_doc ORDER BY pk_doc;

-- Whoever keeps a table that the extension made owns it from then on.
SELECT pg_tviews_drop('own', keep_table => true);
SELECT pg_tviews_create('kept', 'SELECT pk_item AS pk_kept, n FROM tb_item');
SELECT pg_tviews_drop('kept', keep_table => true);
SELECT pg_tviews_create('kept', 'SELECT pk_item AS pk_kept, n FROM tb_item');
SELECT pg_tviews_create('kept', 'SELECT pk_item AS pk_kept, n, name FROM tb_item');

SET client_min_messages = warning;
DROP SCHEMA create_other_columns CASCADE;
