-- A view that returns NULL or the same key twice: said per key, the other keys go on, healed by mending the data.
SET client_min_messages = warning;
CREATE SCHEMA bad_keys;
SET search_path = bad_keys, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, code text, title text);
INSERT INTO tb_post VALUES (1, 'a', 'one'), (2, 'b', 'two');
SELECT pg_tviews_create('code', 'SELECT code, title FROM tb_post', key_columns => '{code}');
CALL pg_tviews_drain();
-- Twice.
UPDATE tb_post SET title = 'uno' WHERE pk_post = 1;
INSERT INTO tb_post VALUES (3, 'b', 'two again');
CALL pg_tviews_drain();
SELECT entity_name, operation, status, sqlstate, message FROM pg_tview_meta_audit WHERE tview_oid = 'tv_code'::regclass AND sqlstate IS NOT NULL ORDER BY audit_id LIMIT 1;
DELETE FROM tb_post WHERE pk_post = 3;
CALL pg_tviews_drain();
SELECT same('v_code', 'tv_code');
-- NULL.
INSERT INTO tb_post VALUES (4, NULL, 'no code'), (5, 'e', 'five');
CALL pg_tviews_drain();
SELECT entity_name, operation, status, sqlstate, message FROM pg_tview_meta_audit WHERE tview_oid = 'tv_code'::regclass AND message LIKE '%NULL%' ORDER BY audit_id LIMIT 1;
UPDATE tb_post SET code = 'd' WHERE pk_post = 4;
CALL pg_tviews_drain();
SELECT same('v_code', 'tv_code');
TABLE tv_code ORDER BY code;

DROP SCHEMA bad_keys CASCADE;
