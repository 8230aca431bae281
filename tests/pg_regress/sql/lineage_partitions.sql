-- Partitioned sources: leaves with other column orders, moves, direct writes to a leaf, ATTACH, DETACH,
-- new and dropped partitions, TRUNCATE of a leaf.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_partitions;
SET search_path = lineage_partitions, public;

CREATE TABLE tb_sale (pk_sale int, region text, fk_shop int, amount int, PRIMARY KEY (pk_sale, region)) PARTITION BY LIST (region);
CREATE TABLE tb_sale_north PARTITION OF tb_sale FOR VALUES IN ('north');
CREATE TABLE tb_sale_south (amount int, dropped text, fk_shop int, region text NOT NULL, pk_sale int NOT NULL, PRIMARY KEY (pk_sale, region));
ALTER TABLE tb_sale_south DROP COLUMN dropped;
ALTER TABLE tb_sale ATTACH PARTITION tb_sale_south FOR VALUES IN ('south');
CREATE TABLE tb_sale_east PARTITION OF tb_sale FOR VALUES IN ('east', 'far east') PARTITION BY LIST (region);
CREATE TABLE tb_sale_east_1 (region text NOT NULL, amount int, pk_sale int NOT NULL, fk_shop int, PRIMARY KEY (pk_sale, region));
ALTER TABLE tb_sale_east ATTACH PARTITION tb_sale_east_1 FOR VALUES IN ('east');
CREATE TABLE tb_sale_west (fk_shop int, pk_sale int NOT NULL, region text NOT NULL, amount int, PRIMARY KEY (pk_sale, region));
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text);
INSERT INTO tb_shop VALUES (1, 'one'), (2, 'two');
INSERT INTO tb_sale VALUES (1, 'north', 1, 10), (2, 'south', 1, 20), (3, 'east', 2, 30), (4, 'north', 2, 40);
INSERT INTO tb_sale_west VALUES (1, 100, 'west', 1000), (2, 101, 'west', 2000);

CREATE VIEW v_sale AS SELECT s.pk_sale, s.region, s.amount, t.name FROM tb_sale s LEFT JOIN tb_shop t ON t.pk_shop = s.fk_shop;
CREATE VIEW v_shop AS SELECT t.pk_shop, t.name, sum(s.amount) AS amount, array_agg(s.region ORDER BY s.pk_sale) AS regions FROM tb_shop t LEFT JOIN tb_sale s ON s.fk_shop = t.pk_shop GROUP BY t.pk_shop;
CREATE VIEW v_south AS SELECT pk_sale, amount FROM tb_sale_south;
SELECT pg_tviews_create('sale', key_columns => '{pk_sale}');
SELECT pg_tviews_create('shop');
SELECT pg_tviews_create('south', key_columns => '{pk_sale}');

SELECT command FROM run_case('sale,shop,south',
    $$UPDATE tb_sale SET amount = amount + 1 WHERE pk_sale = 2$$,
    $$UPDATE tb_sale SET region = 'south' WHERE pk_sale = 1$$,
    $$UPDATE tb_sale SET region = 'east', fk_shop = 2 WHERE pk_sale = 2$$,
    $$INSERT INTO tb_sale_south VALUES (50, 1, 'south', 5)$$,
    $$UPDATE tb_sale_east_1 SET fk_shop = 1$$,
    $$UPDATE tb_sale_north SET amount = 41$$,
    $$DELETE FROM tb_sale_south WHERE pk_sale = 1$$,
    $$ALTER TABLE tb_sale ATTACH PARTITION tb_sale_west FOR VALUES IN ('west')$$,
    $$UPDATE tb_sale_west SET amount = amount + 7$$,
    $$INSERT INTO tb_sale VALUES (102, 'west', 1, 3000)$$,
    $$CREATE TABLE tb_sale_rest PARTITION OF tb_sale DEFAULT; INSERT INTO tb_sale VALUES (200, 'other', 1, 9)$$,
    $$INSERT INTO tb_sale_rest VALUES (201, 'more', 2, 10); UPDATE tb_sale SET region = 'north' WHERE pk_sale = 200$$,
    $$TRUNCATE tb_sale_north$$,
    $$DROP TABLE tb_sale_rest$$,
    $$ALTER TABLE tb_sale DETACH PARTITION tb_sale_west$$,
    $$UPDATE tb_sale_west SET amount = 0$$,
    $$DELETE FROM tb_sale WHERE region = 'east'$$,
    $$TRUNCATE tb_sale$$)
\gexec

DROP SCHEMA lineage_partitions CASCADE;
