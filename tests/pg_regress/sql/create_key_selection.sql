-- Which columns become the key: key_columns, pk_<entity>, the table's primary key, id; else an error.
SET client_min_messages = warning;
CREATE SCHEMA create_key_selection;
SET search_path = create_key_selection, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, id uuid UNIQUE, tenant int, slug text, title text);
INSERT INTO tb_post VALUES (1, '00000000-0000-0000-0000-000000000001', 1, 'a', 'one'), (2, '00000000-0000-0000-0000-000000000002', 1, 'b', 'two');

-- A new table: key_columns, pk_<entity>, id.
SELECT pg_tviews_create('given', 'SELECT tenant, slug, pk_post, id FROM tb_post', key_columns => '{tenant,slug}');
SELECT pg_tviews_create('post', 'SELECT pk_post, id, title FROM tb_post');
SELECT pg_tviews_create('by_id', 'SELECT pk_post, id, title FROM tb_post');
-- An existing table: pk_<entity> in both, primary keys of every kind.
CREATE TABLE tv_article (pk_article int UNIQUE, id uuid PRIMARY KEY, title text);
SELECT pg_tviews_create('article', 'SELECT pk_post AS pk_article, id, title FROM tb_post');
CREATE TABLE tv_by_uuid (id uuid PRIMARY KEY, data jsonb);
SELECT pg_tviews_create('by_uuid', 'SELECT id, to_jsonb(p) AS data FROM tb_post p');
CREATE TABLE tv_by_text (data jsonb, slug text PRIMARY KEY);
SELECT pg_tviews_create('by_text', 'SELECT slug, to_jsonb(p) AS data FROM tb_post p');
CREATE TABLE tv_by_two (title text, slug text, tenant int, PRIMARY KEY (tenant, slug));
SELECT pg_tviews_create('by_two', 'SELECT slug, title, tenant FROM tb_post p');
-- pk_<entity> only in the view, so the table's primary key.
CREATE TABLE tv_half (id uuid PRIMARY KEY, title text);
SELECT pg_tviews_create('half', 'SELECT pk_post AS pk_half, id, title FROM tb_post');

SELECT entity_name, tview_oid, view_oid, key_columns FROM pg_tview_meta WHERE tview_oid::text IN (SELECT name FROM traces WHERE kind = 'TVIEW') ORDER BY entity_name;
SELECT indrelid::regclass AS tv, pg_get_indexdef(indexrelid) AS primary_key FROM pg_index
 WHERE indisprimary AND indrelid = ANY ('{tv_given,tv_post,tv_by_id}'::regclass[]) ORDER BY 1::text;
CALL pg_tviews_drain();
SELECT entity, same(relation_of('v_', entity), relation_of('tv_', entity)) FROM unnest('{given,post,by_id,article,by_uuid,by_text,by_two,half}'::text[]) AS entity;

-- No key fits.
\pset format unaligned
\pset tuples_only on
SELECT error_of($$SELECT pg_tviews_create('none', 'SELECT slug, title FROM tb_post')$$);
CREATE TABLE tv_other (other int PRIMARY KEY, title text);
SELECT error_of($$SELECT pg_tviews_create('other', 'SELECT slug, title FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('other2', 'SELECT slug, title FROM tb_post', key_columns => '{pk_post}')$$);
SELECT error_of($$SELECT pg_tviews_create('other2', 'SELECT slug, title FROM tb_post', key_columns => '{}')$$);
SELECT error_of($$SELECT pg_tviews_create('other2', 'SELECT slug, title FROM tb_post', key_columns => '{slug,slug}')$$);
SELECT error_of($$SELECT pg_tviews_create('other2', 'SELECT slug, title FROM tb_post', key_columns => '{slug,NULL}')$$);
SELECT error_of($$SELECT pg_tviews_create('other', 'SELECT slug, title FROM tb_post', key_columns => '{slug}')$$);
SELECT error_of($$SELECT pg_tviews_create('json', 'SELECT slug, to_json(title) AS doc FROM tb_post', key_columns => '{doc}')$$);

DROP SCHEMA create_key_selection CASCADE;
