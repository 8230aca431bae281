-- updated_at, if the view does not have it, moves exactly when the row's content changes; created_at and
-- other columns are left alone.
SET client_min_messages = warning;
CREATE SCHEMA create_updated_at;
SET search_path = create_updated_at, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text, hidden text);
INSERT INTO tb_post VALUES (1, 'one', 'x'), (2, 'two', 'x');
CREATE TABLE tv_post (pk_post int PRIMARY KEY, data jsonb NOT NULL, created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now(), note text DEFAULT 'mine');
SELECT pg_tviews_create('post', $$SELECT pk_post, jsonb_build_object('title', upper(title)) AS data FROM tb_post$$);
CALL pg_tviews_drain();
CREATE FUNCTION age_rows() RETURNS void LANGUAGE sql AS $$UPDATE tv_post SET created_at = '2000-01-01', updated_at = '2000-01-01'$$;
CREATE VIEW seen AS SELECT pk_post, data, created_at = '2000-01-01' AS created_kept, updated_at > now() - interval '1 hour' AS updated, note FROM tv_post ORDER BY pk_post;
SELECT age_rows();
SELECT * FROM seen;
-- Content of row 1 changes.
UPDATE tb_post SET title = 'uno' WHERE pk_post = 1;
CALL pg_tviews_drain();
SELECT * FROM seen;
-- Changes that leave the content as it was.
SELECT age_rows();
UPDATE tb_post SET title = 'UNO' WHERE pk_post = 1;
UPDATE tb_post SET title = title, hidden = 'y';
UPDATE tb_post SET title = 'x' WHERE pk_post = 2; UPDATE tb_post SET title = 'two' WHERE pk_post = 2;
SELECT pg_tviews_refresh('post');
CALL pg_tviews_drain();
SELECT * FROM seen;
-- There and back again between two refreshes, then for good.
BEGIN; UPDATE tb_post SET title = 'a'; UPDATE tb_post SET title = 'b'; COMMIT;
CALL pg_tviews_drain();
SELECT * FROM seen;
-- timestamptz, and a view that has updated_at itself.
CREATE TABLE tv_tz (pk_tz int PRIMARY KEY, title text, updated_at timestamptz);
SELECT pg_tviews_create('tz', 'SELECT pk_post AS pk_tz, title FROM tb_post');
CREATE TABLE tv_own (pk_own int PRIMARY KEY, title text, updated_at timestamptz);
SELECT pg_tviews_create('own', $$SELECT pk_post AS pk_own, title, timestamptz '2001-02-03 04:05:06+00' AS updated_at FROM tb_post$$);
CALL pg_tviews_drain();
UPDATE tb_post SET title = 'c' WHERE pk_post = 1;
CALL pg_tviews_drain();
SELECT pk_tz, title, updated_at > now() - interval '1 hour' AS updated FROM tv_tz ORDER BY pk_tz;
SELECT pk_own, title, updated_at AT TIME ZONE 'UTC' AS updated_at FROM tv_own ORDER BY pk_own;
-- A column that does not take the time is left alone, whatever its name.
CREATE DOMAIN moment AS timestamptz;
CREATE TABLE tv_number (pk_post int PRIMARY KEY, title text, updated_at bigint DEFAULT 7);
CREATE TABLE tv_short (pk_post int PRIMARY KEY, title text, updated_at varchar(3) DEFAULT 'old');
CREATE TABLE tv_json (pk_post int PRIMARY KEY, title text, updated_at jsonb DEFAULT '{}');
CREATE TABLE tv_domain (pk_post int PRIMARY KEY, title text, updated_at moment DEFAULT '2001-01-01');
CREATE TABLE tv_text (pk_post int PRIMARY KEY, title text, updated_at text DEFAULT 'old');
CREATE TABLE tv_date (pk_post int PRIMARY KEY, title text, updated_at date DEFAULT '2001-01-01');
SELECT count(pg_tviews_create(name, 'SELECT pk_post, title FROM tb_post', key_columns => '{pk_post}')) FROM unnest('{number,short,json,domain,text,date}'::text[]) AS name;
UPDATE tb_post SET title = 'd' WHERE pk_post = 1;
CALL pg_tviews_drain();
SELECT n.title, n.updated_at AS number, s.updated_at AS short, j.updated_at AS json, d.updated_at > '2002-01-01' AS domain, t.updated_at <> 'old' AS text, a.updated_at > '2002-01-01' AS date
  FROM tv_number n JOIN tv_short s USING (pk_post) JOIN tv_json j USING (pk_post) JOIN tv_domain d USING (pk_post) JOIN tv_text t USING (pk_post) JOIN tv_date a USING (pk_post)
 ORDER BY pk_post;

DROP SCHEMA create_updated_at CASCADE;
