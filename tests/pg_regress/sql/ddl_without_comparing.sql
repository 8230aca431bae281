-- DDL that cannot change a row is followed without a comparison of all rows, and changes before and after it are applied.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA ddl_harmless;
SET search_path = ddl_harmless, public;

CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN short AS text CHECK (length(VALUE) < 100);
CREATE FUNCTION label(t text) RETURNS text LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT '<' || t || '>'; END;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, mood mood DEFAULT 'ok', nick short DEFAULT 'n', spare int);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
CREATE TABLE tb_event (pk_event int, day int NOT NULL, what text) PARTITION BY LIST (day);
CREATE TABLE tb_event_1 PARTITION OF tb_event FOR VALUES IN (1);
CREATE TABLE tb_city (pk_city int, name text);
INSERT INTO tb_user SELECT n, 'user ' || n FROM generate_series(1, 5) n;
INSERT INTO tb_post SELECT n, n % 5 + 1, 'title ' || n FROM generate_series(1, 20) n;
INSERT INTO tb_event VALUES (1, 1, 'one');
INSERT INTO tb_city VALUES (1, 'Ulm');
CREATE VIEW names AS SELECT pk_user, label(name) AS name, mood, mood > 'sad' AS glad, nick FROM tb_user;
SELECT pg_tviews_create('user', 'SELECT pk_user, name, mood::text AS mood, glad, nick FROM names');
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN names u ON u.pk_user = p.fk_user');
SELECT pg_tviews_create('event', 'SELECT pk_event, day, what FROM tb_event', key_columns => '{pk_event}');
SELECT pg_tviews_create('city', 'SELECT pk_city, name FROM tb_city', key_columns => '{pk_city}');
CALL pg_tviews_drain();

CREATE FUNCTION differences() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum((SELECT count(*) FROM pg_tviews_check(entity))) FROM unnest('{user,post,event,city}'::text[]) entity$$;
CREATE TABLE seen AS SELECT max(audit_id) AS audit_id FROM pg_tview_meta_audit;
-- What was done for TVIEWs since the last time: anything but refreshes, and how many rows refreshes have looked at.
CREATE FUNCTION done() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    SELECT concat(string_agg(DISTINCT entity_name || ' ' || operation, ', ' ORDER BY entity_name || ' ' || operation) FILTER (WHERE operation <> 'refresh'),
                  '; rows: ', sum(keys_refreshed))
      INTO told
      FROM pg_tview_meta_audit WHERE audit_id > (SELECT s.audit_id FROM seen s);
    UPDATE seen SET audit_id = (SELECT max(a.audit_id) FROM pg_tview_meta_audit a);
    RETURN told;
