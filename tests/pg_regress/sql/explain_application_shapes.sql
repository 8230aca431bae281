-- The shapes that applications really use are keyed for every occurrence of a source, and every key query runs as it is.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA explain_application_shapes;
SET search_path = explain_application_shapes, public;

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
INSERT INTO tb_order_item SELECT i, 1 + i % 4, 'sku' || i, i, 1.5 * i FROM generate_series(1, 6) AS i;

CREATE VIEW v_user AS
SELECT u.id, jsonb_build_object('name', u.name, 'email', u.email) AS data FROM tb_user u;
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

\set entities '{user,post,user_with_posts,tagged_post,order_summary}'
SELECT entity, e.source, e.strategy, e.captured_columns, e.reason, e.advice
  FROM unnest(:'entities'::text[]) WITH ORDINALITY AS entities (entity, n), pg_tviews_explain(entity) WITH ORDINALITY AS e (source, strategy, captured_columns, key_query, reason, advice, running, place)
 ORDER BY n, place;
-- Registered, the same is said.
CREATE TEMP TABLE before_creation AS
SELECT entity, e.* FROM unnest(:'entities'::text[]) AS entity, pg_tviews_explain(entity) AS e;
SELECT count(*) || ' TVIEWs' FROM unnest(:'entities'::text[]) AS entity, pg_tviews_create(entity, key_columns => '{id}') AS tview;
SELECT count(*) || ' differences' FROM
    (TABLE before_creation EXCEPT ALL SELECT entity, e.* FROM unnest(:'entities'::text[]) AS entity, pg_tviews_explain(entity) AS e) AS differences;
-- Every key query returns the keys of all rows that have such a source row.
SET search_path = pg_catalog, public;
SELECT format('SELECT %L, %L, count(*) FROM (%s) AS keys', entity, source, key_query) FROM pg_temp.before_creation
\gexec

DROP SCHEMA explain_application_shapes CASCADE;
