-- DDL on sources that no row trigger sees: with data in the same transaction, rolled back, and by itself.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA ddl_sources;
SET search_path = ddl_sources, public;

CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE place AS (street text, city text);
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, mood mood DEFAULT 'ok', home place, spare int);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user, title text);
INSERT INTO tb_user VALUES (1, 'Ann', 'ok', '("High Street",Ely)'), (2, 'Bob', 'sad', NULL);
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');
CREATE VIEW v_user AS SELECT pk_user, to_jsonb(u) AS data FROM tb_user u;
CREATE VIEW v_post AS SELECT p.pk_post, p.title, u.name, vu.data AS author FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user JOIN v_user vu USING (pk_user);
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
-- Each change: rolled back, then for good, each time with data, then with data of a later transaction.
CREATE FUNCTION step(change text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'BEGIN' UNION ALL SELECT change UNION ALL SELECT 'UPDATE tb_user SET name = name || ''-''' UNION ALL SELECT 'ROLLBACK'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT judge(''rolled back'', ''user,post'', %L)', change)
     UNION ALL SELECT 'BEGIN' UNION ALL SELECT change UNION ALL SELECT 'UPDATE tb_user SET name = name || ''+''' UNION ALL SELECT 'COMMIT'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT judge(''done'', ''user,post'', %L)', change)
     UNION ALL SELECT 'UPDATE tb_user SET name = name || ''!'' WHERE pk_user = 2'
     UNION ALL SELECT 'UPDATE tb_post SET title = title || ''!'''
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT 'SELECT judge(''later'', ''user,post'', NULL)'
$$;
SELECT step('ALTER TABLE tb_user ADD COLUMN more text DEFAULT ''x''') \gexec
SELECT step('ALTER TABLE tb_user RENAME COLUMN more TO extra') \gexec
SELECT step('ALTER TABLE tb_user ALTER COLUMN spare TYPE text USING ''n'' || pk_user') \gexec
SELECT step('ALTER TABLE tb_user DROP COLUMN extra') \gexec
SELECT step('ALTER TYPE mood RENAME VALUE ''ok'' TO ''fine''') \gexec
SELECT step('ALTER TYPE mood RENAME TO humour') \gexec
SELECT step('ALTER TYPE place RENAME ATTRIBUTE city TO town') \gexec
SELECT step('ALTER TABLE tb_user RENAME TO tb_person; UPDATE tb_person SET name = name || ''*''; ALTER TABLE tb_person RENAME TO tb_user') \gexec
SELECT step('ALTER TABLE tb_user DISABLE TRIGGER ALL') \gexec
SELECT step('ALTER TABLE tb_user DISABLE TRIGGER pg_tviews_capture') \gexec
SELECT step('ALTER TABLE tb_user ENABLE REPLICA TRIGGER pg_tviews_capture') \gexec
SELECT step('ALTER TABLE tb_user ENABLE TRIGGER ALL') \gexec
SELECT step('DROP TRIGGER pg_tviews_capture ON tb_user') \gexec
SELECT step('DROP TRIGGER pg_tviews_capture_truncate ON tb_post') \gexec
SELECT step('TRUNCATE tb_post CASCADE') \gexec
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');
SELECT step('ALTER SCHEMA ddl_sources RENAME TO ddl_sources_2; SET LOCAL search_path = ddl_sources_2, public; UPDATE tb_user SET name = name || ''*''; ALTER SCHEMA ddl_sources_2 RENAME TO ddl_sources; SET LOCAL search_path = ddl_sources, public') \gexec
SELECT error_of('ALTER TRIGGER pg_tviews_capture ON tb_user RENAME TO mine');
SELECT error_of('ALTER TABLE tb_user DROP COLUMN name');
SELECT error_of('ALTER TABLE tb_user ALTER COLUMN name TYPE varchar(9)');
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgrelid IN ('tb_user'::regclass, 'tb_post'::regclass) AND tgname LIKE 'pg_tviews%' ORDER BY 1, 2;

-- The triggers a partition got from above, and its own.
CREATE TABLE tb_sale (pk_sale int, region text, n int, PRIMARY KEY (pk_sale, region)) PARTITION BY LIST (region);
CREATE TABLE tb_sale_north PARTITION OF tb_sale FOR VALUES IN ('north');
INSERT INTO tb_sale VALUES (1, 'north', 1), (2, 'north', 2);
CREATE VIEW v_sale AS SELECT pk_sale, n FROM tb_sale;
SELECT pg_tviews_create('sale', key_columns => '{pk_sale}');
ALTER TABLE tb_sale_north DISABLE TRIGGER ALL;
UPDATE tb_sale SET n = 10;
CALL pg_tviews_drain();
SELECT judge('partition', 'sale', 'DISABLE TRIGGER ALL');
ALTER TABLE tb_sale DISABLE TRIGGER USER;
UPDATE tb_sale_north SET n = 11;
CALL pg_tviews_drain();
SELECT judge('partition', 'sale', 'DISABLE TRIGGER USER of the table above');
DROP TRIGGER pg_tviews_capture_truncate ON tb_sale_north;
TRUNCATE tb_sale_north;
CALL pg_tviews_drain();
SELECT judge('partition', 'sale', 'DROP TRIGGER, TRUNCATE');
INSERT INTO tb_sale VALUES (3, 'north', 3);
CALL pg_tviews_drain();
TRUNCATE tb_sale_north;
CALL pg_tviews_drain();
SELECT judge('partition', 'sale', 'TRUNCATE');

-- No trigger in the place of theirs, whatever it does; and none beside them by the same function.
CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT error_of('CREATE OR REPLACE TRIGGER pg_tviews_capture AFTER INSERT ON tb_user FOR EACH ROW EXECUTE FUNCTION mine()');
SELECT error_of('CREATE OR REPLACE TRIGGER pg_tviews_capture AFTER INSERT OR UPDATE OR DELETE ON tb_user FOR EACH ROW WHEN (false) EXECUTE FUNCTION pg_tviews_capture(''{"keys": [], "watch": []}'')');
SELECT error_of('CREATE OR REPLACE TRIGGER pg_tviews_capture_truncate AFTER TRUNCATE ON tb_sale_north EXECUTE FUNCTION mine()');
SELECT error_of('CREATE TRIGGER other AFTER INSERT ON tb_sale_north FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture(''{}'')');
SELECT error_of('CREATE OR REPLACE TRIGGER pg_tviews_guard BEFORE UPDATE ON tv_user EXECUTE FUNCTION mine()');
CREATE TRIGGER mine AFTER INSERT ON tb_user FOR EACH ROW EXECUTE FUNCTION mine();
CREATE TABLE apart (a int);
CREATE TRIGGER pg_tviews_capture AFTER INSERT ON apart FOR EACH ROW EXECUTE FUNCTION mine();

-- A source, and with it the views, dropped and made again.
DROP TABLE tb_user CASCADE;
CALL pg_tviews_drain();
SELECT entity_name, state, last_error FROM pg_tview_status WHERE tview_oid IN ('tv_user'::regclass, 'tv_post'::regclass) ORDER BY 1;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (2, 'Bert');
CREATE VIEW v_user AS SELECT pk_user, to_jsonb(u) AS data FROM tb_user u;
CREATE VIEW v_post AS SELECT p.pk_post, p.title, u.name, vu.data AS author FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user JOIN v_user vu USING (pk_user);
CALL pg_tviews_drain();
SELECT judge('again', 'user,post', NULL);
UPDATE tb_user SET name = 'Bertha';
CALL pg_tviews_drain();
SELECT judge('again', 'user,post', 'UPDATE');

DROP SCHEMA ddl_sources CASCADE;