END $$;
-- Three changes: one before the command that is still pending, one after it, one after the command was followed.
CREATE FUNCTION step(change text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'UPDATE tb_post SET title = title || ''-'' WHERE pk_post = 1' UNION ALL SELECT change
     UNION ALL SELECT 'UPDATE tb_post SET fk_user = fk_user % 5 + 1 WHERE pk_post = 2'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT 'UPDATE tb_post SET title = title || ''+'' WHERE pk_post = 3'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT %L, done(), differences()', change)
$$;
SELECT step('SELECT 1') \gexec
-- Names.
SELECT step('ALTER TABLE tb_post RENAME TO tb_article; ALTER TABLE tb_article RENAME TO tb_post') \gexec
SELECT step('ALTER TABLE tb_user RENAME COLUMN name TO called') \gexec
SELECT step('ALTER FUNCTION label(text) RENAME TO labelled') \gexec
SELECT step('ALTER TYPE mood RENAME TO humour') \gexec
SELECT step('ALTER DOMAIN short RENAME TO brief') \gexec
CREATE SCHEMA ddl_harmless_2;
SELECT step('ALTER TABLE tb_user SET SCHEMA ddl_harmless_2') \gexec
SELECT step('ALTER FUNCTION labelled(text) SET SCHEMA ddl_harmless_2') \gexec
SELECT step('ALTER VIEW names SET SCHEMA ddl_harmless_2; ALTER VIEW ddl_harmless_2.names RENAME TO their_names') \gexec
SELECT step('ALTER VIEW ddl_harmless_2.their_names RENAME COLUMN nick TO nickname') \gexec
SELECT step('ALTER SCHEMA ddl_harmless_2 RENAME TO ddl_harmless_3') \gexec
-- A column that the changes of rows are known by, with changes pending; after changes of the same transaction; and back in one.
SELECT step('ALTER TABLE tb_post RENAME COLUMN fk_user TO fk_author; ALTER TABLE tb_post RENAME fk_author TO fk_user') \gexec
UPDATE tb_post SET fk_user = 4 WHERE pk_post IN (4, 5);
ALTER TABLE tb_post RENAME COLUMN pk_post TO id;
UPDATE tb_post SET fk_user = 5 WHERE id IN (5, 6);
SELECT source_oid, operation, keys FROM pg_tview_queue WHERE source_oid = 'tb_post'::regclass;
CALL pg_tviews_drain();
SELECT 'renamed with changes pending', done(), differences();
BEGIN;
UPDATE tb_post SET title = 'changed before' WHERE id = 7;
ALTER TABLE tb_post RENAME COLUMN id TO pk_post;
COMMIT;
CALL pg_tviews_drain();
SELECT 'renamed after a change', done(), differences();
BEGIN;
ALTER TABLE tb_post RENAME COLUMN pk_post TO id;
ROLLBACK;
UPDATE tb_post SET title = 'after the rollback' WHERE pk_post = 8;
CALL pg_tviews_drain();
SELECT 'not renamed', done(), differences();
-- Labels: of the new one, the old ones are compared as before.
SELECT step('ALTER TYPE humour ADD VALUE ''great''') \gexec
SELECT step('ALTER TYPE humour ADD VALUE ''awful'' BEFORE ''sad''') \gexec
SELECT step('ALTER TYPE humour RENAME VALUE ''great'' TO ''best''') \gexec
UPDATE ddl_harmless_3.tb_user SET mood = 'best' WHERE pk_user = 1;
CALL pg_tviews_drain();
SELECT 'a new label', done(), differences();
-- A function given as text may have asked which labels there are, or failed for want of one.
CREATE FUNCTION ddl_harmless_3.known(t text) RETURNS humour LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN t::humour;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN NULL;
END $$;
SELECT pg_tviews_create('knows', $$SELECT pk_user, ddl_harmless_3.known(CASE pk_user WHEN 1 THEN 'new' ELSE 'sad' END) AS mood FROM ddl_harmless_3.tb_user$$, key_columns => '{pk_user}');
ALTER TYPE humour ADD VALUE 'new';
SELECT 'unfilled', mood FROM tv_knows WHERE pk_user = 1;
CALL pg_tviews_drain();
SELECT 'a label that a function asks for', mood FROM tv_knows WHERE pk_user = 1;
SELECT count(*) FROM pg_tviews_check('knows');
SELECT pg_tviews_drop('knows');
SELECT FROM done();
-- Partitions and children that are empty.
SELECT step('CREATE TABLE tb_event_2 PARTITION OF tb_event FOR VALUES IN (2)') \gexec
SELECT step('CREATE TABLE tb_event_3 (LIKE tb_event); ALTER TABLE tb_event ATTACH PARTITION tb_event_3 FOR VALUES IN (3)') \gexec
SELECT step('CREATE TABLE tb_event_4 PARTITION OF tb_event FOR VALUES IN (4, 5) PARTITION BY LIST (day); CREATE TABLE tb_event_5 PARTITION OF tb_event_4 FOR VALUES IN (5); INSERT INTO tb_event VALUES (5, 5, ''five'')') \gexec
SELECT step('INSERT INTO tb_event VALUES (2, 2, ''two''); TRUNCATE tb_event_2; INSERT INTO tb_event VALUES (3, 3, ''three'')') \gexec
SELECT step('ALTER TABLE tb_event DETACH PARTITION tb_event_2') \gexec
SELECT step('CREATE TABLE tb_event_6 PARTITION OF tb_event FOR VALUES IN (6); INSERT INTO tb_event VALUES (6, 6, ''six''); TRUNCATE tb_event_6') \gexec
SELECT step('CREATE TABLE tb_town (mayor text) INHERITS (tb_city)') \gexec
SELECT step('INSERT INTO tb_town VALUES (2, ''Ely'', ''Ann'')') \gexec
SELECT step('CREATE TABLE tb_port () INHERITS (tb_town)') \gexec
SELECT step('INSERT INTO tb_port VALUES (3, ''Hull''); UPDATE tb_city SET name = name || ''!''') \gexec
SELECT step('CREATE TABLE tb_village (pk_city int, name text); ALTER TABLE tb_village INHERIT tb_city') \gexec
SELECT step('ALTER TABLE tb_village NO INHERIT tb_city') \gexec
SELECT step('DROP TABLE tb_event_6') \gexec
SELECT step('CREATE TABLE tb_event_7 PARTITION OF tb_event FOR VALUES IN (7) PARTITION BY LIST (day); CREATE TABLE tb_event_8 PARTITION OF tb_event_7 FOR VALUES IN (7); DROP TABLE tb_event_7') \gexec
SELECT step('CREATE TABLE tb_hut () INHERITS (tb_city); DROP TABLE tb_hut') \gexec
SELECT step('CREATE TABLE tb_event_9 PARTITION OF tb_event FOR VALUES IN (9); INSERT INTO tb_event VALUES (9, 9, ''nine''); DELETE FROM tb_event_9; DROP TABLE tb_event_9') \gexec
-- These have rows.
SELECT step('CREATE TABLE tb_event_10 PARTITION OF tb_event FOR VALUES IN (10); CREATE TABLE tb_event_11 PARTITION OF tb_event FOR VALUES IN (11); INSERT INTO tb_event VALUES (10, 10, ''ten'')') \gexec
SELECT step('DROP TABLE tb_event_10, tb_event_11') \gexec
SELECT step('INSERT INTO tb_village VALUES (4, ''Hof''); ALTER TABLE tb_village INHERIT tb_city') \gexec
SELECT step('CREATE TABLE tb_hamlet () INHERITS (tb_city); INSERT INTO tb_hamlet VALUES (5, ''Au'')') \gexec
SELECT step('ALTER TABLE tb_event DETACH PARTITION tb_event_3') \gexec
SELECT step('ALTER TABLE tb_event ATTACH PARTITION tb_event_3 FOR VALUES IN (3)') \gexec
-- What says nothing about rows.
SELECT step('ALTER VIEW ddl_harmless_3.their_names SET (security_barrier)') \gexec
SELECT step('ALTER TABLE tb_post OWNER TO CURRENT_USER, ADD COLUMN more text, ALTER COLUMN title SET STORAGE EXTERNAL, ALTER COLUMN title SET STATISTICS 7, SET (fillfactor = 90), ADD CHECK (pk_post > 0)') \gexec
SELECT step('ALTER TABLE tb_post DROP COLUMN more') \gexec
SELECT step('CREATE INDEX ON tb_post (fk_user); CREATE STATISTICS both_columns ON pk_post, fk_user FROM tb_post') \gexec
SELECT step('CREATE POLICY none ON tb_post USING (false)') \gexec
SELECT step('ALTER FUNCTION ddl_harmless_3.labelled(text) COST 7 PARALLEL SAFE LEAKPROOF') \gexec
SELECT step('COMMENT ON COLUMN tb_post.title IS ''...''') \gexec
SELECT step('GRANT SELECT ON tb_post TO PUBLIC') \gexec
SELECT step('CREATE OR REPLACE VIEW v_post AS  SELECT p.pk_post,  p.title, u.name FROM tb_post p JOIN ddl_harmless_3.their_names u ON u.pk_user = p.fk_user') \gexec
SELECT step('DROP VIEW v_user; DROP VIEW v_post; DROP VIEW ddl_harmless_3.their_names; CREATE VIEW names AS SELECT pk_user, ddl_harmless_3.labelled(called) AS name, mood, mood > ''sad'' AS glad, nick FROM ddl_harmless_3.tb_user; CREATE VIEW v_post AS SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN names u ON u.pk_user = p.fk_user; CREATE VIEW v_user AS SELECT pk_user, name, mood::text AS mood, glad, nick FROM names') \gexec
-- A setting that changes how names are written.
SELECT format('ALTER DATABASE %I SET quote_all_identifiers = on', current_database()) \gexec
\c
SET search_path = ddl_harmless, public;
SET client_min_messages = warning;
SELECT step('SELECT 1') \gexec
SELECT format('ALTER DATABASE %I RESET quote_all_identifiers', current_database()) \gexec
\c
SET client_min_messages = warning;
DROP SCHEMA ddl_harmless, ddl_harmless_3 CASCADE;
