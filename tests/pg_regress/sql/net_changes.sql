-- What the column net of pg_tview_queue says: the exact net change of a transaction, or NULL for unknown.
SET client_min_messages = warning;
CREATE SCHEMA net_changes;
SET search_path = net_changes, public;
SET datestyle = 'ISO, MDY';

CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
CREATE TABLE tb_like (pk_like int PRIMARY KEY, fk_post int, amount int, remark text);
INSERT INTO tb_post SELECT i, 'post' || i FROM generate_series(1, 3) AS i;
SELECT pg_tviews_create('post', $$SELECT p.pk_post, p.title,
    (SELECT sum(l.amount) FROM tb_like l WHERE l.fk_post = p.pk_post) AS amount FROM tb_post p$$);
CALL pg_tviews_drain();
CREATE VIEW pending AS SELECT source_oid::regclass, operation, keys, net FROM pg_tview_queue ORDER BY xid, source_oid::text, operation;

-- Equal images are added up. A table without running aggregates tells nothing.
INSERT INTO tb_like VALUES (1, 1, 5), (2, 1, 5), (3, 2, 7);
TABLE pending; CALL pg_tviews_drain();
INSERT INTO tb_post VALUES (4, 'post4');
TABLE pending; CALL pg_tviews_drain();
-- An update is a row less and a row more; a row that moves to another group, too.
UPDATE tb_like SET amount = 6 WHERE pk_like = 1;
TABLE pending; CALL pg_tviews_drain();
UPDATE tb_like SET fk_post = 2 WHERE pk_like = 1;
TABLE pending; CALL pg_tviews_drain();
-- A column that nothing reads: no row. A key that nothing but the table's key reads: neither.
UPDATE tb_like SET remark = 'new';
UPDATE tb_like SET pk_like = pk_like + 10;
TABLE pending; CALL pg_tviews_drain();
DELETE FROM tb_like WHERE fk_post = 2;
TABLE pending; CALL pg_tviews_drain();
-- What cancels out is no change, but its keys are written.
BEGIN;
INSERT INTO tb_like VALUES (20, 3, 1), (21, 3, NULL);
UPDATE tb_like SET amount = 2 WHERE pk_like = 20;
DELETE FROM tb_like WHERE fk_post = 3;
COMMIT;
TABLE pending; CALL pg_tviews_drain();
-- Savepoints: rolled back, released, and one inside another.
BEGIN;
INSERT INTO tb_like VALUES (30, 3, 1);
SAVEPOINT a;
INSERT INTO tb_like VALUES (31, 3, 2);
ROLLBACK TO a;
SAVEPOINT b;
INSERT INTO tb_like VALUES (32, 3, 3);
SAVEPOINT c;
UPDATE tb_like SET amount = 4 WHERE pk_like IN (30, 32);
RELEASE c;
RELEASE b;
COMMIT;
TABLE pending; CALL pg_tviews_drain();
-- Changes that triggers make at the commit.
CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    UPDATE tb_like SET fk_post = 1 WHERE pk_like = NEW.pk_like AND fk_post <> 1; RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER more AFTER INSERT ON tb_like DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION more();
INSERT INTO tb_like VALUES (40, 2, 9);
TABLE pending; CALL pg_tviews_drain();
DROP TRIGGER more ON tb_like;

