-- What one transaction leaves in pg_tview_queue: one row per source, distinct keys, old and new.
SET client_min_messages = warning;
CREATE SCHEMA queue_contents;
SET search_path = queue_contents, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, id uuid UNIQUE, name text, email text, seen timestamptz);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, remark text);
CREATE TABLE tb_all (id int PRIMARY KEY, doc jsonb, flag boolean, big bigint, num numeric, d date, txt text, price float8);
INSERT INTO tb_user SELECT i, md5('u' || i)::uuid, 'user' || i, 'mail' || i FROM generate_series(1, 3) AS i;
INSERT INTO tb_post SELECT i, 1 + i % 3, 'post' || i FROM generate_series(1, 3) AS i;
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
CALL pg_tviews_drain();
CREATE VIEW pending AS SELECT source_oid, operation, keys FROM pg_tview_queue ORDER BY xid, source_oid::text, operation;
TABLE pending;

INSERT INTO tb_user VALUES (4, md5('u4')::uuid, 'user4');
TABLE pending; CALL pg_tviews_drain();
UPDATE tb_user SET name = 'renamed' WHERE pk_user IN (1, 2);
TABLE pending; CALL pg_tviews_drain();
DELETE FROM tb_user WHERE pk_user = 4;
TABLE pending; CALL pg_tviews_drain();
-- A key that moves: old and new.
UPDATE tb_post SET fk_user = 3 WHERE pk_post = 3;
TABLE pending; CALL pg_tviews_drain();
-- Changes that no TVIEW reads, and changes that change nothing: no row at all.
UPDATE tb_user SET email = 'new', seen = now();
UPDATE tb_post SET remark = 'new';
UPDATE tb_user SET name = name;
UPDATE tb_user SET name = 'x' WHERE pk_user = 99;
TABLE pending;
-- One row per source, not per statement; the same key once.
BEGIN;
UPDATE tb_user SET name = 'a' WHERE pk_user = 1;
UPDATE tb_user SET name = 'b' WHERE pk_user = 1;
UPDATE tb_user SET name = 'c' WHERE pk_user = 1;
UPDATE tb_post SET title = 'a' WHERE pk_post = 1;
UPDATE tb_user SET name = 'd' WHERE pk_user = 2;
COMMIT;
TABLE pending; CALL pg_tviews_drain();
-- Several operations in one row.
BEGIN;
INSERT INTO tb_user VALUES (5, md5('u5')::uuid, 'user5');
UPDATE tb_user SET name = 'e' WHERE pk_user = 1;
DELETE FROM tb_user WHERE pk_user = 5;
COMMIT;
TABLE pending; CALL pg_tviews_drain();
TRUNCATE tb_post;
TABLE pending; CALL pg_tviews_drain();
BEGIN; INSERT INTO tb_post VALUES (7, 1, 'x'); TRUNCATE tb_post; INSERT INTO tb_post VALUES (8, 1, 'y'); COMMIT;
SELECT source_oid, operation, keys FROM pg_tview_queue WHERE keys IS NULL; CALL pg_tviews_drain();
-- Rolled back: nothing, and nothing of a rolled-back savepoint.
BEGIN; UPDATE tb_user SET name = 'rolled back'; ROLLBACK;
TABLE pending;
BEGIN;
UPDATE tb_user SET name = 'kept' WHERE pk_user = 1;
SAVEPOINT s;
UPDATE tb_user SET name = 'lost' WHERE pk_user = 2;
ROLLBACK TO s;
SAVEPOINT t;
UPDATE tb_user SET name = 'kept too' WHERE pk_user = 3;
RELEASE t;
COMMIT;
TABLE pending; CALL pg_tviews_drain();
-- A failing statement leaves nothing.
BEGIN; UPDATE tb_user SET name = 'x'; SELECT 1 / 0; COMMIT;
TABLE pending;
-- The transaction's xid and time.
UPDATE tb_user SET name = 'timed' WHERE pk_user = 1;
SELECT xid < pg_snapshot_xmax(pg_current_snapshot()) AS past, enqueued_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS timely FROM pg_tview_queue;
CALL pg_tviews_drain();
-- Captured columns of several types.
CREATE VIEW v_all AS SELECT id, flag, big, num, d, txt, price, doc FROM tb_all;
SELECT pg_tviews_create('all', key_columns => '{id,flag,big,num,d,txt,price,doc}');
INSERT INTO tb_all VALUES (1, '{"k": [1, "x"]}', true, 9007199254740993, 1.50, '2024-02-29', E'quote " tab \t ä', 0.1), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT operation, jsonb_pretty(keys) FROM pg_tview_queue;
DELETE FROM tb_all WHERE id = 2;
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_queue;
-- pg_tviews.capture off: one row that stands for every row of the source.
SET pg_tviews.capture = off;
UPDATE tb_user SET name = 'unseen';
UPDATE tb_user SET name = 'unseen again';
RESET pg_tviews.capture;
TABLE pending;
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');

DROP SCHEMA queue_contents CASCADE;
