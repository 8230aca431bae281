-- Customers order, warehouses are filled, prices, texts and tags change.
\set action random(1, 100)
\set product random(1, 200)
\set other random(1, 200)
\set customer random(1, 300)
\set warehouse random(1, 3)
\set quantity random(1, 4)
\set tag random(1, 10)
\if :action <= 50
BEGIN;
UPDATE tb_stock SET quantity = greatest(quantity - :quantity, 0) WHERE fk_product = :product AND fk_warehouse = :warehouse;
WITH placed AS (INSERT INTO tb_order (fk_customer) VALUES (:customer) RETURNING pk_order)
INSERT INTO tb_order_line
SELECT pk_order, row_number() OVER (ORDER BY pk_product), pk_product, :quantity, price
  FROM placed, tb_product WHERE pk_product IN (:product, :other);
COMMIT;
\elif :action <= 65
UPDATE tb_order SET status = CASE status WHEN 'placed' THEN 'paid' WHEN 'paid' THEN 'sent' ELSE 'done' END
 WHERE pk_order = (SELECT max(pk_order) FROM tb_order) - :product;
\elif :action <= 80
UPDATE tb_stock SET quantity = CASE WHEN quantity < 50 THEN 100 ELSE 0 END WHERE fk_product = :product AND fk_warehouse = :warehouse;
\elif :action <= 88
UPDATE tb_product SET price = round(price * (90 + :tag * 2) / 100.0, 2) WHERE pk_product = :product;
\elif :action <= 92
UPDATE tb_product_text SET name = 'Cup ' || :action || '-' || :other WHERE fk_product = :product AND language = 'en';
\elif :action <= 94
DELETE FROM tb_product_text WHERE fk_product = :product AND language = 'de';
\elif :action <= 96
INSERT INTO tb_product_text VALUES (:product, 'de', 'Becher ' || :other, 'Ein Becher.') ON CONFLICT DO NOTHING;
\elif :action <= 98
INSERT INTO tb_product_tag VALUES (:product, :tag) ON CONFLICT DO NOTHING;
\elif :action <= 99
DELETE FROM tb_product_tag WHERE fk_product = :product AND fk_tag = :tag;
\else
UPDATE tb_customer SET name = 'Customer ' || :customer || '.' || :other, language = 'fr' WHERE pk_customer = :customer;
\endif
