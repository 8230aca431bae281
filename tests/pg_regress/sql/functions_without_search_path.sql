-- A function that counts on its caller's search_path is not found by a refresh; the error says what to do.
SET client_min_messages = warning;
CREATE SCHEMA functions_without;
SET search_path = functions_without, public;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int);
CREATE FUNCTION nice(n int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN n || '!'; END$$;
CREATE FUNCTION shown(n int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN CASE WHEN n > 0 THEN nice(n) END; END$$;
SELECT shown(1);

\set VERBOSITY default
SELECT pg_tviews_create('item', 'SELECT pk_item, shown(n) AS n FROM tb_item');
-- At creation.
INSERT INTO tb_item VALUES (1, 1);
SELECT pg_tviews_create('other', 'SELECT pk_item AS pk_other, shown(n) AS n FROM tb_item');
-- In a refresh: every key fails.
CALL pg_tviews_drain();
SELECT sqlstate, message, details ->> 'hint' AS hint FROM pg_tview_meta_audit
 WHERE tview_oid = 'tv_item'::regclass AND status <> 'SUCCESS' ORDER BY audit_id DESC LIMIT 1;
ALTER FUNCTION shown(int) SET search_path = functions_without;
CALL pg_tviews_drain();
SELECT * FROM tv_item;
\set VERBOSITY terse
DROP SCHEMA functions_without CASCADE;
