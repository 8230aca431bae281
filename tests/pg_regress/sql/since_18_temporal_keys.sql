-- Temporal keys: WITHOUT OVERLAPS and FOREIGN KEY ... PERIOD.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA since_18_temporal_keys;
SET search_path = since_18_temporal_keys, public;
CREATE EXTENSION btree_gist SCHEMA since_18_temporal_keys;

CREATE TABLE tb_product (id int, valid daterange, name text, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE tb_price (id int, valid daterange, product int, price numeric, PRIMARY KEY (id, valid WITHOUT OVERLAPS),
                       FOREIGN KEY (product, PERIOD valid) REFERENCES tb_product (id, PERIOD valid) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO tb_product VALUES (1, '[2024-01-01,2025-01-01)', 'tea'), (1, '[2025-01-01,)', 'green tea'), (2, '[2024-01-01,)', 'milk');
INSERT INTO tb_price VALUES (1, '[2024-01-01,2024-07-01)', 1, 3), (2, '[2024-07-01,2025-02-01)', 1, 4), (3, '[2024-02-01,)', 2, 1);

-- A key of several columns, a range among them; a join by overlap; the present only.
CREATE VIEW v_product AS SELECT id, valid, name FROM tb_product;
CREATE VIEW v_price AS SELECT p.id, p.valid * q.valid AS valid, p.price, q.name FROM tb_price p JOIN tb_product q ON q.id = p.product AND q.valid && p.valid;
CREATE VIEW v_latest AS SELECT DISTINCT ON (id) id, name, lower(valid) AS since FROM tb_product ORDER BY id, valid DESC;
SELECT pg_tviews_create('product', key_columns => '{id,valid}');
SELECT pg_tviews_create('price', key_columns => '{id,valid}');
SELECT pg_tviews_create('latest', key_columns => '{id}');

SELECT command FROM run_case('product,price,latest',
    $$UPDATE tb_product SET name = 'black tea' WHERE id = 1 AND valid @> date '2024-03-01'$$,
    $$UPDATE tb_price SET price = 5 WHERE id = 3$$,
    $$UPDATE tb_price SET valid = '[2024-03-01,)' WHERE id = 3$$,
    $$UPDATE tb_product SET valid = '[2024-02-01,)' WHERE id = 2$$,
    $$INSERT INTO tb_product VALUES (3, '[2024-01-01,2024-02-01)', 'rye'), (3, '[2024-02-01,2024-03-01)', 'oat')$$,
    $$INSERT INTO tb_price VALUES (4, '[2024-01-15,2024-02-15)', 3, 9)$$,
    $$DELETE FROM tb_price WHERE product = 3$$,
    $$DELETE FROM tb_product WHERE id = 3$$,
    $$UPDATE tb_product SET valid = '[2025-06-01,)' WHERE name = 'green tea'; UPDATE tb_product SET valid = '[2024-01-01,2025-06-01)' WHERE valid @> date '2024-01-01' AND id = 1$$,
    $$DELETE FROM tb_price; DELETE FROM tb_product$$)
\gexec

-- A tv table with such a key keeps no two rows apart by equality: the key wants a unique index.
CREATE VIEW v_own AS SELECT id, valid, name FROM tb_product;
CREATE TABLE tv_own (id int, valid daterange, name text, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
SELECT error_of($$SELECT pg_tviews_create('own', key_columns => '{id,valid}')$$);
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'tv_own'::regclass ORDER BY 1;

DROP SCHEMA since_18_temporal_keys CASCADE;
