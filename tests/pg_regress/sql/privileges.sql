-- Only owners may create, drop, pause; anybody may read; refreshes run as the owner of the TVIEW.
SET client_min_messages = warning;
CREATE SCHEMA privileges;
SET search_path = privileges, public;

DROP ROLE IF EXISTS regress_tviews_owner, regress_tviews_stranger;
CREATE ROLE regress_tviews_owner;
CREATE ROLE regress_tviews_stranger;
GRANT CREATE, USAGE ON SCHEMA privileges TO regress_tviews_owner;
GRANT USAGE ON SCHEMA privileges TO regress_tviews_stranger;
SET ROLE regress_tviews_owner;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
GRANT SELECT, UPDATE, INSERT ON tb_user TO regress_tviews_stranger;
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT relname, relowner::regrole FROM pg_class WHERE oid IN ('tv_user'::regclass, 'v_user'::regclass) ORDER BY 1;
INSERT INTO tb_user VALUES (1, 'Ann');
CALL pg_tviews_drain();
TABLE tv_user;
UPDATE pg_tview_meta SET max_latency = '1 second' WHERE entity_name = 'user';
SET ROLE regress_tviews_stranger;
-- A stranger writes the source: captured, without any right on the extension's tables.
UPDATE tb_user SET name = 'by a stranger';
INSERT INTO tb_user VALUES (2, 'by a stranger');
SELECT error_of($$INSERT INTO pg_tview_queue VALUES ('1', 'tb_user', 'INSERT', NULL, now())$$);
SELECT error_of($$DELETE FROM pg_tview_queue$$);
SELECT error_of($$DELETE FROM pg_tview_meta_audit$$);
SELECT error_of($$SELECT pg_tviews_create('user')$$);
SELECT error_of($$SELECT pg_tviews_create('mine', 'SELECT pk_user AS id FROM tb_user')$$);
SELECT error_of($$SELECT pg_tviews_drop('user')$$);
SELECT error_of($$SELECT pg_tviews_pause('user')$$);
SELECT error_of($$SELECT pg_tviews_resume('user')$$);
SELECT error_of($$SELECT pg_tviews_refresh('user')$$);
SELECT error_of($$SELECT * FROM pg_tviews_check('user')$$);
SELECT error_of($$UPDATE pg_tview_meta SET max_latency = '5 seconds' WHERE entity_name = 'user'$$);
SELECT error_of($$SET pg_tviews.capture = off$$);
SELECT error_of($$SELECT * FROM tv_user$$);
SELECT count(*) FROM pg_tview_meta WHERE entity_name = 'user';
SELECT count(*) FROM pg_tview_status WHERE entity_name = 'user';
RESET ROLE;
SELECT entity_name, max_latency FROM pg_tview_meta WHERE tview_oid = 'tv_user'::regclass;
CALL pg_tviews_drain();
TABLE tv_user ORDER BY 1;
-- Code in a view runs as the TVIEW's owner, also when a superuser drains.
CREATE FUNCTION whoami() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN current_user; END';
ALTER FUNCTION whoami() OWNER TO regress_tviews_owner;
SET ROLE regress_tviews_owner;
SET client_min_messages = error;
SELECT pg_tviews_create('who', 'SELECT pk_user AS id, whoami() AS who FROM tb_user');
INSERT INTO tb_user VALUES (3, 'Cid');
RESET ROLE;
SET client_min_messages = warning;
CALL pg_tviews_drain();
SELECT * FROM tv_who ORDER BY id;
-- A source the TVIEW's owner may not read, and then may.
CREATE TABLE tb_secret (pk_secret int PRIMARY KEY);
SET ROLE regress_tviews_owner;
SELECT error_of($$SELECT pg_tviews_create('secret', 'SELECT pk_secret FROM tb_secret')$$);
RESET ROLE;
GRANT SELECT, TRIGGER ON tb_secret TO regress_tviews_owner;
SET ROLE regress_tviews_owner;
SELECT error_of($$SELECT pg_tviews_create('secret', 'SELECT pk_secret FROM tb_secret')$$);
RESET ROLE;
SELECT pg_tviews_drop('who');
SELECT pg_tviews_drop('user');
DROP OWNED BY regress_tviews_owner, regress_tviews_stranger;
DROP ROLE regress_tviews_owner, regress_tviews_stranger;

DROP SCHEMA privileges CASCADE;
