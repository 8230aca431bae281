-- The key is a group: rows move between groups, groups appear and vanish.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA group_moves;
SET search_path = group_moves, public;

CREATE TABLE tb_item (pk_item int PRIMARY KEY, grp text, amount numeric);
INSERT INTO tb_item VALUES (1, 'a', 10), (2, 'a', 20.5), (3, 'b', 5);

CREATE VIEW v_total AS SELECT grp, sum(amount) AS amount, count(*) AS items FROM tb_item GROUP BY grp;
SELECT pg_tviews_create('total', key_columns => '{grp}');

SELECT command FROM run_case('total',
    $$UPDATE tb_item SET grp = 'b' WHERE pk_item = 1$$,
    $$UPDATE tb_item SET grp = 'c' WHERE pk_item = 2$$,
    $$INSERT INTO tb_item VALUES (4, 'd', 1), (5, 'd', 2)$$,
    $$DELETE FROM tb_item WHERE grp = 'd' AND pk_item = 4$$,
    $$DELETE FROM tb_item WHERE pk_item = 5$$,
    $$UPDATE tb_item SET grp = 'x'; UPDATE tb_item SET grp = 'y'$$,
    $$UPDATE tb_item SET amount = amount + 1$$,
    $$UPDATE tb_item SET grp = CASE pk_item WHEN 1 THEN 'p' WHEN 2 THEN 'q' ELSE 'r' END$$,
    $$DELETE FROM tb_item$$,
    $$INSERT INTO tb_item VALUES (1, '', 0)$$)
\gexec

DROP SCHEMA group_moves CASCADE;
