-- Groups of 600 rows, whose aggregates are stored: keys of each type, texts with blanks and quotes, totals.
SET client_min_messages = warning;
CREATE SCHEMA running_groups;
SET search_path = running_groups, public;
SET datestyle = 'ISO, MDY';
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, status char(3), kind text, place varchar(20), day date, at timestamp, ref uuid, paid boolean,
    n bigint, cents numeric(12,2));
INSERT INTO tb_sale SELECT i, (ARRAY['a', 'ab', ''])[1 + i % 3], (ARRAY['', 'x ', E'q"\'\\,{}'])[1 + i % 3], (ARRAY[' lead', 'trail ', 'NULL'])[1 + i % 3],
    date '2026-01-01' + i % 3, timestamp '2026-01-01 12:00:00.5' + i % 3 * interval '1 day', md5((i % 3)::text)::uuid, i % 3 = 0, i, i / 7.0
  FROM generate_series(1, 2400) AS i;
CREATE TABLE tview (name text, key text);
INSERT INTO tview VALUES ('by_status', 'status'), ('by_kind', 'kind'), ('by_place', 'place'), ('by_day', 'day'), ('by_at', 'at'), ('by_ref', 'ref'), ('by_paid', 'paid'),
    ('by_two', 'status,kind'), ('total', 'one');
SELECT name, pg_tviews_create(name, format('SELECT %1$s%2$s, count(*) AS rows, sum(cents) AS cents, avg(n) AS n, max(cents) AS most, min(day) AS first FROM tb_sale%3$s',
    CASE name WHEN 'total' THEN '1 AS ' ELSE '' END, key, CASE name WHEN 'total' THEN '' ELSE ' GROUP BY ' || key END), key_columns => string_to_array(key, ',')) IS NOT NULL AS created
  FROM tview;
CALL pg_tviews_drain();
-- Computed and stored, then moved.
UPDATE tb_sale SET cents = cents + 1 WHERE pk_sale <= 6;
CALL pg_tviews_drain();
UPDATE tb_sale SET cents = cents + 0.5, status = 'ab' WHERE pk_sale <= 3;
CALL pg_tviews_drain();
DELETE FROM tb_sale WHERE pk_sale = 7;
CALL pg_tviews_drain();
SELECT name, stored_groups > 0 AS stored, stored_group_reads > 0 AS read, (SELECT count(*) FROM pg_tviews_check(name)) AS differences
  FROM tview JOIN pg_tview_status ON entity_name = name AND tview_oid::text LIKE 'tv\_%' ORDER BY name;
SELECT status, rows FROM tv_by_status ORDER BY 1;
-- A text and a value of char(n) of another length are compared as such, and are not those of the group.
CREATE TABLE tb_status (pk_status char(5) PRIMARY KEY);
INSERT INTO tb_status VALUES ('a'), ('ab');
SELECT source, running_aggregates FROM pg_tviews_explain('SELECT pk_status, (SELECT count(*) FROM tb_sale s WHERE s.status = k.pk_status) AS n FROM tb_status k', '{pk_status}');
-- Many changes of both tables of a join: of the same rows in several transactions, and of too many rows.
CREATE TABLE tb_a (pk_a int PRIMARY KEY, k int, v int);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, k int, w int);
INSERT INTO tb_a SELECT i, 1, i FROM generate_series(1, 100) AS i;
INSERT INTO tb_b SELECT i, 1, i FROM generate_series(1, 100) AS i;
SELECT pg_tviews_create('pair', 'SELECT a.k AS pk_pair, count(*) AS n, sum(a.v * b.w) AS s, max(b.w) AS m FROM tb_a a JOIN tb_b b USING (k) GROUP BY a.k');
CALL pg_tviews_drain();
UPDATE tb_a SET v = v + 1 WHERE pk_a = 1;
CALL pg_tviews_drain();
UPDATE tb_a SET v = v + 1 WHERE pk_a <= 10;
UPDATE tb_b SET w = w - 1 WHERE pk_b <= 10;
UPDATE tb_a SET v = v + 1 WHERE pk_a <= 10;
UPDATE tb_b SET w = w - 1 WHERE pk_b <= 10;
CALL pg_tviews_drain();
SELECT * FROM tv_pair;
DO $$BEGIN FOR n IN 1 .. 12 LOOP UPDATE tb_a SET v = v + n; COMMIT; UPDATE tb_b SET w = w + n; COMMIT; END LOOP; END$$;
CALL pg_tviews_drain();
SELECT * FROM tv_pair;
SELECT n, s, m FROM v_pair;
UPDATE tb_b SET w = w + 1 WHERE pk_b = 1;
CALL pg_tviews_drain();
SELECT stored_groups, stored_group_reads > 0 AS read FROM pg_tview_status WHERE entity_name = 'pair';
-- A join in which few of many rows belong together.
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, region text);
CREATE TABLE tb_sold (pk_sold int PRIMARY KEY, fk_shop int, kind int, amount int);
INSERT INTO tb_shop SELECT i, 'region ' || i % 2 FROM generate_series(1, 10) AS i;
INSERT INTO tb_sold SELECT i, 1 + i % 10, i % 100, 1 FROM generate_series(1, 3000) AS i;
SELECT pg_tviews_create('region', 'SELECT s.region, count(*) AS n FROM tb_shop s JOIN tb_sold o ON o.fk_shop = s.pk_shop WHERE o.kind = 7 GROUP BY s.region', key_columns => '{region}');
CALL pg_tviews_drain();
INSERT INTO tb_sold VALUES (3001, 1, 7, 1);
CALL pg_tviews_drain();
INSERT INTO tb_sold VALUES (3002, 1, 7, 1);
CALL pg_tviews_drain();
UPDATE tb_sold SET kind = 8 WHERE pk_sold = 3001;
CALL pg_tviews_drain();
TABLE tv_region ORDER BY 1;
SELECT stored_groups, stored_group_reads > 0 AS read, (SELECT count(*) FROM pg_tviews_check('region')) AS differences FROM pg_tview_status WHERE entity_name = 'region';
DROP SCHEMA running_groups CASCADE;
