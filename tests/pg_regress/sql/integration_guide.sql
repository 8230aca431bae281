-- The SQL of the integration guide, step by step, as written.
SET client_min_messages = warning;
CREATE SCHEMA integration_guide;
SET search_path = integration_guide, public;

CREATE TABLE tb_user (
pk_user BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
id UUID NOT NULL DEFAULT gen_random_uuid() UNIQUE,
email TEXT NOT NULL,
name TEXT NOT NULL
);
CREATE TABLE tb_post (
pk_post BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
id UUID NOT NULL DEFAULT gen_random_uuid() UNIQUE,
fk_user BIGINT NOT NULL REFERENCES tb_user(pk_user),
title TEXT NOT NULL,
content TEXT NOT NULL
);
CREATE TABLE tb_comment (
pk_comment BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
id UUID NOT NULL DEFAULT gen_random_uuid() UNIQUE,
fk_post BIGINT NOT NULL REFERENCES tb_post(pk_post),
fk_user BIGINT NOT NULL REFERENCES tb_user(pk_user),
text TEXT NOT NULL
);
CREATE TABLE tv_user (
pk_user BIGINT PRIMARY KEY,
data JSONB NOT NULL,
created_at TIMESTAMP DEFAULT NOW(),
updated_at TIMESTAMP DEFAULT NOW()
);
CREATE TABLE tv_post (
pk_post BIGINT PRIMARY KEY,
data JSONB NOT NULL,
created_at TIMESTAMP DEFAULT NOW(),
updated_at TIMESTAMP DEFAULT NOW()
);
CREATE TABLE tv_comment (
pk_comment BIGINT PRIMARY KEY,
data JSONB NOT NULL,
created_at TIMESTAMP DEFAULT NOW(),
updated_at TIMESTAMP DEFAULT NOW()
);
SELECT entity, base_table, backing_view
FROM pg_tviews_auto_convert_plan()
ORDER BY entity;
SELECT entity, status, message
FROM pg_tviews_auto_convert()
ORDER BY entity;
SELECT entity_name, tview_oid
FROM pg_tview_meta
ORDER BY entity_name;
UPDATE pg_tview_meta
SET fk_columns = '{fk_user}'::TEXT[]
WHERE entity_name = 'post';
UPDATE pg_tview_meta
SET fk_columns = '{fk_user,fk_post}'::TEXT[]
WHERE entity_name = 'comment';
INSERT INTO tb_user (email, name) VALUES ('alice@example.com', 'Alice');
INSERT INTO tb_post (fk_user, title, content) VALUES (1, 'Hello', 'World');
INSERT INTO tb_comment (fk_post, fk_user, text) VALUES (1, 1, 'First');
CALL pg_tviews_drain();
SELECT pk_user, data - 'id' AS data FROM tv_user;
SELECT pk_post, data - 'id' AS data FROM tv_post;
SELECT pk_comment, data - 'id' AS data FROM tv_comment;
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post'), same('v_comment', 'tv_comment');
DROP VIEW IF EXISTS v_post;
CREATE VIEW v_post AS
SELECT
pk_post,
id,
fk_user,
title,
content
FROM tb_post;
SELECT pg_tviews_create('post', $$
SELECT
pk_post,
jsonb_build_object(
'id', id,
'title', title,
'content', content,
'fk_user', fk_user
) AS data
FROM tb_post
$$);
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');
SELECT pk_post, data - 'id' AS data FROM tv_post;
UPDATE tb_post SET title = 'Changed';
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');
-- Troubleshooting.
SELECT pg_tviews_drop('post');
CREATE VIEW v_post AS SELECT pk_post, * FROM tb_post;
SELECT pg_tviews_create('post', 'SELECT pk_post, * FROM tb_post');
CALL pg_tviews_drain();
SELECT entity, status, message FROM pg_tviews_auto_convert() ORDER BY entity;
SELECT * FROM pg_tview_queue LIMIT 5;

DROP SCHEMA integration_guide CASCADE;
