-- DDL on tv tables, and writes of others to them.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA ddl_tv_table;
SET search_path = ddl_tv_table, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, likes int DEFAULT 0);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');
CREATE VIEW v_post AS SELECT p.pk_post, p.fk_user, p.title, p.likes, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
CREATE TABLE tv_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, title text, name text, seen boolean, updated_at timestamptz);
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();

-- Writes of others: refused, with what to do.
SELECT error_of($$INSERT INTO tv_post (pk_post) VALUES (99)$$);
SELECT error_of($$UPDATE tv_post SET title = 'x', seen = true$$);
SELECT error_of($$UPDATE tv_post SET pk_post = 0 WHERE false$$);
SELECT error_of($$DELETE FROM tv_post$$);
SELECT error_of($$INSERT INTO tv_post (pk_post) VALUES (10) ON CONFLICT DO NOTHING$$);
SELECT error_of($$MERGE INTO tv_post USING tb_post p ON p.pk_post = tv_post.pk_post WHEN MATCHED THEN UPDATE SET title = 'x'$$);
SELECT error_of($$WITH gone AS (DELETE FROM tv_post RETURNING 1) SELECT count(*) FROM gone$$);
CREATE VIEW other_name AS SELECT * FROM tv_post;
SELECT error_of($$UPDATE other_name SET title = 'x'$$);
DROP VIEW other_name;
\copy tv_post (pk_post) FROM PROGRAM 'echo 99'
-- Columns of the application are its own.
UPDATE tv_post SET seen = true, updated_at = '2001-01-01' WHERE pk_post = 10;
SELECT pk_post, seen, updated_at::date FROM tv_post ORDER BY 1;
-- Who says so may write; the row is made again when it is asked for.
BEGIN;
SET LOCAL pg_tviews.allow_table_writes = on;
DELETE FROM tv_post WHERE pk_post = 10;
UPDATE tv_post SET title = 'mine';
COMMIT;
SELECT error_of($$DELETE FROM tv_post$$);
SELECT 'differences', problem FROM pg_tviews_check('post') ORDER BY key->>'pk_post';
SELECT pg_tviews_refresh('post');
CALL pg_tviews_drain();
SELECT judge('asked for', 'post', NULL);
-- Replication and restore scripts are not kept from it.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE tv_post SET title = 'replicated';
ROLLBACK;
-- TRUNCATE: rows come back, also where it came with that of a source.
TRUNCATE tv_post;
CALL pg_tviews_drain();
SELECT judge('done', 'post', 'TRUNCATE tv_post');
BEGIN;
TRUNCATE tv_post;
INSERT INTO tb_post VALUES (12, 1, 'three');
ROLLBACK;
CALL pg_tviews_drain();
SELECT judge('rolled back', 'post', 'TRUNCATE tv_post');
TRUNCATE tb_user CASCADE;
CALL pg_tviews_drain();
SELECT judge('done', 'post', 'TRUNCATE tb_user CASCADE');
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
INSERT INTO tb_post VALUES (13, 3, 'thirteen');
CALL pg_tviews_drain();
SELECT judge('done', 'post', 'INSERT');
-- Foreign keys and triggers of the application: statements about other tables do not fail.
DELETE FROM tb_user WHERE pk_user = 3;
CALL pg_tviews_drain();
SELECT judge('done', 'post', 'ON DELETE CASCADE');
CREATE FUNCTION write_too() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE tv_post SET title = NEW.title WHERE pk_post = NEW.pk_post; RETURN NULL; END$$;
CREATE TRIGGER write_too AFTER UPDATE ON tb_post FOR EACH ROW EXECUTE FUNCTION write_too();
UPDATE tb_post SET title = 'by a trigger' WHERE pk_post = 10;
SELECT pk_post, title FROM tv_post WHERE pk_post = 10;
DROP TRIGGER write_too ON tb_post;
-- Triggers of the application on the table itself run in refreshes, and may write it.
CREATE FUNCTION touch_others() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE ddl_tv_table.tv_post SET seen = true, title = title WHERE pk_post <> NEW.pk_post AND seen IS DISTINCT FROM true; RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER touch_others AFTER UPDATE OF title ON tv_post DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_others();
UPDATE tb_post SET title = 'eleven' WHERE pk_post = 11;
CALL pg_tviews_drain();
SELECT pk_post, title, seen FROM tv_post ORDER BY 1;
DROP TRIGGER touch_others ON tv_post;
SELECT judge('done', 'post', 'triggers of the table');

