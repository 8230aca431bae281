-- A large view is filled after the call, by workers or a drain; changes made meanwhile are not lost.
SET client_min_messages = warning;
CREATE SCHEMA create_large;
SET search_path = create_large, public;

CREATE TABLE tb_row (pk_row int PRIMARY KEY, v text);
INSERT INTO tb_row SELECT i, 'v' || i FROM generate_series(1, 150000) AS i;
SELECT pg_tviews_create('row', 'SELECT pk_row, v FROM tb_row');
SELECT state IN ('populating', 'active') AS registered FROM pg_tview_meta WHERE tview_oid = 'tv_row'::regclass;
UPDATE tb_row SET v = 'changed' WHERE pk_row % 1000 = 0;
DELETE FROM tb_row WHERE pk_row % 1000 = 1;
CALL pg_tviews_drain();
SELECT state FROM pg_tview_meta WHERE tview_oid = 'tv_row'::regclass;
SELECT same('v_row', 'tv_row'), (SELECT count(*) FROM tv_row);
-- More keys than pg_tviews.batch_size.
UPDATE tb_row SET v = v || '!';
CALL pg_tviews_drain();
SELECT same('v_row', 'tv_row'), (SELECT count(*) FROM pg_tview_queue);
SELECT pg_tviews_drop('row');

DROP SCHEMA create_large CASCADE;
