-- The shapes that applications really use: flat entity, embedded parent, children array, tags through a
-- link table, order summary.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_application_shapes;
SET search_path = lineage_application_shapes, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, id uuid UNIQUE, name text, email text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, id uuid UNIQUE, fk_user int, title text);
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, id uuid UNIQUE, label text);
CREATE TABLE tb_post_tag (fk_post int, fk_tag int, PRIMARY KEY (fk_post, fk_tag));
CREATE TABLE tb_order (pk_order int PRIMARY KEY, id uuid UNIQUE, fk_user int, placed date);
CREATE TABLE tb_order_item (pk_order_item int PRIMARY KEY, fk_order int, sku text, quantity int, price numeric(10,2));
INSERT INTO tb_user SELECT i, md5('u' || i)::uuid, 'user' || i, 'u' || i || '@example.org' FROM generate_series(1, 4) AS i;
INSERT INTO tb_post SELECT i, md5('p' || i)::uuid, 1 + i % 3, 'post' || i FROM generate_series(1, 8) AS i;
INSERT INTO tb_tag SELECT i, md5('t' || i)::uuid, 'tag' || i FROM generate_series(1, 3) AS i;
INSERT INTO tb_post_tag SELECT i, 1 + i % 3 FROM generate_series(1, 8) AS i;
INSERT INTO tb_order SELECT i, md5('o' || i)::uuid, 1 + i % 3, '2024-01-01' FROM generate_series(1, 4) AS i;
INSERT INTO tb_order_item SELECT i, 1 + i % 3, 'sku' || i, i, 1.10 * i FROM generate_series(1, 6) AS i;

CREATE VIEW v_user AS SELECT u.id, jsonb_build_object('name', u.name, 'email', u.email) AS data FROM tb_user u;
CREATE VIEW v_post AS
SELECT p.id, jsonb_build_object('title', p.title, 'author', vu.data) AS data
  FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user JOIN v_user vu ON vu.id = u.id;
CREATE VIEW v_user_with_posts AS
SELECT u.id, vu.data || jsonb_build_object('posts', coalesce(jsonb_agg(vp.data ORDER BY p.pk_post) FILTER (WHERE vp.id IS NOT NULL), '[]')) AS data
  FROM tb_user u JOIN v_user vu ON vu.id = u.id
  LEFT JOIN tb_post p ON p.fk_user = u.pk_user
  LEFT JOIN v_post vp ON vp.id = p.id
 GROUP BY u.id, vu.data;
CREATE VIEW v_tagged_post AS
SELECT p.id, jsonb_build_object('title', p.title, 'tags',
         (SELECT coalesce(jsonb_agg(t.label ORDER BY t.label), '[]') FROM tb_post_tag pt JOIN tb_tag t ON t.pk_tag = pt.fk_tag WHERE pt.fk_post = p.pk_post)) AS data
  FROM tb_post p;
CREATE VIEW v_order AS
SELECT o.id, o.pk_order, jsonb_build_object('placed', o.placed, 'customer', vu.data) AS data
  FROM tb_order o JOIN tb_user u ON u.pk_user = o.fk_user JOIN v_user vu ON vu.id = u.id;
CREATE VIEW v_order_summary AS
SELECT o.id, o.data || jsonb_build_object('items', coalesce(i.items, '[]'), 'total', coalesce(i.total, 0)) AS data
  FROM v_order o
  LEFT JOIN (SELECT fk_order, jsonb_agg(jsonb_build_object('sku', sku, 'quantity', quantity) ORDER BY pk_order_item) AS items, sum(quantity * price) AS total
               FROM tb_order_item GROUP BY fk_order) i ON i.fk_order = o.pk_order;
SELECT pg_tviews_create(entity, key_columns => '{id}')
  FROM unnest('{user,post,user_with_posts,tagged_post,order,order_summary}'::text[]) AS entity;

SELECT command FROM run_case('user,post,user_with_posts,tagged_post,order,order_summary',
    $$UPDATE tb_user SET name = 'renamed' WHERE pk_user = 2$$,
    $$UPDATE tb_post SET title = 'retitled' WHERE pk_post = 3$$,
    $$UPDATE tb_post SET fk_user = 4 WHERE pk_post IN (3, 4)$$,
    $$UPDATE tb_tag SET label = 'label' WHERE pk_tag = 1$$,
    $$DELETE FROM tb_post_tag WHERE fk_tag = 2$$,
    $$INSERT INTO tb_post_tag VALUES (1, 1), (2, 2)$$,
    $$INSERT INTO tb_order_item VALUES (7, 4, 'sku7', 1, 9.99)$$,
    $$UPDATE tb_order_item SET fk_order = 4 WHERE pk_order_item = 1$$,
    $$DELETE FROM tb_order_item WHERE fk_order = 4$$,
    $$UPDATE tb_order SET fk_user = 4 WHERE pk_order = 1$$,
    $$DELETE FROM tb_user WHERE pk_user = 1$$,
    $$DELETE FROM tb_post WHERE fk_user = 4$$,
    $$UPDATE tb_user SET id = md5('new')::uuid WHERE pk_user = 3$$)
\gexec

DROP SCHEMA lineage_application_shapes CASCADE;
