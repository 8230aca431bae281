-- A view is suspended if it fails for every key. It is not where it works for some, however few, and wherever they are.
CREATE TABLE tb_share (pk_share int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_share SELECT i, i FROM generate_series(1, 1200) i;
SELECT pg_tviews_create('share', 'SELECT pk_share, 1000 / n AS share FROM tb_share');
SET client_min_messages = error;

-- The 60 keys for which it works are in the middle.
UPDATE tb_share SET n = CASE WHEN pk_share BETWEEN 571 AND 630 THEN 2 ELSE 0 END;
CALL pg_tviews_drain();
SELECT state, (SELECT count(*) FROM pg_tview_dead_letter) AS dead, (SELECT count(*) FROM tv_share WHERE share = 500) AS recomputed
  FROM pg_tview_meta;

-- One more fails, and the rows around it are those of dead keys.
UPDATE tb_share SET n = 0 WHERE pk_share = 600;
CALL pg_tviews_drain();
SELECT state, (SELECT count(*) FROM pg_tview_dead_letter) AS dead FROM pg_tview_meta;

-- Dead keys that are tried again, and fail again.
SELECT pg_tviews_retry('share');
CALL pg_tviews_drain();
SELECT state, (SELECT count(*) FROM pg_tview_dead_letter) AS dead FROM pg_tview_meta;
SELECT pg_tviews_drop('share');
DROP TABLE tb_share;

-- It works for none.
CREATE TABLE tb_share (pk_share int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_share SELECT i, i FROM generate_series(1, 200) i;
SELECT pg_tviews_create('share', 'SELECT pk_share, 1000 / n AS share FROM tb_share');
UPDATE tb_share SET n = 0;
CALL pg_tviews_drain();
SELECT state, (SELECT count(*) FROM pg_tview_dead_letter) AS dead FROM pg_tview_meta;
UPDATE tb_share SET n = 1;
CALL pg_tviews_drain();
SELECT state, same('v_share', 'tv_share') FROM pg_tview_meta;
SELECT pg_tviews_drop('share');
DROP TABLE tb_share;
