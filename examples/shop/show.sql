-- Changes to the tables, and the documents that follow them.

\pset linestyle unicode
\pset footer off

\echo
\echo '--- Before: a product, its places in the lists, and an order of it'
SELECT jsonb_pretty(data) AS product FROM tv_product WHERE sku = 'P7';
SELECT language, name, price, in_stock FROM tv_listing WHERE fk_product = 7 ORDER BY language;
SELECT data -> 'lines' AS lines, data -> 'total' AS total FROM tv_order WHERE pk_order = 1499;
SELECT slug, jsonb_array_length(products) AS products FROM tv_tag WHERE slug = 'gift';

\echo '--- Changes: a lower price, a better name, a new tag, many pieces sold, and an order of the product'
\set ECHO queries
UPDATE tb_product SET price = 4.95 WHERE sku = 'P7';
UPDATE tb_product_text SET name = 'Gift cup' WHERE fk_product = 7 AND language = 'en';
INSERT INTO tb_product_tag SELECT 7, pk_tag FROM tb_tag WHERE slug = 'gift' ON CONFLICT DO NOTHING;
UPDATE tb_stock SET quantity = quantity - 90 WHERE fk_product = 7;
UPDATE tb_order_line SET fk_product = 7, quantity = 2 WHERE fk_order = 1499 AND line = 1;
\set ECHO none

SELECT pg_tviews_wait() AS visible \gset
\if :visible
\else
    \warn 'The changes are not visible after 30 seconds: is pg_tviews in shared_preload_libraries?'
\endif

\echo
\echo '--- After: the same'
SELECT jsonb_pretty(data) AS product FROM tv_product WHERE sku = 'P7';
SELECT language, name, price, in_stock FROM tv_listing WHERE fk_product = 7 ORDER BY language;
SELECT data -> 'lines' AS lines, data -> 'total' AS total FROM tv_order WHERE pk_order = 1499;
SELECT slug, jsonb_array_length(products) AS products FROM tv_tag WHERE slug = 'gift';

\echo '--- How changes are followed: by key, each source'
SELECT t.entity_name AS tview, e.source, e.strategy FROM pg_tview_meta t, pg_tviews_explain(t.entity_name) e ORDER BY 1, 2;
