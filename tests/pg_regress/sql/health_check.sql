-- pg_tviews_health_check: one row per component that is well, one per fault otherwise, each with what to type. No workers here.
SET client_min_messages = warning;
CREATE SCHEMA health_check;
SET search_path = health_check, public;
LOAD 'pg_tviews';
CREATE VIEW answer AS SELECT status, component, regexp_replace(message, '[0-9.]+ (ms|s|min)\M', 'SOME TIME', 'g') AS message, severity FROM pg_tviews_health_check();
CREATE VIEW faults AS SELECT * FROM answer WHERE component NOT IN ('library', 'workers') AND status <> 'OK';

SELECT * FROM answer;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int, fk_user int, title text, PRIMARY KEY (pk_post)) PARTITION BY RANGE (pk_post);
CREATE TABLE tb_post_1 PARTITION OF tb_post FOR VALUES FROM (0) TO (1000);
INSERT INTO tb_user VALUES (1, 'Ann');
INSERT INTO tb_post VALUES (1, 1, 'a'), (2, 1, 'b');
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT pk_post, title, 10 / fk_user AS share, name FROM tb_post JOIN tb_user ON pk_user = fk_user');
SELECT status, component, severity FROM answer WHERE component NOT IN ('library', 'workers');

-- Triggers: disabled behind the back of the event trigger, not always, missing; on the source, on a partition; found, and
-- repaired as told.
ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
ALTER TABLE tb_user DISABLE TRIGGER pg_tviews_capture;
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
SELECT * FROM faults;
SELECT pg_tviews_create('health_check.tv_user');
SELECT pg_tviews_create('health_check.tv_post');
SELECT * FROM faults;
ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
ALTER TABLE tb_user ENABLE TRIGGER pg_tviews_capture_truncate;
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
SELECT component, left(message, 60) FROM faults;
SELECT pg_tviews_create('health_check.tv_user');
DROP TRIGGER pg_tviews_capture ON tb_user;
SELECT component, left(message, 60) FROM faults;
SELECT pg_tviews_create('health_check.tv_user');
ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
ALTER TABLE tb_post_1 DISABLE TRIGGER USER;
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
SELECT component, left(message, 60) FROM faults;
SELECT pg_tviews_create('health_check.tv_post');
SELECT * FROM faults;
INSERT INTO tb_post VALUES (3, 1, 'c');
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');

-- DDL has to be noticed; updates of pg_tview_meta have to take effect.
ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
ALTER EVENT TRIGGER pg_tviews_objects_dropped ENABLE REPLICA;
BEGIN;
DROP TRIGGER pg_tviews_written ON pg_tview_meta;
ALTER TABLE pg_tview_definition ENABLE TRIGGER pg_tviews_added;
SELECT * FROM faults;
ROLLBACK;
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
ALTER EVENT TRIGGER pg_tviews_objects_dropped ENABLE ALWAYS;
SELECT * FROM faults;

-- Paused, suspended, without its view.
SELECT pg_tviews_pause('user');
DROP VIEW v_post;
UPDATE tb_post SET title = 'x';
CALL pg_tviews_drain();
SELECT * FROM faults WHERE component <> 'backlog';
SELECT pg_tviews_resume('health_check.tv_user');
CREATE VIEW v_post AS SELECT pk_post, title, 10 / fk_user AS share, name FROM tb_post JOIN tb_user ON pk_user = fk_user;
CALL pg_tviews_drain();
SELECT * FROM faults;

-- Dead keys.
INSERT INTO tb_user VALUES (0, 'Nil');
INSERT INTO tb_post VALUES (4, 0, 'd');
CALL pg_tviews_drain();
SELECT * FROM faults;
UPDATE tb_post SET fk_user = 1;
CALL pg_tviews_drain();
SELECT * FROM faults;

-- Late.
UPDATE pg_tview_meta SET max_latency = '1 ms' WHERE entity_name = 'user';
UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1;
SELECT pg_sleep(0.01);
SELECT * FROM faults WHERE message LIKE '%tv_user %';
CALL pg_tviews_drain();
SELECT * FROM faults;

SET pg_tviews.capture = off;
SELECT * FROM faults;
SET pg_tviews.capture = on;

-- The version of the extension is not that of the library.
BEGIN;
CREATE FUNCTION library_fault(extension text) RETURNS TABLE (status text, message text) LANGUAGE sql BEGIN ATOMIC
    UPDATE pg_extension SET extversion = extension WHERE extname = 'pg_tviews';
    SELECT status, replace(message, pg_tviews_version(), 'LIBRARY') FROM pg_tviews_health_check()
     WHERE component = 'library' AND message NOT LIKE '%preloaded%';
END;
SELECT fault.* FROM unnest('{0.0.1,0.1.0,99.1.0}'::text[]) extension, library_fault(extension) fault;
-- Nothing is refreshed by a library that is too old or too new.
SELECT pg_tviews_wait('user');
ROLLBACK;
BEGIN;
UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'pg_tviews';
SELECT pg_tviews_create('late', 'SELECT pk_user AS pk_late FROM tb_user');
ROLLBACK;

-- Others see what concerns them: roles of the owner, and who may monitor.
CREATE ROLE health_check_owner;
CREATE ROLE health_check_other;
CREATE ROLE health_check_monitor;
GRANT pg_monitor TO health_check_monitor;
GRANT USAGE ON SCHEMA health_check TO health_check_owner;
GRANT SELECT ON tb_user, tb_post, v_user TO health_check_owner;
ALTER TABLE tv_user OWNER TO health_check_owner;
SELECT pg_tviews_pause('user'), pg_tviews_pause('post');
ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
ALTER TABLE tb_post DISABLE TRIGGER USER;
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
SET ROLE health_check_owner;
SELECT component, status, left(message, 50) AS message FROM pg_tviews_health_check() WHERE component IN ('tviews', 'capture triggers');
SET ROLE health_check_other;
SELECT component, status, left(message, 50) AS message FROM pg_tviews_health_check() WHERE component IN ('tviews', 'capture triggers');
SET ROLE health_check_monitor;
SELECT component, status, left(message, 50) AS message FROM pg_tviews_health_check() WHERE component IN ('tviews', 'capture triggers');
RESET ROLE;

-- What cannot be checked is an error.
ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
ALTER TABLE public.pg_tview_queue RENAME TO hidden;
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
SELECT component, status, message, severity FROM pg_tviews_health_check() WHERE message LIKE 'could not%';
ALTER TABLE public.hidden RENAME TO pg_tview_queue;
BEGIN READ ONLY;
SELECT count(*) > 8 AS also_read_only FROM pg_tviews_health_check();
ROLLBACK;

DROP SCHEMA health_check CASCADE;
DROP ROLE health_check_owner, health_check_other, health_check_monitor;
