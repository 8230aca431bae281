-- Security-barrier and security_invoker views, views with renamed columns, tables with dropped columns,
-- views nested in sub-selects, VALUES and functions in FROM.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_special_views;
SET search_path = lineage_special_views, public;

CREATE TABLE tb_user (junk int, pk_user int PRIMARY KEY, more_junk text, name text, secret boolean);
ALTER TABLE tb_user DROP COLUMN junk;
ALTER TABLE tb_user DROP COLUMN more_junk;
ALTER TABLE tb_user ADD COLUMN later text DEFAULT 'default';
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, lang text);
INSERT INTO tb_user VALUES (1, 'Ann', false), (2, 'Bob', true), (3, 'Cid', false);
INSERT INTO tb_post VALUES (10, 1, 'de'), (11, 2, 'en'), (12, 3, 'xx');

CREATE VIEW public_user (nr, label, extra) WITH (security_barrier) AS SELECT pk_user, name, later FROM tb_user WHERE NOT secret;
CREATE VIEW invoker_post WITH (security_invoker) AS SELECT * FROM tb_post;
ALTER VIEW public_user RENAME COLUMN label TO caption;
CREATE VIEW v_post AS
SELECT p.pk_post, u.caption, u.extra, l.language
  FROM invoker_post p LEFT JOIN public_user u ON u.nr = p.fk_user LEFT JOIN (VALUES ('de', 'German'), ('en', 'English')) AS l (lang, language) ON l.lang = p.lang;
CREATE VIEW v_user AS SELECT nr AS pk_user, caption, (SELECT count(*) FROM invoker_post i WHERE i.fk_user = nr) AS posts FROM public_user;
CREATE VIEW v_number AS SELECT g AS id, (SELECT u.caption FROM public_user u WHERE u.nr = g) AS caption FROM generate_series(1, 4) AS g;
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('number');

SELECT command FROM run_case('post,user,number',
    $$UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1$$,
    $$UPDATE tb_user SET secret = NOT secret$$,
    $$UPDATE tb_post SET lang = 'en'$$,
    $$UPDATE tb_user SET later = NULL$$,
    $$INSERT INTO tb_user VALUES (4, 'Dot', false)$$,
    $$UPDATE tb_post SET fk_user = 4$$,
    $$DELETE FROM tb_user WHERE pk_user = 4$$,
    $$TRUNCATE tb_post$$)
\gexec

DROP SCHEMA lineage_special_views CASCADE;
