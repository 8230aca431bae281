-- A link table with a composite key, read by a join and by a correlated sub-select.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA many_to_many;
SET search_path = many_to_many, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, label text);
CREATE TABLE tb_post_tag (fk_post int, fk_tag int, weight int DEFAULT 1, PRIMARY KEY (fk_post, fk_tag));
INSERT INTO tb_post VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO tb_tag VALUES (10, 'red'), (11, 'blue'), (12, 'unused');
INSERT INTO tb_post_tag VALUES (1, 10), (1, 11), (2, 10);

CREATE VIEW v_post AS
SELECT p.pk_post, p.title,
       (SELECT jsonb_agg(t.label ORDER BY t.label) FROM tb_post_tag pt JOIN tb_tag t ON t.pk_tag = pt.fk_tag
         WHERE pt.fk_post = p.pk_post) AS tags
  FROM tb_post p;
CREATE VIEW v_tag AS
SELECT t.pk_tag, t.label, array_agg(p.title ORDER BY pt.weight, p.pk_post) AS posts
  FROM tb_tag t LEFT JOIN tb_post_tag pt ON pt.fk_tag = t.pk_tag LEFT JOIN tb_post p ON p.pk_post = pt.fk_post
 GROUP BY t.pk_tag;
CREATE VIEW v_link AS
SELECT pt.fk_post, pt.fk_tag, pt.weight, p.title, t.label
  FROM tb_post_tag pt JOIN tb_post p ON p.pk_post = pt.fk_post JOIN tb_tag t ON t.pk_tag = pt.fk_tag;
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('tag');
SELECT pg_tviews_create('link', key_columns => '{fk_post,fk_tag}');

SELECT command FROM run_case('post,tag,link',
    $$UPDATE tb_tag SET label = 'crimson' WHERE pk_tag = 10$$,
    $$UPDATE tb_post SET title = 'uno' WHERE pk_post = 1$$,
    $$INSERT INTO tb_post_tag VALUES (3, 12)$$,
    $$UPDATE tb_post_tag SET fk_tag = 12 WHERE fk_post = 2$$,
    $$UPDATE tb_post_tag SET fk_post = 2 WHERE fk_post = 1$$,
    $$UPDATE tb_post_tag SET weight = 5 WHERE fk_tag = 12 AND fk_post = 3$$,
    $$DELETE FROM tb_post_tag WHERE fk_tag = 12$$,
    $$DELETE FROM tb_tag WHERE pk_tag = 10$$,
    $$INSERT INTO tb_tag VALUES (10, 'back')$$,
    $$DELETE FROM tb_post WHERE pk_post = 2$$,
    $$TRUNCATE tb_post_tag$$)
\gexec

DROP SCHEMA many_to_many CASCADE;
