-- Sub-selects in FROM and CTEs, grouped or distinct, also used twice, through their group keys.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_grouped_subselects;
SET search_path = lineage_grouped_subselects, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, country text);
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, fk_user int, product text, amount int);
INSERT INTO tb_user VALUES (1, 'Ann', 'de'), (2, 'Bob', 'de'), (3, 'Cid', 'fr');
INSERT INTO tb_sale VALUES (1, 1, 'x', 10), (2, 1, 'y', 20), (3, 2, 'x', 5), (4, 3, 'z', 1);

CREATE VIEW v_summed AS
SELECT u.pk_user AS id, u.name, s.total, s.n FROM tb_user u
  LEFT JOIN (SELECT fk_user, sum(amount) AS total, count(*) AS n FROM tb_sale GROUP BY fk_user) s ON s.fk_user = u.pk_user;
CREATE VIEW v_distinct AS
SELECT u.pk_user AS id, string_agg(d.product, ',' ORDER BY d.product) AS products FROM tb_user u
  JOIN (SELECT DISTINCT fk_user, product FROM tb_sale) d ON d.fk_user = u.pk_user GROUP BY u.pk_user;
CREATE VIEW v_cte_twice AS
WITH per_user AS (SELECT fk_user, sum(amount) AS total FROM tb_sale GROUP BY fk_user),
     per_country AS (SELECT u.country, sum(p.total) AS total FROM tb_user u JOIN per_user p ON p.fk_user = u.pk_user GROUP BY u.country)
SELECT u.pk_user AS id, p.total, c.total AS country_total, round(100.0 * p.total / nullif(c.total, 0), 2) AS share
  FROM tb_user u LEFT JOIN per_user p ON p.fk_user = u.pk_user LEFT JOIN per_country c ON c.country = u.country;
CREATE VIEW v_materialized AS
WITH s AS MATERIALIZED (SELECT * FROM tb_sale WHERE amount > 1)
SELECT a.pk_sale AS id, a.product, count(b.pk_sale) AS same_product FROM s a JOIN s b ON b.product = a.product GROUP BY a.pk_sale, a.product;
CREATE VIEW v_twice_grouped AS
SELECT country, sum(total) AS total, max(best) AS best
  FROM (SELECT u.pk_user, u.country, sum(s.amount) AS total, max(s.amount) AS best FROM tb_user u LEFT JOIN tb_sale s ON s.fk_user = u.pk_user GROUP BY u.pk_user, u.country) x
 GROUP BY country;
CREATE VIEW v_product AS SELECT DISTINCT product, upper(product) AS label FROM tb_sale;
CREATE VIEW v_distinct_pair AS SELECT DISTINCT u.country, s.product FROM tb_user u JOIN tb_sale s ON s.fk_user = u.pk_user;
SELECT pg_tviews_create(entity) FROM unnest('{summed,distinct,cte_twice,materialized}'::text[]) AS entity;
SELECT pg_tviews_create('twice_grouped', key_columns => '{country}');
SELECT pg_tviews_create('product', key_columns => '{product}');
SELECT pg_tviews_create('distinct_pair', key_columns => '{country,product}');

SELECT command FROM run_case('summed,distinct,cte_twice,materialized,twice_grouped,product,distinct_pair',
    $$UPDATE tb_sale SET amount = 11 WHERE pk_sale = 1$$,
    $$UPDATE tb_sale SET fk_user = 3 WHERE pk_sale = 2$$,
    $$UPDATE tb_user SET country = 'fr' WHERE pk_user = 2$$,
    $$UPDATE tb_sale SET product = 'z' WHERE pk_sale = 3$$,
    $$INSERT INTO tb_sale VALUES (5, 2, 'x', 0), (6, 2, 'x', 7)$$,
    $$DELETE FROM tb_sale WHERE pk_sale = 4$$,
    $$INSERT INTO tb_user VALUES (4, 'Dot', 'it')$$,
    $$UPDATE tb_sale SET amount = 0$$,
    $$UPDATE tb_user SET country = 'xx' WHERE country = 'fr'$$,
    $$DELETE FROM tb_user WHERE pk_user = 1$$,
    $$TRUNCATE tb_sale$$)
\gexec

DROP SCHEMA lineage_grouped_subselects CASCADE;
