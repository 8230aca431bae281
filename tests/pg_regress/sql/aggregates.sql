-- Extremes that are deleted, averages that do not divide, and a single row that never disappears.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA aggregates;
SET search_path = aggregates, public;

CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text);
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, fk_shop int, amount int, price numeric, ratio float8);
INSERT INTO tb_shop VALUES (1, 'one'), (2, 'two');
INSERT INTO tb_sale VALUES (1, 1, 10, 3.30, 0.1), (2, 1, 20, 1, 0.2), (3, 1, 5, 2, 0.3), (4, 2, 7, 1.10, 1e300);

CREATE VIEW v_shop AS
SELECT s.pk_shop, min(a.amount) AS least, max(a.amount) AS most, avg(a.amount) AS mean, avg(a.price) AS price,
       stddev_pop(a.amount) AS spread, max(a.ratio) AS ratio, bool_or(a.amount > 15) AS big, array_agg(a.amount ORDER BY a.amount) AS amounts
  FROM tb_shop s LEFT JOIN tb_sale a ON a.fk_shop = s.pk_shop GROUP BY s.pk_shop;
CREATE VIEW v_summary AS
SELECT 1 AS id, count(*) AS sales, sum(amount) AS amount, max(price) AS price FROM tb_sale;
SELECT pg_tviews_create('shop');
SELECT pg_tviews_create('summary');

SELECT command FROM run_case('shop,summary',
    $$DELETE FROM tb_sale WHERE pk_sale = 2$$,
    $$DELETE FROM tb_sale WHERE pk_sale = 3$$,
    $$INSERT INTO tb_sale VALUES (5, 1, 1, 1, 0.7), (6, 1, 1, 0.01, -0.7)$$,
    $$UPDATE tb_sale SET amount = 100 WHERE pk_sale = 4$$,
    $$UPDATE tb_sale SET price = 1.100 WHERE pk_sale = 4$$,
    $$UPDATE tb_sale SET ratio = 'NaN' WHERE pk_sale = 5$$,
    $$UPDATE tb_sale SET fk_shop = 2 WHERE pk_sale = 1$$,
    $$DELETE FROM tb_sale WHERE fk_shop = 2$$,
    $$DELETE FROM tb_sale$$,
    $$INSERT INTO tb_sale VALUES (7, 2, NULL, NULL, NULL)$$,
    $$TRUNCATE tb_sale$$,
    $$INSERT INTO tb_sale VALUES (8, 1, 8, 8, 8)$$)
\gexec

DROP SCHEMA aggregates CASCADE;
