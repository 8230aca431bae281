-- EXISTS, IN, ANY, ALL and scalar sub-selects, correlated directly or through another table, under OR
-- and NOT, nested.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_subselects;
SET search_path = lineage_subselects, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, fk_team int);
CREATE TABLE tb_team (pk_team int PRIMARY KEY, name text);
CREATE TABLE tb_member (fk_user int, fk_group int);
CREATE TABLE tb_group (pk_group int PRIMARY KEY, name text, open boolean);
CREATE TABLE tb_score (pk_score int PRIMARY KEY, fk_user int, points int);
INSERT INTO tb_user VALUES (1, 'Ann', 1), (2, 'Bob', 1), (3, 'Cid', 2), (4, 'Dot', NULL);
INSERT INTO tb_team VALUES (1, 'red'), (2, 'blue');
INSERT INTO tb_group VALUES (1, 'a', true), (2, 'b', false);
INSERT INTO tb_member VALUES (1, 1), (2, 2), (3, 1), (3, 2);
INSERT INTO tb_score VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5), (4, 3, NULL);

CREATE VIEW v_through AS
SELECT u.pk_user AS id, u.name FROM tb_user u
 WHERE EXISTS (SELECT 1 FROM tb_member m JOIN tb_group g ON g.pk_group = m.fk_group WHERE m.fk_user = u.pk_user AND g.open);
CREATE VIEW v_or_not AS
SELECT u.pk_user AS id, u.name FROM tb_user u
 WHERE u.name = 'Dot' OR NOT (EXISTS (SELECT 1 FROM tb_score s WHERE s.fk_user = u.pk_user AND s.points > 8)
        OR u.fk_team IN (SELECT pk_team FROM tb_team t WHERE t.name = 'blue'));
CREATE VIEW v_nested AS
SELECT u.pk_user AS id, u.name FROM tb_user u
 WHERE EXISTS (SELECT 1 FROM tb_member m WHERE m.fk_user = u.pk_user
    AND NOT EXISTS (SELECT 1 FROM tb_group g WHERE g.pk_group = m.fk_group
       AND g.name IN (SELECT lower(t.name) FROM tb_team t WHERE t.pk_team = u.fk_team)));
CREATE VIEW v_any_all AS
SELECT u.pk_user AS id, 10 > ANY (SELECT points FROM tb_score s WHERE s.fk_user = u.pk_user) AS below,
       10 <= ALL (SELECT points FROM tb_score s WHERE s.fk_user = u.pk_user) AS above,
       u.fk_team <> ALL (SELECT pk_team FROM tb_team) AS stray
  FROM tb_user u;
CREATE VIEW v_scalar AS
SELECT u.pk_user AS id, (SELECT t.name FROM tb_team t WHERE t.pk_team = u.fk_team) AS team,
       (SELECT sum(s.points) FROM tb_score s WHERE s.fk_user = u.pk_user) AS points,
       coalesce((SELECT max(s.points) FROM tb_score s WHERE s.fk_user IN (SELECT p.pk_user FROM tb_user p WHERE p.fk_team = u.fk_team)), -1) AS team_best,
       ARRAY(SELECT g.name FROM tb_group g WHERE g.pk_group IN (SELECT m.fk_group FROM tb_member m WHERE m.fk_user = u.pk_user) ORDER BY 1) AS groups,
       CASE WHEN u.name IS NOT NULL THEN (SELECT count(*) FROM tb_member m WHERE m.fk_user = u.pk_user) END AS memberships
  FROM tb_user u;
CREATE VIEW v_row_in AS
SELECT u.pk_user AS id, (u.pk_user, 1) IN (SELECT fk_user, fk_group FROM tb_member) AS first_group FROM tb_user u;
CREATE VIEW v_having AS
SELECT t.pk_team AS id, count(*) AS users FROM tb_team t JOIN tb_user u ON u.fk_team = t.pk_team
 GROUP BY t.pk_team HAVING count(*) > (SELECT count(*) FROM tb_group g WHERE g.pk_group = t.pk_team);
SELECT pg_tviews_create(entity) FROM unnest('{through,or_not,nested,any_all,scalar,row_in,having}'::text[]) AS entity;

SELECT command FROM run_case('through,or_not,nested,any_all,scalar,row_in,having',
    $$UPDATE tb_group SET open = NOT open$$,
    $$INSERT INTO tb_member VALUES (4, 2)$$,
    $$UPDATE tb_member SET fk_user = 1 WHERE fk_user = 3 AND fk_group = 2$$,
    $$UPDATE tb_team SET name = 'B' WHERE pk_team = 2$$,
    $$UPDATE tb_user SET fk_team = 2 WHERE pk_user = 4$$,
    $$UPDATE tb_score SET points = 9 WHERE pk_score = 1$$,
    $$UPDATE tb_score SET points = NULL WHERE pk_score = 2$$,
    $$UPDATE tb_score SET fk_user = 4, points = 100 WHERE pk_score = 4$$,
    $$DELETE FROM tb_score WHERE fk_user = 1$$,
    $$UPDATE tb_group SET name = 'red' WHERE pk_group = 1$$,
    $$INSERT INTO tb_group VALUES (3, 'c', true); INSERT INTO tb_member VALUES (2, 3)$$,
    $$DELETE FROM tb_team WHERE pk_team = 1$$,
    $$INSERT INTO tb_team VALUES (1, 'blue'), (9, 'nine')$$,
    $$UPDATE tb_user SET pk_user = pk_user + 10$$,
    $$DELETE FROM tb_member$$,
    $$TRUNCATE tb_score$$)
\gexec

DROP SCHEMA lineage_subselects CASCADE;
