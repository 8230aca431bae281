-- The read side of the shop. See README.md for what each shows.

-- A product with everything that its page needs, in all languages.
SELECT pg_tviews_create('product', $$
    SELECT p.pk_product, p.sku,
           jsonb_build_object(
               'sku', p.sku,
               'price', p.price,
               'texts', (SELECT coalesce(jsonb_object_agg(t.language, jsonb_build_object('name', t.name, 'description', t.description)), '{}')
                         FROM tb_product_text t WHERE t.fk_product = p.pk_product),
               'tags', (SELECT coalesce(jsonb_agg(g.slug ORDER BY g.slug), '[]')
                        FROM tb_product_tag pt JOIN tb_tag g ON g.pk_tag = pt.fk_tag WHERE pt.fk_product = p.pk_product),
               'stock', (SELECT coalesce(jsonb_object_agg(w.city, s.quantity), '{}')
                         FROM tb_stock s JOIN tb_warehouse w ON w.pk_warehouse = s.fk_warehouse WHERE s.fk_product = p.pk_product),
               'available', (SELECT coalesce(sum(s.quantity), 0) > 0 FROM tb_stock s WHERE s.fk_product = p.pk_product)
           ) AS data
    FROM tb_product p
$$);

-- The list of products in one language: a row per product and language, with columns to search and sort by.
SELECT pg_tviews_create('listing', $$
    SELECT t.fk_product, t.language, t.name, p.price,
           (SELECT coalesce(sum(s.quantity), 0) FROM tb_stock s WHERE s.fk_product = t.fk_product) AS in_stock
    FROM tb_product_text t JOIN tb_product p ON p.pk_product = t.fk_product
$$, key_columns => '{fk_product,language}');
CREATE INDEX ON tv_listing (language, name);
CREATE INDEX ON tv_listing (language, price);

-- An order in the language of its customer; a missing translation shows the SKU.
SELECT pg_tviews_create('order', $$
    SELECT o.pk_order, o.fk_customer,
           jsonb_build_object(
               'customer', c.name,
               'status', o.status,
               'placed_at', o.placed_at,
               'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('product', coalesce(t.name, p.sku), 'quantity', l.quantity,
                                                                      'amount', l.quantity * l.unit_price) ORDER BY l.line), '[]')
                         FROM tb_order_line l
                         JOIN tb_product p ON p.pk_product = l.fk_product
                         LEFT JOIN tb_product_text t ON t.fk_product = l.fk_product AND t.language = c.language
                         WHERE l.fk_order = o.pk_order),
               'total', (SELECT coalesce(sum(l.quantity * l.unit_price), 0) FROM tb_order_line l WHERE l.fk_order = o.pk_order)
           ) AS data
    FROM tb_order o JOIN tb_customer c ON c.pk_customer = o.fk_customer
$$);
CREATE INDEX ON tv_order (fk_customer);

-- A customer with his orders: the documents of the view above.
SELECT pg_tviews_create('customer', $$
    SELECT c.pk_customer,
           jsonb_build_object(
               'name', c.name,
               'spent', coalesce(sum((o.data ->> 'total')::numeric), 0),
               'orders', coalesce(jsonb_agg(o.data - 'customer' ORDER BY o.pk_order) FILTER (WHERE o.pk_order IS NOT NULL), '[]')
           ) AS data
    FROM tb_customer c LEFT JOIN v_order o ON o.fk_customer = c.pk_customer
    GROUP BY c.pk_customer, c.name
$$);

-- A tag with the products that can be bought now.
SELECT pg_tviews_create('tag', $$
    SELECT g.pk_tag, g.slug,
           (SELECT coalesce(jsonb_agg(p.sku ORDER BY p.pk_product), '[]')
            FROM tb_product_tag pt JOIN tb_product p ON p.pk_product = pt.fk_product
            WHERE pt.fk_tag = g.pk_tag
                  AND EXISTS (SELECT FROM tb_stock s WHERE s.fk_product = p.pk_product AND s.quantity > 0)) AS products
    FROM tb_tag g
$$);
