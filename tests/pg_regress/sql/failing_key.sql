-- Division by zero for some keys: all others are refreshed, these are in the dead letter, and heal when the data is mended.
SET client_min_messages = warning;
CREATE SCHEMA failing_key;
SET search_path = failing_key, public;

CREATE TABLE tb_part (pk_part int PRIMARY KEY, total int, pieces int);
INSERT INTO tb_part SELECT i, 100, i FROM generate_series(1, 500) AS i;
SELECT pg_tviews_create('part', 'SELECT pk_part, total / pieces AS each FROM tb_part');
SELECT pg_tviews_create('plain', 'SELECT pk_part AS id, total, pieces FROM tb_part');
CREATE VIEW dead AS
SELECT entity_name, key, sqlstate, message, attempts, next_retry_at > last_failed_at AS later FROM pg_tview_dead_letter WHERE entity_name = 'part' ORDER BY key;
CREATE VIEW newest AS
SELECT operation, status, keys_refreshed, rows_updated, sqlstate, message, details - 'sources' AS details FROM pg_tview_meta_audit WHERE entity_name = 'part' ORDER BY audit_id DESC LIMIT 1;

UPDATE tb_part SET pieces = 0 WHERE pk_part IN (3, 444);
UPDATE tb_part SET total = 20000;
CALL pg_tviews_drain();
SELECT same('v_plain', 'tv_plain');
SELECT count(*) FROM tv_part WHERE each = 20000 / pk_part;
SELECT pk_part, each FROM tv_part WHERE pk_part IN (3, 444) ORDER BY 1;
SELECT * FROM dead;
SELECT * FROM newest;
SELECT entity_name, state, dead_letter_keys, last_error FROM pg_tview_status WHERE tview_oid = 'tv_part'::regclass;
SELECT count(*) FROM pg_tview_queue;

-- They are tried again when they change; others do not suffer.
UPDATE tb_part SET total = 30000 WHERE pk_part IN (3, 4, 5);
CALL pg_tviews_drain();
SELECT * FROM dead;
SELECT keys_refreshed, rows_updated, status FROM newest;
UPDATE tb_part SET pieces = 3 WHERE pk_part = 3;
CALL pg_tviews_drain();
SELECT * FROM dead;
SELECT keys_refreshed, rows_updated, status FROM newest;
SELECT pk_part, each FROM tv_part WHERE pk_part = 3;

-- And on demand.
SELECT pg_tviews_retry('part');
CALL pg_tviews_drain();
SELECT attempts FROM dead;
SELECT pg_tviews_retry(), pg_tviews_retry('plain');
DELETE FROM tb_part WHERE pk_part = 444;
CALL pg_tviews_drain();
SELECT * FROM dead;
SELECT same('v_part', 'tv_part');
SELECT pg_tviews_retry('part');
SELECT last_error FROM pg_tview_status WHERE tview_oid = 'tv_part'::regclass;

-- A comparison of everything finds them, too, and clears them.
UPDATE tb_part SET pieces = 0 WHERE pk_part IN (7, 8);
SELECT pg_tviews_refresh('part');
CALL pg_tviews_drain();
SELECT key, sqlstate FROM dead;
UPDATE tb_part SET pieces = 1 WHERE pk_part IN (7, 8);
SELECT pg_tviews_refresh('part');
CALL pg_tviews_drain();
SELECT * FROM dead;
SELECT same('v_part', 'tv_part');

-- Dropped with the TVIEW.
UPDATE tb_part SET pieces = 0 WHERE pk_part = 9;
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_dead_letter;
SELECT pg_tviews_drop('part');
SELECT count(*) FROM pg_tview_dead_letter;

-- A failing view does not stop a writer, nor a creation of others.
SELECT error_of($$SELECT pg_tviews_create('zero', 'SELECT pk_part AS id, 1 / (pk_part - 1) AS q FROM tb_part')$$);

-- Keys of several columns, with quotes in names and values.
CREATE TABLE "tb_it's" ("the ""key""" text, n int, v int, PRIMARY KEY ("the ""key""", n));
INSERT INTO "tb_it's" SELECT 'o''clock "' || i, i, 1 FROM generate_series(1, 20) AS i;
SELECT pg_tviews_create('"it''s"', 'SELECT "the ""key""", n, 10 / v AS tenth FROM "tb_it''s"', key_columns => ARRAY['the "key"', 'n']);
UPDATE "tb_it's" SET v = CASE WHEN n = 5 THEN 0 ELSE 2 END;
CALL pg_tviews_drain();
SELECT key, attempts FROM pg_tview_dead_letter;
SELECT count(*) FILTER (WHERE tenth = 5), count(*) FILTER (WHERE tenth = 10) FROM "tv_it's";
UPDATE "tb_it's" SET v = 5;
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_dead_letter;
SELECT same('"v_it''s"', '"tv_it''s"');

-- A further unique index that two rows would have to pass at once.
CREATE TABLE tb_seat (pk_seat int PRIMARY KEY, place int);
INSERT INTO tb_seat VALUES (1, 1), (2, 2), (3, 3);
SELECT pg_tviews_create('seat', 'SELECT pk_seat, place FROM tb_seat');
CREATE UNIQUE INDEX ON tv_seat (place);
UPDATE tb_seat SET place = CASE pk_seat WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 4 END;
CALL pg_tviews_drain();
SELECT key, sqlstate FROM pg_tview_dead_letter ORDER BY key;
TABLE tv_seat ORDER BY 1;
-- Places that follow each other are no matter of order.
UPDATE tb_seat SET place = pk_seat + 4;
CALL pg_tviews_drain();
UPDATE tb_seat SET place = place + 1;
CALL pg_tviews_drain();
UPDATE tb_seat SET place = place - 1;
CALL pg_tviews_drain();
SELECT key, sqlstate FROM pg_tview_dead_letter ORDER BY key;
SELECT same('v_seat', 'tv_seat');
UPDATE tb_seat SET place = CASE pk_seat WHEN 1 THEN 6 WHEN 2 THEN 5 ELSE 7 END;
CALL pg_tviews_drain();
UPDATE tb_seat SET place = 15 WHERE pk_seat = 1;
CALL pg_tviews_drain();
SELECT pg_tviews_retry('seat');
CALL pg_tviews_drain();
SELECT same('v_seat', 'tv_seat');

DROP SCHEMA failing_key CASCADE;
