-- Keys made of two sources that change together: what a row was is found in the table.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_keys_of_two_sources;
SET search_path = lineage_keys_of_two_sources, public;

-- Wide rows: the planner expects few of them, and does not compile the cross joins below.
CREATE TABLE tb_user (pk_user int PRIMARY KEY, id text, org int, wide char(3000));
CREATE TABLE tb_post (pk_post int PRIMARY KEY, id text, fk_user int, stars int, wide char(3000));
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, label varchar(20), fk_post int);
CREATE TABLE tb_org (pk_org int PRIMARY KEY, code char(3));
INSERT INTO tb_org VALUES (1, 'o1'), (2, 'o2');
INSERT INTO tb_user VALUES (1, 'ann', 1), (2, 'bob', 1), (3, 'cyd', 2);
INSERT INTO tb_post VALUES (1, 'p1', 1, 1), (2, 'p2', 1, 2), (3, 'p3', 2, 2), (4, 'p4', 9, 2);
INSERT INTO tb_tag VALUES (1, 'red', 1), (2, 'blue', 1), (3, 'red', 3);

-- Together they keep a pair out, so that a pair comes when both go.
CREATE TABLE tb_ban (fk_post int, fk_reason int);
CREATE TABLE tb_reason (pk_reason int PRIMARY KEY, fk_user int);
INSERT INTO tb_reason VALUES (1, 1), (2, 2);
INSERT INTO tb_ban VALUES (1, 1), (2, 1), (3, 2);

CREATE VIEW v_pair AS
SELECT u.id AS author, p.id AS post, p.stars FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user;
-- Every user, with 'none' for one without posts.
CREATE VIEW v_shown AS
SELECT u.id AS author, coalesce(p.id, 'none') AS post, p.stars FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user;
CREATE VIEW v_use AS
SELECT u.id AS author, t.label, count(*) AS n, min(o.code) AS org
  FROM tb_tag t JOIN tb_post p ON p.pk_post = t.fk_post JOIN tb_user u ON u.pk_user = p.fk_user JOIN tb_org o ON o.pk_org = u.org
 GROUP BY u.id, t.label;
CREATE VIEW v_grid AS
SELECT o.code, t.label, (SELECT count(*) FROM tb_user u WHERE u.org = o.pk_org AND u.pk_user = t.pk_tag) AS n
  FROM tb_org o CROSS JOIN (SELECT min(pk_tag) AS pk_tag, label FROM tb_tag GROUP BY label) t;
CREATE VIEW v_rated AS
SELECT p.stars, u.org, count(*) AS n FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user GROUP BY p.stars, u.org;
CREATE VIEW v_one AS
SELECT u.id || '/' || p.id AS name, p.stars FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user;
CREATE VIEW v_allowed AS
SELECT u.id AS author, p.id AS post FROM tb_user u CROSS JOIN tb_post p
 WHERE NOT EXISTS (SELECT FROM tb_ban b JOIN tb_reason r ON r.pk_reason = b.fk_reason WHERE b.fk_post = p.pk_post AND r.fk_user = u.pk_user);
CREATE VIEW v_excuse AS
SELECT u.id AS author, coalesce('for ' || b.fk_reason, p.id) AS post, count(*) AS n FROM tb_user u CROSS JOIN tb_post p
  LEFT JOIN (tb_ban b JOIN tb_reason r ON r.pk_reason = b.fk_reason) ON b.fk_post = p.pk_post AND r.fk_user = u.pk_user
 GROUP BY 1, 2;
SELECT pg_tviews_create('allowed', key_columns => '{author,post}');
SELECT pg_tviews_create('excuse', key_columns => '{author,post}');
SELECT pg_tviews_create('pair', key_columns => '{author,post}');
SELECT pg_tviews_create('shown', key_columns => '{author,post}');
SELECT pg_tviews_create('use', key_columns => '{author,label}');
SELECT pg_tviews_create('grid', key_columns => '{code,label}');
SELECT pg_tviews_create('rated', key_columns => '{stars,org}');
SELECT pg_tviews_create('one', key_columns => '{name}');

SELECT command FROM run_case('allowed,excuse,pair,shown,use,grid,rated,one',
    $$DELETE FROM tb_ban WHERE fk_post = 1; DELETE FROM tb_reason WHERE pk_reason = 1$$,
    $$DELETE FROM tb_ban; DELETE FROM tb_reason$$,
    $$UPDATE tb_user SET id = 'Ann' WHERE pk_user = 1; UPDATE tb_post SET fk_user = 2 WHERE pk_post = 1$$,
    $$UPDATE tb_post SET id = 'P3', fk_user = 1 WHERE pk_post = 3; UPDATE tb_user SET id = 'Bob' WHERE pk_user = 2; UPDATE tb_tag SET label = 'green' WHERE pk_tag = 3$$,
    $$DELETE FROM tb_user WHERE pk_user = 1; DELETE FROM tb_post WHERE fk_user = 1$$,
    $$INSERT INTO tb_user VALUES (9, 'ida', 2), (1, 'new', 1); INSERT INTO tb_post VALUES (5, 'p5', 1, 2)$$,
    $$UPDATE tb_user SET pk_user = pk_user + 10, id = id || '+', org = 3 - org; UPDATE tb_post SET fk_user = fk_user + 10, stars = stars + 1$$,
    $$UPDATE tb_tag SET label = 'all', fk_post = 1$$,
    $$UPDATE tb_org SET code = CASE pk_org WHEN 1 THEN 'o2' ELSE 'o1' END; UPDATE tb_tag SET label = 'x' WHERE pk_tag = 1$$,
    $$UPDATE tb_post SET stars = 2$$,
    $$UPDATE tb_org SET pk_org = pk_org + 5; UPDATE tb_user SET org = org + 5, id = lower(id)$$,
    $$DELETE FROM tb_tag; DELETE FROM tb_user WHERE pk_user > 11$$,
    $$DELETE FROM tb_post; DELETE FROM tb_org$$)
\gexec

DROP SCHEMA lineage_keys_of_two_sources CASCADE;
