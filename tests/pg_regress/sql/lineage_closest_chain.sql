-- Of several chains to the key, the one by keys is followed, not one by a value that many rows share.
SET client_min_messages = warning;
CREATE SCHEMA lineage_closest_chain;
SET search_path = lineage_closest_chain, public;
CREATE TABLE tb_product (pk_product int PRIMARY KEY, sku text);
CREATE TABLE tb_text (fk_product int REFERENCES tb_product, language text, name text, PRIMARY KEY (fk_product, language));
CREATE TABLE tb_customer (pk_customer int PRIMARY KEY, language text);
CREATE TABLE tb_order (pk_order int PRIMARY KEY, fk_customer int REFERENCES tb_customer, language text);
CREATE TABLE tb_line (fk_order int REFERENCES tb_order, line int, fk_product int REFERENCES tb_product, PRIMARY KEY (fk_order, line));
INSERT INTO tb_product SELECT i, 'P' || i FROM generate_series(1, 50) i;
INSERT INTO tb_text SELECT i, l, l || i FROM generate_series(1, 50) i, unnest('{en,fr}'::text[]) l;
INSERT INTO tb_customer SELECT i, CASE i % 2 WHEN 0 THEN 'en' ELSE 'fr' END FROM generate_series(1, 20) i;
INSERT INTO tb_order SELECT i, 1 + i % 20, CASE i % 2 WHEN 0 THEN 'en' ELSE 'fr' END FROM generate_series(1, 400) i;
INSERT INTO tb_line SELECT o, l, 1 + (o + l) % 50 FROM generate_series(1, 400) o, generate_series(1, 2) l;
CREATE FUNCTION keys_of(entity text, source regclass, rows jsonb) RETURNS bigint LANGUAGE sql
    AS 'SELECT count(*) FROM pg_tviews_affected(entity, source, rows)';
CREATE FUNCTION refreshed(tview regclass) RETURNS TABLE (keys int, written int) LANGUAGE sql
    AS 'SELECT keys_refreshed, rows_inserted + rows_updated + rows_deleted FROM pg_tview_meta_audit WHERE tview_oid = tview ORDER BY audit_id DESC LIMIT 1';

-- A text of a product shows in the 16 orders of that product. Another chain leads through the language to half of all orders.
SELECT pg_tviews_create('order', $$
    SELECT o.pk_order, (SELECT string_agg(coalesce(t.name, p.sku), ',' ORDER BY l.line)
                          FROM tb_line l JOIN tb_product p ON p.pk_product = l.fk_product
                          LEFT JOIN tb_text t ON t.fk_product = l.fk_product AND t.language = c.language
                         WHERE l.fk_order = o.pk_order) AS names
      FROM tb_order o JOIN tb_customer c ON c.pk_customer = o.fk_customer
$$);
CALL pg_tviews_drain();
SELECT keys_of('order', 'tb_text', '[{"fk_product": 7, "language": "en"}]');
UPDATE tb_text SET name = 'Cup' WHERE fk_product = 7 AND language = 'en';
CALL pg_tviews_drain();
SELECT * FROM refreshed('tv_order');
SELECT * FROM differences('v_order', 'tv_order');

-- Of these orders, half have the language: both conditions of the join are followed, though they are on two tables.
SELECT pg_tviews_create('triangle', $$
    SELECT o.pk_order, string_agg(t.name, ',' ORDER BY l.line) AS names
      FROM tb_order o JOIN tb_line l ON l.fk_order = o.pk_order
      JOIN tb_text t ON t.fk_product = l.fk_product AND t.language = o.language
     GROUP BY o.pk_order
$$, key_columns => '{pk_order}');
CALL pg_tviews_drain();
SELECT keys_of('triangle', 'tb_text', '[{"fk_product": 7, "language": "en"}]');
SELECT captured_columns, key_query FROM pg_tviews_explain('triangle') WHERE source = 'tb_text'::regclass \gx
UPDATE tb_text SET name = 'Mug' WHERE fk_product = 7 AND language = 'en';
CALL pg_tviews_drain();
SELECT * FROM refreshed('tv_triangle');
SELECT * FROM differences('v_triangle', 'tv_triangle');
-- All three tables of the triangle change, in one transaction and alone.
BEGIN;
UPDATE tb_text SET language = 'de', name = 'Tasse' WHERE fk_product = 7 AND language = 'en';
UPDATE tb_order SET language = 'de' WHERE pk_order % 7 = 0;
UPDATE tb_line SET fk_product = 7 WHERE fk_order % 5 = 0 AND line = 1;
COMMIT;
CALL pg_tviews_drain();
SELECT * FROM differences('v_triangle', 'tv_triangle');
SELECT * FROM differences('v_order', 'tv_order');
BEGIN;
UPDATE tb_order SET language = 'en' WHERE pk_order % 14 = 0;
DELETE FROM tb_line WHERE fk_product = 7 AND fk_order % 3 = 0;
DELETE FROM tb_text WHERE fk_product = 7;
COMMIT;
CALL pg_tviews_drain();
SELECT * FROM differences('v_triangle', 'tv_triangle');
SELECT * FROM differences('v_order', 'tv_order');
INSERT INTO tb_text VALUES (7, 'de', 'Becher');
CALL pg_tviews_drain();
SELECT * FROM differences('v_triangle', 'tv_triangle');

