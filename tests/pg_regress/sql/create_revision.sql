-- revision, if it is bigint and the view does not have it, counts the changes of a row, and never goes back for a key.
SET client_min_messages = warning;
CREATE SCHEMA create_revision;
SET search_path = create_revision, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text, hidden text);
INSERT INTO tb_post VALUES (1, 'one', 'x'), (2, 'two', 'x');
CREATE TABLE tv_post (pk_post int PRIMARY KEY, title text, revision bigint NOT NULL DEFAULT 0, updated_at timestamptz);
SELECT pg_tviews_create('post', 'SELECT pk_post, upper(title) AS title FROM tb_post');
CALL pg_tviews_drain();
CREATE VIEW seen AS SELECT pk_post, title, revision FROM tv_post ORDER BY 1;
CREATE VIEW kept AS SELECT max(revision) FROM pg_tview_revision WHERE tview_oid IN ('tv_post'::regclass);
\pset format unaligned
\pset tuples_only on
-- A new row begins with 1.
TABLE seen;
-- Each real change counts, once for each refresh.
UPDATE tb_post SET title = 'uno' WHERE pk_post = 1;
CALL pg_tviews_drain();
UPDATE tb_post SET title = 'a' WHERE pk_post = 1; UPDATE tb_post SET title = 'b' WHERE pk_post = 1;
CALL pg_tviews_drain();
TABLE seen;
-- What leaves the row as it is does not: other columns, equal content, a comparison of all rows, a redefinition.
UPDATE tb_post SET title = 'B' WHERE pk_post = 1;
UPDATE tb_post SET title = title, hidden = 'y';
CALL pg_tviews_drain();
SELECT pg_tviews_refresh('post');
CALL pg_tviews_drain();
SELECT pg_tviews_create('post', 'SELECT pk_post, upper(title) AS title FROM tb_post WHERE true');
CALL pg_tviews_drain();
TABLE seen;
-- A redefinition that changes rows.
SELECT pg_tviews_create('post', $$SELECT pk_post, upper(title) || CASE pk_post WHEN 1 THEN '!' ELSE '' END AS title FROM tb_post$$);
CALL pg_tviews_drain();
TABLE seen;
-- Changes that a transaction sees of its own count as often as it reads them.
BEGIN;
UPDATE tb_post SET title = 'c' WHERE pk_post = 1;
TABLE seen;
UPDATE tb_post SET title = 'd' WHERE pk_post = 1;
TABLE seen;
SAVEPOINT s;
UPDATE tb_post SET title = 'e' WHERE pk_post = 1;
TABLE seen;
ROLLBACK TO s;
TABLE seen;
COMMIT;
CALL pg_tviews_drain();
TABLE seen;
-- No row was deleted so far.
TABLE kept;
INSERT INTO tb_post VALUES (3, 'three', '');
CALL pg_tviews_drain();
TABLE seen;
-- A key that comes again does not begin again; nor do other new rows.
DELETE FROM tb_post WHERE pk_post = 1;
CALL pg_tviews_drain();
TABLE kept;
DELETE FROM tb_post WHERE pk_post = 3;
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_revision WHERE tview_oid = 'tv_post'::regclass;
INSERT INTO tb_post VALUES (1, 'one', ''), (4, 'four', '');
CALL pg_tviews_drain();
TABLE seen;
-- The same in one transaction, and what is rolled back is not kept.
BEGIN;
DELETE FROM tb_post WHERE pk_post = 1;
TABLE seen;
INSERT INTO tb_post VALUES (1, 'again', '');
TABLE seen;
ROLLBACK;
TABLE kept;
BEGIN;
DELETE FROM tb_post WHERE pk_post = 1;
TABLE seen;
INSERT INTO tb_post VALUES (1, 'again', '');
COMMIT;
CALL pg_tviews_drain();
TABLE seen;
-- TRUNCATE, and filling the empty table again.
TRUNCATE tb_post;
CALL pg_tviews_drain();
TABLE kept;
INSERT INTO tb_post VALUES (1, 'one', ''), (2, 'two', ''), (3, 'three', '');
SELECT pg_tviews_refresh('post');
CALL pg_tviews_drain();
TABLE seen;
-- With the feed, keys are returned as well.
UPDATE pg_tview_meta SET feed = true WHERE entity_name = 'post' AND view_schema = 'create_revision';
DELETE FROM tb_post WHERE pk_post = 3; UPDATE tb_post SET title = 'zwei' WHERE pk_post = 2;
CALL pg_tviews_drain();
INSERT INTO tb_post VALUES (3, 'drei', '');
CALL pg_tviews_drain();
TABLE seen;
SELECT operation, keys FROM pg_tview_change WHERE tview_oid = 'tv_post'::regclass AND keys IS NOT NULL ORDER BY change_id;
TRUNCATE tb_post;
CALL pg_tviews_drain();
INSERT INTO tb_post VALUES (1, 'one', ''), (2, 'two', '');
SELECT pg_tviews_refresh('post');
CALL pg_tviews_drain();
TABLE seen;
-- A row that had no revision yet; the column is dropped, renamed and added.
UPDATE tb_post SET title = 'x' WHERE pk_post = 1;
ALTER TABLE tv_post ALTER COLUMN revision DROP NOT NULL;
UPDATE tv_post SET revision = NULL;
CALL pg_tviews_drain();
TABLE seen;
ALTER TABLE tv_post RENAME COLUMN revision TO version;
UPDATE tb_post SET title = 'y';
CALL pg_tviews_drain();
TABLE seen;
ALTER TABLE tv_post RENAME COLUMN version TO revision;
UPDATE tb_post SET title = 'z';
CALL pg_tviews_drain();
TABLE seen;
DROP VIEW seen;
ALTER TABLE tv_post DROP COLUMN revision;
UPDATE tb_post SET title = 'w';
INSERT INTO tb_post VALUES (5, 'five', '');
CALL pg_tviews_drain();
ALTER TABLE tv_post ADD COLUMN revision bigint;
UPDATE tb_post SET title = 'v' WHERE pk_post = 1;
CALL pg_tviews_drain();
SELECT pk_post, title, revision FROM tv_post ORDER BY 1;
-- Other key columns.
ALTER TABLE tv_post ADD COLUMN pk_double int;
SELECT pg_tviews_create('post', 'SELECT pk_post, 2 * pk_post AS pk_double, title FROM tb_post', key_columns => '{pk_double}');
CALL pg_tviews_drain();
SELECT pk_post, pk_double, title, revision FROM tv_post ORDER BY 1;
-- The owner needs no rights on other objects than before; others may not write what is kept.
CREATE ROLE revision_owner;
GRANT USAGE, CREATE ON SCHEMA create_revision TO revision_owner;
GRANT SELECT, TRIGGER ON tb_post TO revision_owner;
SET ROLE revision_owner;
CREATE TABLE tv_owned (pk_post int PRIMARY KEY, title text, revision bigint);
SELECT pg_tviews_create('owned', 'SELECT pk_post, title FROM tb_post', key_columns => '{pk_post}');
SELECT error_of($$DELETE FROM pg_tview_revision$$);
SELECT error_of($$INSERT INTO pg_tview_revision VALUES ('tv_owned', 1000)$$);
RESET ROLE;
CALL pg_tviews_drain();
DELETE FROM tb_post WHERE pk_post = 1;
CALL pg_tviews_drain();
INSERT INTO tb_post VALUES (1, 'one', '');
CALL pg_tviews_drain();
SELECT pk_post, title, revision FROM tv_owned ORDER BY 1;
-- Columns of other types, generated ones, and those that the view has are left alone.
CREATE DOMAIN counter AS bigint;
CREATE TABLE tv_int (pk_post int PRIMARY KEY, title text, revision int DEFAULT 7);
CREATE TABLE tv_numeric (pk_post int PRIMARY KEY, title text, revision numeric DEFAULT 7);
CREATE TABLE tv_domain (pk_post int PRIMARY KEY, title text, revision counter DEFAULT 7);
CREATE TABLE tv_generated (pk_post int PRIMARY KEY, title text, revision bigint GENERATED ALWAYS AS (length(title)) STORED);
CREATE TABLE tv_identity (pk_post int PRIMARY KEY, title text, revision bigint GENERATED ALWAYS AS IDENTITY);
SELECT count(pg_tviews_create(name, 'SELECT pk_post, title FROM tb_post', key_columns => '{pk_post}')) FROM unnest('{int,numeric,domain,generated,identity}'::text[]) AS name;
CREATE TABLE tv_own (pk_post int PRIMARY KEY, title text, revision bigint);
SELECT pg_tviews_create('own', 'SELECT pk_post, title, 5::bigint AS revision FROM tb_post', key_columns => '{pk_post}');
CALL pg_tviews_drain();
UPDATE tb_post SET title = 'uno' WHERE pk_post = 1;
CALL pg_tviews_drain();
SELECT i.title, i.revision, n.revision, d.revision, g.revision, y.revision > 0, o.revision
  FROM tv_int i JOIN tv_numeric n USING (pk_post) JOIN tv_domain d USING (pk_post) JOIN tv_generated g USING (pk_post) JOIN tv_identity y USING (pk_post) JOIN tv_own o USING (pk_post)
 WHERE pk_post = 1;
SELECT count(*) FROM pg_tview_revision WHERE tview_oid IN ('tv_int'::regclass, 'tv_numeric'::regclass, 'tv_own'::regclass);

DROP SCHEMA create_revision CASCADE;
DROP ROLE revision_owner;
