-- NOT NULL as a constraint: NOT VALID, NO INHERIT, named and dropped. Where old rows may have NULL, NULL is followed.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA since_18_not_null;
SET search_path = since_18_not_null, public;

CREATE TABLE tb_group (pk_group int PRIMARY KEY, name text);
CREATE TABLE tb_member (pk_member int PRIMARY KEY, fk_group int, points int);
INSERT INTO tb_group VALUES (1, 'a'), (2, 'b');
INSERT INTO tb_member VALUES (1, 1, 10), (2, NULL, 20), (3, NULL, 30), (4, 2, NULL);
ALTER TABLE tb_member ADD CONSTRAINT grouped NOT NULL fk_group NOT VALID;
CREATE TABLE tb_guest () INHERITS (tb_member);
ALTER TABLE tb_member ADD CONSTRAINT scored NOT NULL points NO INHERIT NOT VALID;
INSERT INTO tb_guest VALUES (100, 1, NULL), (101, 2, 5);

-- A window over a column that counts as NOT NULL, and has NULL: its rows are a partition, too.
CREATE VIEW v_member AS SELECT pk_member, points, rank() OVER (PARTITION BY fk_group ORDER BY points DESC) AS place FROM tb_member;
CREATE VIEW v_lonely AS SELECT g.pk_group AS id, g.pk_group NOT IN (SELECT m.fk_group FROM tb_member m) AS lonely FROM tb_group g;
SELECT pg_tviews_create('member');
SELECT pg_tviews_create('lonely');

CREATE FUNCTION judged(step text) RETURNS SETOF text LANGUAGE sql AS $$SELECT judge('drained', 'member,lonely', step)$$;
SELECT judged('created');
SELECT step, 'CALL pg_tviews_drain()', format('SELECT judged(%L)', step) FROM unnest(ARRAY[
    $$UPDATE tb_group SET name = 'c'$$,
    $$UPDATE tb_member SET points = 31, fk_group = 1 WHERE pk_member = 3$$,
    $$DELETE FROM tb_member WHERE pk_member = 2$$,
    $$INSERT INTO tb_guest VALUES (102, 2, 7)$$,
    $$UPDATE tb_guest SET points = NULL WHERE pk_member = 101$$,
    $$ALTER TABLE tb_member VALIDATE CONSTRAINT grouped$$,
    $$UPDATE tb_member SET fk_group = 2 WHERE pk_member = 1$$,
    $$ALTER TABLE tb_member DROP CONSTRAINT grouped; UPDATE tb_member SET fk_group = NULL WHERE pk_member IN (1, 101)$$,
    $$UPDATE tb_member SET points = 1 WHERE pk_member = 1$$,
    $$DELETE FROM tb_group WHERE pk_group = 1$$]) step
\gexec

DROP SCHEMA since_18_not_null CASCADE;
