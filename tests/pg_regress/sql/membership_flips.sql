-- EXISTS, NOT EXISTS, IN and NOT IN flip without any change of the row's own table.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA membership_flips;
SET search_path = membership_flips, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_ban (pk_ban int PRIMARY KEY, fk_user int, reason text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
INSERT INTO tb_ban VALUES (1, 2, 'spam');

CREATE VIEW v_flag AS
SELECT u.pk_user AS id, u.name,
       EXISTS (SELECT FROM tb_ban b WHERE b.fk_user = u.pk_user) AS banned,
       u.pk_user IN (SELECT fk_user FROM tb_ban) AS banned_in
  FROM tb_user u;
CREATE VIEW v_banned AS
SELECT u.pk_user AS id, u.name FROM tb_user u WHERE EXISTS (SELECT 1 FROM tb_ban b WHERE b.fk_user = u.pk_user AND b.reason <> 'joke');
CREATE VIEW v_free AS
SELECT u.pk_user AS id, u.name FROM tb_user u WHERE NOT EXISTS (SELECT 1 FROM tb_ban b WHERE b.fk_user = u.pk_user);
CREATE VIEW v_listed AS SELECT u.pk_user AS id, u.name FROM tb_user u WHERE u.pk_user IN (SELECT fk_user FROM tb_ban);
CREATE VIEW v_unlisted AS SELECT u.pk_user AS id, u.name FROM tb_user u WHERE u.pk_user NOT IN (SELECT fk_user FROM tb_ban);
SELECT pg_tviews_create(entity) FROM unnest('{flag,banned,free,listed,unlisted}'::text[]) AS entity;

SELECT command FROM run_case('flag,banned,free,listed,unlisted',
    $$INSERT INTO tb_ban VALUES (2, 1, 'joke')$$,
    $$UPDATE tb_ban SET reason = 'spam'$$,
    $$UPDATE tb_ban SET fk_user = 3 WHERE pk_ban = 1$$,
    $$INSERT INTO tb_ban VALUES (3, NULL, 'nobody')$$,
    $$UPDATE tb_user SET name = upper(name)$$,
    $$DELETE FROM tb_ban WHERE fk_user IS NULL$$,
    $$UPDATE tb_ban SET fk_user = NULL WHERE pk_ban = 1$$,
    $$UPDATE tb_ban SET fk_user = 2 WHERE pk_ban = 1$$,
    $$DELETE FROM tb_ban WHERE fk_user = 1$$,
    $$INSERT INTO tb_user VALUES (4, 'Dot')$$,
    $$INSERT INTO tb_ban VALUES (5, 4, 'x'), (6, 4, 'y')$$,
    $$DELETE FROM tb_ban WHERE pk_ban = 5$$,
    $$TRUNCATE tb_ban$$,
    $$INSERT INTO tb_ban VALUES (7, NULL, 'nobody')$$,
    $$DELETE FROM tb_ban$$)
\gexec

DROP SCHEMA membership_flips CASCADE;