-- The columns of a key count together, as one step. A condition on a table that is not on the chain is not used.
CREATE TABLE tb_price (pk_price int PRIMARY KEY, fk_product int, language text, price int, UNIQUE (fk_product, language));
INSERT INTO tb_price SELECT row_number() OVER (), fk_product, language, 5 FROM tb_text;
SELECT pg_tviews_create('line', $$
    SELECT l.fk_order, l.line, t.name, r.price
      FROM tb_line l JOIN tb_order o ON o.pk_order = l.fk_order
      JOIN tb_text t ON t.fk_product = l.fk_product AND t.language = o.language
      JOIN tb_price r ON r.fk_product = t.fk_product AND r.language = t.language AND r.language = o.language
$$, key_columns => '{fk_order,line}');
SELECT source, captured_columns FROM pg_tviews_explain('line') ORDER BY source::text;
CALL pg_tviews_drain();
SELECT keys_of('line', 'tb_text', '[{"fk_product": 8, "language": "en"}]');
UPDATE tb_text SET name = 'Bowl' WHERE fk_product = 8 AND language = 'en';
CALL pg_tviews_drain();
SELECT * FROM refreshed('tv_line');
UPDATE tb_price SET price = 6 WHERE fk_product = 8 AND language = 'en';
CALL pg_tviews_drain();
SELECT * FROM refreshed('tv_line');
SELECT * FROM differences('v_line', 'tv_line');

-- Without foreign keys: columns with an index come before columns without.
CREATE TABLE tb_a (pk_a int PRIMARY KEY, kind text);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int, code int);
CREATE TABLE tb_c (pk_c int PRIMARY KEY, code int, kind text, note text);
CREATE INDEX ON tb_b (code);
INSERT INTO tb_a SELECT i, i % 2 FROM generate_series(1, 100) i;
INSERT INTO tb_b SELECT i, i, i FROM generate_series(1, 100) i;
INSERT INTO tb_c SELECT i, i, i % 2 FROM generate_series(1, 100) i;
SELECT pg_tviews_create('a', $$
    SELECT a.pk_a, (SELECT string_agg(c.note, ',') FROM tb_b b JOIN tb_c c ON c.code = b.code AND c.kind = a.kind WHERE b.fk_a = a.pk_a) AS notes FROM tb_a a
$$);
CALL pg_tviews_drain();
SELECT keys_of('a', 'tb_c', '[5]');
SELECT captured_columns FROM pg_tviews_explain('a') WHERE source = 'tb_c'::regclass;
UPDATE tb_c SET note = 'x' WHERE pk_c = 5;
CALL pg_tviews_drain();
SELECT * FROM refreshed('tv_a');
SELECT * FROM differences('v_a', 'tv_a');
-- Without the index no chain is better than the shortest. The TVIEW follows that one from now on.
DROP INDEX tb_b_code_idx;
CALL pg_tviews_drain();
SELECT captured_columns FROM pg_tviews_explain('a') WHERE source = 'tb_c'::regclass;
UPDATE tb_c SET note = 'y' WHERE pk_c = 5;
CALL pg_tviews_drain();
SELECT * FROM differences('v_a', 'tv_a');
CREATE INDEX ON tb_b (code);
UPDATE tb_c SET note = 'z' WHERE pk_c = 6;
CALL pg_tviews_drain();
UPDATE tb_c SET code = 9, note = 'w' WHERE pk_c = 6;
CALL pg_tviews_drain();
SELECT * FROM differences('v_a', 'tv_a');

-- An index over a part of the rows, or one that was not built to the end, makes no chain better.
DROP INDEX tb_b_code_idx;
CREATE UNIQUE INDEX part ON tb_b (code) WHERE pk_b < 0;
CREATE INDEX unfinished ON tb_b (code);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'unfinished'::regclass;
SELECT captured_columns FROM pg_tviews_explain('a') WHERE source = 'tb_c'::regclass;
DROP INDEX part, unfinished;
CREATE INDEX ON tb_b (code);

-- A chain by keys is not followed where it would run in a circle with another one: then the shortest are.
SELECT pg_tviews_create('both', $$
    SELECT a.pk_a, b.pk_b, c.note FROM tb_a a JOIN tb_c c ON c.kind = a.kind JOIN tb_b b ON b.pk_b = c.pk_c AND b.fk_a = a.pk_a
$$, key_columns => '{pk_a,pk_b}');
SELECT source, strategy FROM pg_tviews_explain('both');
CALL pg_tviews_drain();
BEGIN; UPDATE tb_a SET kind = '7' WHERE pk_a = 3; UPDATE tb_b SET fk_a = 3 WHERE pk_b IN (4, 5); UPDATE tb_c SET kind = '7' WHERE pk_c IN (3, 4, 6); COMMIT;
CALL pg_tviews_drain();
SELECT * FROM differences('v_both', 'tv_both');
BEGIN; DELETE FROM tb_a WHERE pk_a = 3; DELETE FROM tb_b WHERE pk_b = 3; UPDATE tb_c SET kind = '8', pk_c = 1000 WHERE pk_c = 4; COMMIT;
CALL pg_tviews_drain();
SELECT * FROM differences('v_both', 'tv_both');
SELECT * FROM differences('v_a', 'tv_a');

DROP SCHEMA lineage_closest_chain CASCADE;