CREATE FUNCTION step(change text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'BEGIN' UNION ALL SELECT change UNION ALL SELECT 'UPDATE tb_post SET title = title || ''-''' UNION ALL SELECT 'ROLLBACK'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT state(''rolled back'', %L)', change)
     UNION ALL SELECT 'BEGIN' UNION ALL SELECT change UNION ALL SELECT 'UPDATE tb_post SET title = title || ''+''' UNION ALL SELECT 'COMMIT'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT state(''done'', %L)', change)
     UNION ALL SELECT 'UPDATE tb_post SET likes = likes + 1'
     UNION ALL SELECT 'UPDATE tb_user SET name = name || ''!'''
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT 'SELECT state(''later'', ''changes of data'')'
$$;
CREATE FUNCTION state(way text, change text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN m.state <> 'active' THEN format('%s | %s | %s: %s', way, change, m.state, s.last_error)
                ELSE format('%s | %s | %s differences in %s', way, change, (SELECT same(m.view_oid, m.tview_oid)), m.tview_oid) END
      FROM pg_tview_meta m JOIN pg_tview_status s USING (tview_oid) WHERE m.view_schema LIKE 'ddl_tv_table%'
$$;
SELECT step('ALTER TABLE tv_post ADD COLUMN likes int') \gexec
SELECT error_of($$UPDATE tv_post SET likes = 0$$);
SELECT step('ALTER TABLE tv_post ADD COLUMN mine text DEFAULT ''m''') \gexec
SELECT step('ALTER TABLE tv_post DROP COLUMN name') \gexec
SELECT step('ALTER TABLE tv_post ADD COLUMN name varchar(50)') \gexec
UPDATE tv_post SET mine = 'n';
SELECT step('ALTER TABLE tv_post ALTER COLUMN title TYPE varchar(200)') \gexec
SELECT step('ALTER TABLE tv_post RENAME COLUMN likes TO hearts') \gexec
UPDATE tv_post SET hearts = 0;
SELECT step('ALTER TABLE tv_post DROP CONSTRAINT tv_post_pkey, ADD PRIMARY KEY (pk_post, title)') \gexec
SELECT step('ALTER TABLE tv_post DROP CONSTRAINT tv_post_pkey, ADD PRIMARY KEY (pk_post)') \gexec
SELECT step('ALTER TABLE tv_post RENAME COLUMN pk_post TO nr') \gexec
SELECT step('ALTER TABLE tv_post RENAME COLUMN nr TO pk_post') \gexec
SELECT step('ALTER TABLE tv_post RENAME TO tv_article') \gexec
SELECT pg_tviews_refresh('article');
CALL pg_tviews_drain('article');
SELECT error_of($$DELETE FROM tv_article$$);
CREATE SCHEMA ddl_tv_table_2;
SELECT step('ALTER TABLE tv_article SET SCHEMA ddl_tv_table_2') \gexec
SELECT pg_tviews_pause('ddl_tv_table_2.article'), pg_tviews_resume('ddl_tv_table_2.article');
SELECT step('ALTER TABLE ddl_tv_table_2.tv_article ENABLE ROW LEVEL SECURITY') \gexec
DROP ROLE IF EXISTS regress_ddl_tv_table;
CREATE ROLE regress_ddl_tv_table;
GRANT SELECT ON v_post TO regress_ddl_tv_table;
GRANT USAGE ON SCHEMA ddl_tv_table TO regress_ddl_tv_table;
GRANT USAGE, CREATE ON SCHEMA ddl_tv_table_2 TO regress_ddl_tv_table;
SELECT step('ALTER TABLE ddl_tv_table_2.tv_article OWNER TO regress_ddl_tv_table') \gexec
SELECT step('ALTER TABLE ddl_tv_table_2.tv_article FORCE ROW LEVEL SECURITY') \gexec
SELECT step('ALTER TABLE ddl_tv_table_2.tv_article NO FORCE ROW LEVEL SECURITY') \gexec
DROP OWNED BY regress_ddl_tv_table;
DROP ROLE regress_ddl_tv_table;
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_meta WHERE view_schema = 'ddl_tv_table';
-- A table that is kept is the application's again.
SELECT pg_tviews_create('post');
SELECT pg_tviews_drop('post', keep_table => true);
DELETE FROM tv_post WHERE pk_post = 10;
SELECT count(*), (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'tv_post'::regclass) FROM tv_post;

DROP SCHEMA ddl_tv_table_2 CASCADE;
DROP SCHEMA ddl_tv_table CASCADE;
