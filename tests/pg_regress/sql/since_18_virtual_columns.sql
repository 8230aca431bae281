-- Virtual generated columns: not stored, so not in the rows that triggers see. What they are computed from is captured.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA since_18_virtual_columns;
SET search_path = since_18_virtual_columns, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, first text, last text, unread text,
                      name text GENERATED ALWAYS AS (coalesce(first, '?') || ' ' || last) VIRTUAL,
                      kept text GENERATED ALWAYS AS (lower(last)) STORED);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, n int, price numeric, quantity int, gone int,
                      fk_user int GENERATED ALWAYS AS (n % 10) VIRTUAL,
                      total numeric GENERATED ALWAYS AS (price * quantity) VIRTUAL);
ALTER TABLE tb_post DROP COLUMN gone;
INSERT INTO tb_user VALUES (1, 'Ann', 'Lee'), (2, NULL, 'Ray'), (3, 'Cid', NULL);
INSERT INTO tb_post VALUES (1, 11, 1.5, 2), (2, 21, 3, 3), (3, 2, NULL, 1), (4, 14, 1, 1);

-- Shown, joined by, grouped by, the key, in a sub-select, behind an outer join, in rows as a whole.
CREATE VIEW v_user AS SELECT pk_user, name, kept FROM tb_user;
CREATE VIEW v_post AS SELECT p.pk_post, p.total, u.name FROM tb_post p LEFT JOIN tb_user u ON u.pk_user = p.fk_user;
CREATE VIEW v_author AS SELECT u.pk_user AS id, u.name, s.total, s.n
  FROM tb_user u LEFT JOIN (SELECT fk_user, sum(total) AS total, count(*) AS n FROM tb_post GROUP BY fk_user) s ON s.fk_user = u.pk_user;
CREATE VIEW v_sum AS SELECT fk_user AS id, sum(total) AS total FROM tb_post GROUP BY fk_user;
CREATE VIEW v_named AS SELECT p.pk_post AS id, coalesce(u.name, 'nobody') AS name FROM tb_post p
  LEFT JOIN (SELECT pk_user, name FROM tb_user WHERE name IS NOT NULL) u ON u.pk_user = p.fk_user;
CREATE VIEW v_whole AS SELECT pk_user AS id, to_jsonb(u) AS data FROM tb_user u;
SELECT pg_tviews_create(entity) FROM unnest('{user,post,author,named,whole}'::text[]) entity;
SELECT pg_tviews_create('sum', key_columns => '{id}');

-- The columns that capture looks at: none of them virtual.
SELECT tgrelid::regclass, substring(pg_get_triggerdef(oid), '"watch":\[.*?\]')
  FROM pg_trigger WHERE tgname = 'pg_tviews_capture' AND tgrelid IN ('tb_user'::regclass, 'tb_post'::regclass) ORDER BY 1;
-- Found by key, not by recomputing all.
SELECT entity_name, source FROM pg_tview_meta m, unnest(m.source_oids) source WHERE entity_name IN ('post', 'author') ORDER BY 1, 2;
SELECT * FROM pg_tviews_affected('post', 'tb_user', '[1]');
SELECT * FROM pg_tviews_affected('author', 'tb_post', '[1]');

SELECT command FROM run_case('user,post,author,sum,named,whole',
    $$UPDATE tb_user SET first = 'Anna' WHERE pk_user = 1$$,
    $$UPDATE tb_user SET last = 'Roy' WHERE pk_user = 2$$,
    $$UPDATE tb_user SET last = NULL WHERE pk_user = 1$$,
    $$UPDATE tb_user SET last = 'Cox' WHERE pk_user = 3$$,
    $$UPDATE tb_user SET unread = 'x'$$,
    $$UPDATE tb_post SET price = 2 WHERE pk_post = 1$$,
    $$UPDATE tb_post SET quantity = quantity + 1$$,
    $$UPDATE tb_post SET n = 13 WHERE pk_post = 2$$,
    $$UPDATE tb_post SET n = 23 WHERE pk_post = 2$$,
    $$INSERT INTO tb_post VALUES (5, 33, 7, 7), (6, 43, 1, 1)$$,
    $$DELETE FROM tb_post WHERE pk_post = 1$$,
    $$UPDATE tb_user SET pk_user = 4 WHERE pk_user = 3$$,
    $$ALTER TABLE tb_post ALTER COLUMN total SET EXPRESSION AS (price * quantity * 2)$$,
    $$ALTER TABLE tb_post ALTER COLUMN fk_user SET EXPRESSION AS (n % 10 + 1)$$,
    $$ALTER TABLE tb_user ALTER COLUMN name SET EXPRESSION AS (upper(last))$$,
    $$UPDATE tb_user SET last = 'Fin' WHERE pk_user = 2$$,
    $$UPDATE tb_post SET n = 2 WHERE pk_post = 3$$,
    $$TRUNCATE tb_post$$)
\gexec

DROP SCHEMA since_18_virtual_columns CASCADE;
