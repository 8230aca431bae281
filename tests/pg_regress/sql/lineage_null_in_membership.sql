-- NOT IN, <> ALL and = ANY over an uncorrelated sub-select: a NULL that appears or leaves inside concerns every row.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_null_in_membership;
SET search_path = lineage_null_in_membership, public;

CREATE TABLE tb_item (pk_item int PRIMARY KEY, code text, price int);
CREATE TABLE tb_blocked (pk_blocked int PRIMARY KEY, code text, price int);
INSERT INTO tb_item VALUES (1, 'a', 10), (2, 'b', 20), (3, NULL, NULL), (4, 'd', 40);
INSERT INTO tb_blocked VALUES (1, 'a', 10);

CREATE VIEW v_allowed AS SELECT pk_item AS id, code FROM tb_item WHERE code NOT IN (SELECT code FROM tb_blocked);
CREATE VIEW v_flags AS
SELECT pk_item AS id, code IN (SELECT code FROM tb_blocked) AS is_in, code NOT IN (SELECT code FROM tb_blocked) AS not_in,
       price > ALL (SELECT price FROM tb_blocked) AS above_all, price < ANY (SELECT price FROM tb_blocked) AS below_any,
       NOT (code = ANY (SELECT code FROM tb_blocked)) AS not_any, (code IN (SELECT code FROM tb_blocked)) IS NULL AS unknown
  FROM tb_item;
CREATE VIEW v_correlated AS
SELECT pk_item AS id, price NOT IN (SELECT b.price FROM tb_blocked b WHERE b.code = i.code) AS fine FROM tb_item i;
CREATE VIEW v_pairs AS SELECT pk_item AS id FROM tb_item WHERE (code, price) NOT IN (SELECT code, price FROM tb_blocked);
SELECT pg_tviews_create(entity) FROM unnest('{allowed,flags,correlated,pairs}'::text[]) AS entity;

SELECT command FROM run_case('allowed,flags,correlated,pairs',
    $$INSERT INTO tb_blocked VALUES (2, NULL, 20)$$,
    $$UPDATE tb_blocked SET code = 'b' WHERE pk_blocked = 2$$,
    $$UPDATE tb_blocked SET price = NULL WHERE pk_blocked = 2$$,
    $$UPDATE tb_blocked SET code = NULL WHERE pk_blocked = 1$$,
    $$UPDATE tb_item SET code = 'b' WHERE pk_item = 3$$,
    $$DELETE FROM tb_blocked WHERE code IS NULL$$,
    $$INSERT INTO tb_blocked VALUES (3, 'd', 5)$$,
    $$DELETE FROM tb_blocked$$,
    $$INSERT INTO tb_blocked VALUES (4, NULL, NULL)$$,
    $$INSERT INTO tb_item VALUES (5, 'e', 50)$$,
    $$TRUNCATE tb_blocked$$)
\gexec

DROP SCHEMA lineage_null_in_membership CASCADE;
