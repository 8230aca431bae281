-- Large transactions: keys in several rows past a byte limit, one "all keys" row past a second one; savepoints between.
SET client_min_messages = warning;
CREATE SCHEMA queue_many_keys;
SET search_path = queue_many_keys, public;

CREATE TABLE tb_row (pk_row int PRIMARY KEY, v text);
SELECT pg_tviews_create('row', 'SELECT pk_row, v FROM tb_row');
INSERT INTO tb_row SELECT i, 'v' FROM generate_series(1, 200000) AS i;
SELECT count(*) > 1 AS several_rows, max(length(keys::text)) < 8000000 AS bounded, sum(jsonb_array_length(keys)) AS keys, string_agg(DISTINCT operation, ',') AS operations FROM pg_tview_queue;
CALL pg_tviews_drain();
SELECT same('v_row', 'tv_row'), (SELECT count(*) FROM tv_row), (SELECT count(*) FROM pg_tview_queue);
-- The first rows were written before the savepoint, the next inside it.
BEGIN;
UPDATE tb_row SET v = 'outer' WHERE pk_row <= 60000;
SAVEPOINT s;
UPDATE tb_row SET v = 'inner' WHERE pk_row > 60000 AND pk_row <= 160000;
ROLLBACK TO s;
UPDATE tb_row SET v = 'after' WHERE pk_row > 199990;
COMMIT;
SELECT count(DISTINCT key) AS keys FROM pg_tview_queue, jsonb_array_elements(keys) AS key;
CALL pg_tviews_drain();
SELECT same('v_row', 'tv_row');
BEGIN;
SAVEPOINT s;
UPDATE tb_row SET v = 'outer 2' WHERE pk_row <= 60000;
SAVEPOINT t;
UPDATE tb_row SET v = 'inner 2' WHERE pk_row > 60000;
RELEASE t;
ROLLBACK TO s;
UPDATE tb_row SET v = 'after 2' WHERE pk_row = 1;
COMMIT;
CALL pg_tviews_drain();
SELECT same('v_row', 'tv_row');
-- More than 32 MiB of keys.
BEGIN;
DELETE FROM tb_row WHERE pk_row > 100;
INSERT INTO tb_row SELECT i, 'w' FROM generate_series(1000000, 1900000) AS i;
DELETE FROM tb_row WHERE pk_row >= 1000100;
COMMIT;
SELECT count(*) FILTER (WHERE keys IS NULL) AS all_keys_rows, pg_column_size(array_agg(keys)) < 100000000 AS bounded FROM pg_tview_queue;
CALL pg_tviews_drain();
SELECT same('v_row', 'tv_row'), (SELECT count(*) FROM tv_row), (SELECT count(*) FROM pg_tview_queue);
SELECT pg_tviews_drop('row');

DROP SCHEMA queue_many_keys CASCADE;