-- TRUNCATE is unknown; one that is rolled back is nothing.
BEGIN;
INSERT INTO tb_like VALUES (50, 1, 1);
SAVEPOINT a;
TRUNCATE tb_like;
ROLLBACK TO a;
COMMIT;
TABLE pending; CALL pg_tviews_drain();
BEGIN; TRUNCATE tb_like; INSERT INTO tb_like VALUES (51, 1, 1); COMMIT;
TABLE pending; CALL pg_tviews_drain();
-- 1,000 images are told, 1,001 are not. Many rows of one image are one image.
CREATE VIEW counted AS SELECT source_oid::regclass, jsonb_array_length(keys) AS keys, json_array_length(net) AS images FROM pg_tview_queue;
INSERT INTO tb_like SELECT 1000 + i, 1, i FROM generate_series(1, 1000) AS i;
TABLE counted; CALL pg_tviews_drain();
INSERT INTO tb_like SELECT 3000 + i, 1, i FROM generate_series(1, 1001) AS i;
TABLE counted; CALL pg_tviews_drain();
INSERT INTO tb_like SELECT 10000 + i, 1, 3 FROM generate_series(1, 20000) AS i;
TABLE pending; CALL pg_tviews_drain();
-- 64 KiB of images in all, and 1 KiB in one.
CREATE TABLE tb_long (pk_long int PRIMARY KEY, kind text, n int);
SELECT pg_tviews_create('long', 'SELECT kind, count(n) AS n FROM tb_long GROUP BY kind', key_columns => ARRAY['kind']);
CALL pg_tviews_drain();
INSERT INTO tb_long SELECT i, 'a' || repeat('x', 900), i FROM generate_series(1, 60) AS i;
TABLE counted; CALL pg_tviews_drain();
INSERT INTO tb_long SELECT i, 'a' || repeat('x', 900), i FROM generate_series(101, 180) AS i;
TABLE counted; CALL pg_tviews_drain();
INSERT INTO tb_long VALUES (1000, repeat('y', 1100), 1);
TABLE counted; CALL pg_tviews_drain();
-- Values that JSON quotes.
INSERT INTO tb_long VALUES (1001, E'q"b\\n\nl', 1), (1002, '[1]', NULL), (1003, NULL, 2);
SELECT net FROM pg_tview_queue; CALL pg_tviews_drain();
DELETE FROM tb_long WHERE kind IS NULL; CALL pg_tviews_drain();
SELECT * FROM pg_tviews_check('tv_long');
-- Not captured for a while: all keys, and unknown.
SET pg_tviews.capture = off;
INSERT INTO tb_long VALUES (1004, 'off', 1);
RESET pg_tviews.capture;
TABLE pending; CALL pg_tviews_drain();

-- Another DateStyle: aggregates of dates do not run along, others do.
CREATE TABLE tb_day (pk_day int PRIMARY KEY, kind int, d date);
SET datestyle = 'German, DMY';
SELECT pg_tviews_create('day', 'SELECT kind, max(d) AS latest FROM tb_day GROUP BY kind', key_columns => ARRAY['kind']);
CALL pg_tviews_drain();
INSERT INTO tb_day VALUES (1, 1, '2026-01-05');
TABLE pending; CALL pg_tviews_drain();
SELECT pg_tviews_create('days', 'SELECT kind, count(d) AS days FROM tb_day GROUP BY kind', key_columns => ARRAY['kind']);
CALL pg_tviews_drain();
INSERT INTO tb_day VALUES (2, 1, '2026-01-05');
TABLE pending; CALL pg_tviews_drain();
SET datestyle = 'ISO, MDY';

-- Partitions: a row that moves between them is one of the table above.
CREATE TABLE tb_sale (pk_sale int, day date, cents bigint, PRIMARY KEY (pk_sale, day)) PARTITION BY RANGE (day);
CREATE TABLE tb_sale_1 PARTITION OF tb_sale FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE tb_sale_2 (cents bigint, day date NOT NULL, pk_sale int NOT NULL);
ALTER TABLE tb_sale ATTACH PARTITION tb_sale_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT pg_tviews_create('sales', 'SELECT day, sum(cents) AS cents FROM tb_sale GROUP BY day', key_columns => ARRAY['day']);
CALL pg_tviews_drain();
INSERT INTO tb_sale VALUES (1, '2026-01-05', 100), (2, '2026-02-05', 200);
TABLE pending; CALL pg_tviews_drain();
UPDATE tb_sale SET day = '2026-02-05' WHERE pk_sale = 1;
TABLE pending; CALL pg_tviews_drain();
DELETE FROM tb_sale_2 WHERE pk_sale = 1;
TABLE pending; CALL pg_tviews_drain();
-- A TVIEW that goes takes its images along.
SELECT pg_tviews_drop('tv_long');
SELECT pg_tviews_create('long', 'SELECT pk_long, n FROM tb_long');
CALL pg_tviews_drain();
INSERT INTO tb_long VALUES (1006, 'gone', 1);
TABLE pending; CALL pg_tviews_drain();
SELECT tview, differences FROM (SELECT 'post' AS tview, count(*) AS differences FROM pg_tviews_check('tv_post')
    UNION ALL SELECT 'sales', count(*) FROM pg_tviews_check('tv_sales')) AS checked;
DROP SCHEMA net_changes CASCADE;
