-- Changes that foreign keys make on their own: CASCADE, SET NULL, SET DEFAULT, and a tree.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA foreign_key_actions;
SET search_path = foreign_key_actions, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text,
    fk_user int REFERENCES tb_user ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE tb_note (pk_note int PRIMARY KEY, body text,
    fk_user int REFERENCES tb_user ON DELETE SET NULL ON UPDATE SET NULL,
    fk_post int DEFAULT 1 REFERENCES tb_post ON DELETE SET DEFAULT);
CREATE TABLE tb_node (pk_node int PRIMARY KEY, label text,
    fk_parent int REFERENCES tb_node ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
INSERT INTO tb_post VALUES (1, 'default', 3), (10, 'one', 1), (11, 'two', 1), (12, 'three', 2);
INSERT INTO tb_note VALUES (100, 'x', 1, 10), (101, 'y', 2, 12), (102, 'z', 2, 10);
INSERT INTO tb_node VALUES (1, 'root', NULL), (2, 'left', 1), (3, 'right', 1), (4, 'leaf', 2);

CREATE VIEW v_post AS
SELECT p.pk_post, p.title, p.fk_user, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
CREATE VIEW v_note AS
SELECT n.pk_note, n.body, u.name, p.title
  FROM tb_note n LEFT JOIN tb_user u ON u.pk_user = n.fk_user LEFT JOIN tb_post p ON p.pk_post = n.fk_post;
CREATE VIEW v_node AS
SELECT n.pk_node, n.label, p.label AS parent, (SELECT count(*) FROM tb_node c WHERE c.fk_parent = n.pk_node) AS children
  FROM tb_node n LEFT JOIN tb_node p ON p.pk_node = n.fk_parent;
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('note');
SELECT pg_tviews_create('node');

SELECT command FROM run_case('post,note,node',
    $$UPDATE tb_user SET pk_user = 20 WHERE pk_user = 2$$,
    $$DELETE FROM tb_post WHERE pk_post = 10$$,
    $$DELETE FROM tb_user WHERE pk_user = 1$$,
    $$UPDATE tb_note SET fk_user = 20$$,
    $$DELETE FROM tb_user WHERE pk_user = 20$$,
    $$UPDATE tb_node SET pk_node = 22 WHERE pk_node = 2$$,
    $$UPDATE tb_node SET fk_parent = 3 WHERE pk_node = 22$$,
    $$DELETE FROM tb_node WHERE pk_node = 22$$,
    $$UPDATE tb_node SET label = 'top' WHERE fk_parent IS NULL$$,
    $$DELETE FROM tb_node WHERE pk_node = 1$$)
\gexec

DROP SCHEMA foreign_key_actions CASCADE;
