-- An existing tv table keeps its columns, indexes, constraints, defaults and grants; its rows are reconciled
-- and rows that were right already are not rewritten.
SET client_min_messages = warning;
CREATE SCHEMA create_existing_table;
SET search_path = create_existing_table, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
INSERT INTO tb_post SELECT i, 'post' || i FROM generate_series(1, 4) AS i;
CREATE TABLE category (name text PRIMARY KEY);
INSERT INTO category VALUES ('general'), ('special');
CREATE TABLE tv_post (
    pk_post  bigint PRIMARY KEY,
    title    varchar(40),
    category text NOT NULL DEFAULT 'general' REFERENCES category,
    clicks   int DEFAULT 0 CHECK (clicks >= 0),
    created_at timestamp DEFAULT '2020-01-01');
CREATE INDEX tv_post_title_idx ON tv_post (title);
GRANT SELECT ON tv_post TO PUBLIC;
INSERT INTO tv_post VALUES (1, 'post1', 'special', 7, '2021-01-01'), (2, 'stale', 'special', 8, '2021-01-01'), (99, 'nobody', 'general', 9, '2021-01-01');
CALL remember_rows('post');

CREATE VIEW v_post AS SELECT pk_post, title FROM tb_post;
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
SELECT * FROM tv_post ORDER BY pk_post;
-- Row 1 was right: its version is still there.
SELECT count(*) FROM remembered_rows JOIN tv_post ON version = concat(tv_post.ctid, tv_post.xmin) AND pk_post = 1;
UPDATE tb_post SET title = title || '!' WHERE pk_post = 1;
DELETE FROM tb_post WHERE pk_post = 2;
INSERT INTO tb_post VALUES (5, 'new');
CALL pg_tviews_drain();
SELECT * FROM tv_post ORDER BY pk_post;
SELECT same('v_post', 'tv_post');
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'tv_post'::regclass AND attnum > 0 ORDER BY attnum;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'tv_post'::regclass AND contype <> 'n' ORDER BY conname;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'tv_post'::regclass ORDER BY 1::text;
SELECT has_table_privilege('public', 'tv_post', 'SELECT');

-- A table without an index on its key, and a table that other tables refer to.
CREATE TABLE tv_bare (pk_bare int, title text);
SELECT pg_tviews_create('bare', 'SELECT pk_post AS pk_bare, title FROM tb_post');
CREATE TABLE tv_parent (pk_parent int PRIMARY KEY, title text);
CREATE TABLE favourite (fk_parent int REFERENCES tv_parent);
SELECT pg_tviews_create('parent', 'SELECT pk_post AS pk_parent, title FROM tb_post');
CALL pg_tviews_drain();
INSERT INTO favourite VALUES (1);
UPDATE tb_post SET title = 'again';
CALL pg_tviews_drain();
SELECT same('v_bare', 'tv_bare'), same('v_parent', 'tv_parent'), (SELECT count(*) FROM favourite);

DROP SCHEMA create_existing_table CASCADE;
