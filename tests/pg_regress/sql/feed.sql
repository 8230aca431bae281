-- The change feed: the keys of rows that were really written, for consumers that acknowledge them in order.
SET client_min_messages = warning;
CREATE SCHEMA feed;
SET search_path = feed, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post SELECT i, 1 + i % 2, 'post ' || i FROM generate_series(1, 6) i;
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT pk_post, title, name FROM tb_post JOIN tb_user ON pk_user = fk_user');
SELECT pg_tviews_create('pair', 'SELECT fk_user AS "User", title, count(*) AS n FROM tb_post GROUP BY 1, 2', key_columns => '{User,title}');
CREATE VIEW written AS
SELECT c.operation, jsonb_pretty(c.keys) IS NULL AS everything, k.key, c.origins, a.operation AS audited
  FROM pg_tview_change c LEFT JOIN LATERAL jsonb_array_elements(c.keys) k(key) ON true LEFT JOIN pg_tview_meta_audit a USING (audit_id)
 WHERE c.tview_oid IN ('tv_user'::regclass, 'tv_post'::regclass, 'tv_pair'::regclass)
 ORDER BY c.entity_name, c.change_id, k.key;
-- Tokens differ from run to run.
CREATE FUNCTION ack_error(consumer text, token text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(error_of(format('SELECT pg_tviews_ack(%L, %L)', consumer, token)), '\d+/\d+:\d+:[\d,]*/[\d.]*/[\da-f-]*', 'TOKEN')
$$;
\pset format unaligned
\pset tuples_only on
-- No feed: nothing is written, and nobody can subscribe.
UPDATE tb_user SET name = 'Anna' WHERE pk_user = 1;
CALL pg_tviews_drain();
TABLE written;
SELECT error_of($$SELECT pg_tviews_subscribe('cache')$$);
SELECT error_of($$SELECT pg_tviews_subscribe('cache', '{post}')$$);
UPDATE pg_tview_meta SET feed = true WHERE entity_name IN ('post', 'pair') AND view_schema = 'feed';
SELECT entity_name, feed FROM pg_tview_meta WHERE view_schema = 'feed' ORDER BY 1;
SELECT a.entity_name, a.operation, a.details - 'role' FROM pg_tview_meta_audit a WHERE a.operation = 'configure' AND a.tview_oid IN ('tv_post'::regclass, 'tv_pair'::regclass) ORDER BY 1;
-- Any row may have changed before.
TABLE written;
DELETE FROM pg_tview_change;
SELECT error_of($$SELECT pg_tviews_subscribe('cache', '{user}')$$);
SELECT error_of($$SELECT pg_tviews_subscribe('cache', '{nothing}')$$);
SELECT error_of($$SELECT pg_tviews_subscribe('cache', '{}')$$);
SELECT error_of($$SELECT pg_tviews_subscribe('cache', '{NULL}')$$);
SELECT error_of($$SELECT pg_tviews_subscribe(' ')$$);
SELECT error_of($$SELECT pg_tviews_subscribe(NULL)$$);
SELECT pg_tviews_subscribe('cache', '{post,tv_post,feed.pair}') AS token \gset
SELECT consumer, owner = current_user::regrole AS own, names, state, lag, rows_behind FROM pg_tview_consumer;
SELECT error_of($$SELECT pg_tviews_subscribe('cache')$$);
SELECT count(*) FROM pg_tviews_changes('cache');
-- Each operation, with the keys that were written; keys of several columns.
UPDATE tb_post SET title = 'one' WHERE pk_post = 1;
DELETE FROM tb_post WHERE pk_post = 2;
INSERT INTO tb_post VALUES (7, 2, 'seven');
CALL pg_tviews_drain();
TABLE written;
SELECT operation, changes_read, audit_id IS NOT NULL AS audited, origins FROM pg_tviews_provenance('post', '1');
SELECT operation, changes_read, audit_id IS NOT NULL AS audited, origins FROM pg_tviews_provenance('pair', '{"User": 2, "title": "one"}');
SELECT count(*) FROM pg_tviews_provenance('post', '999');
SELECT error_of($$SELECT * FROM pg_tviews_provenance('user', '1')$$);
SELECT error_of($$SELECT * FROM pg_tviews_provenance('post', 'one')$$);
SELECT error_of($$SELECT * FROM pg_tviews_provenance('post', NULL)$$);
SELECT error_of($$SELECT * FROM pg_tviews_provenance('nothing', '1')$$);
-- What stays as it was is not reported.
UPDATE tb_post SET title = title;
UPDATE tb_post SET title = 'again ' || title; UPDATE tb_post SET title = substr(title, 7);
SELECT pg_tviews_refresh('post');
SELECT pg_tviews_refresh('pair', ARRAY['{"User": 1, "title": "one"}']);
CALL pg_tviews_drain();
SELECT count(*) FROM written;
UPDATE tb_post SET title = 'six' WHERE pk_post = 6;
SELECT pg_tviews_refresh('post');
CALL pg_tviews_drain();
SELECT entity_name, operation, keys FROM pg_tview_change ORDER BY change_id DESC LIMIT 1;
-- Batches, tokens.
SELECT entity_name, operation, key FROM pg_tviews_changes('cache') ORDER BY 1, 2, 3;
SELECT entity_name, operation, key, token AS token1 FROM pg_tviews_changes('cache', 1) \gset
SELECT count(*), max(token) = :'token1' AS same FROM pg_tviews_changes('cache', 1);
SELECT max(token) FILTER (WHERE n = 3) AS token3, max(token) FILTER (WHERE n = 4) AS token4 FROM (SELECT token, row_number() OVER () AS n FROM pg_tviews_changes('cache', 5)) c \gset
SELECT pg_tviews_ack('cache', :'token3');
SELECT pg_tviews_ack('cache', :'token3');
SELECT ack_error('cache', :'token1');
SELECT ack_error('cache', :'token');
SELECT token = :'token4' AS continues FROM pg_tviews_changes('cache', 1);
BEGIN; SELECT pg_tviews_ack('cache', :'token4'); ROLLBACK;
SELECT token = :'token4' AS continues FROM pg_tviews_changes('cache', 1);
SELECT rows_behind > 0 AS behind, lag > '0' AS lags FROM pg_tview_consumer;
-- One by one to the end; each once.
CREATE TABLE got (n int GENERATED ALWAYS AS IDENTITY, entity_name text, operation text, key jsonb);
DO $$
DECLARE change record;
BEGIN
    LOOP
        SELECT * INTO change FROM pg_tviews_changes('cache', 1);
        EXIT WHEN NOT FOUND;
        INSERT INTO got (entity_name, operation, key) VALUES (change.entity_name, change.operation, change.key);
        PERFORM pg_tviews_ack('cache', change.token);
    END LOOP;
END $$;
SELECT entity_name, operation, key FROM got ORDER BY n DESC LIMIT 2;
SELECT count(*) + 3 = (SELECT count(*) FROM written) AS each_once FROM got;
SELECT rows_behind, lag FROM pg_tview_consumer;
-- Tokens of others.
SELECT pg_tviews_subscribe('other') AS other \gset
SELECT ack_error('cache', :'other');
SELECT ack_error('nobody', :'other');
SELECT error_of($$SELECT pg_tviews_ack('cache', 'x')$$);
SELECT error_of($$SELECT pg_tviews_ack('cache', NULL)$$);
SELECT ack_error('other', split_part(:'other', '/', 1) || '/99999999:99999999://' || split_part(:'other', '/', 4));
-- Before a promotion, the ids of transactions were those of others.
SELECT ack_error('other', regexp_replace(:'other', '-\d+-', '-77-'));
SELECT error_of($$SELECT * FROM pg_tviews_changes('cache', 0)$$);
SELECT error_of($$SELECT * FROM pg_tviews_changes('cache', 1000000)$$);
SELECT error_of($$SELECT * FROM pg_tviews_changes('nobody')$$);
SELECT error_of($$SELECT pg_tviews_unsubscribe('nobody')$$);
SELECT pg_tviews_unsubscribe('other');
SELECT pg_tviews_subscribe('other') AS again \gset
SELECT ack_error('other', :'other');
SELECT pg_tviews_unsubscribe('other');
-- Rows written for a query of the own transaction are reported by it, once committed.
BEGIN;
UPDATE tb_post SET title = 'three' WHERE pk_post = 3;
SELECT title FROM tv_post WHERE pk_post = 3;
SELECT count(*) FROM pg_tviews_changes('cache');
SAVEPOINT s; UPDATE tb_post SET title = 'four' WHERE pk_post = 4; SELECT title FROM tv_post WHERE pk_post = 4; ROLLBACK TO s;
COMMIT;
SELECT operation, key FROM pg_tviews_changes('cache') WHERE entity_name = 'post';
CALL pg_tviews_drain();
SELECT operation, key FROM pg_tviews_changes('cache') WHERE entity_name = 'post';
SELECT count(pg_tviews_ack('cache', token)) > 0 FROM pg_tviews_changes('cache');
-- Redefinition: the rows that differ. TRUNCATE: all.
SELECT pg_tviews_create('post', 'SELECT pk_post, CASE WHEN pk_post = 5 THEN upper(title) ELSE title END AS title, name FROM tb_post JOIN tb_user ON pk_user = fk_user');
CALL pg_tviews_drain();
SELECT entity_name, operation, key FROM pg_tviews_changes('cache');
SELECT count(pg_tviews_ack('cache', token)) > 0 FROM pg_tviews_changes('cache');
-- The same key column with another type: rows are known by other keys.
SELECT pg_tviews_create('pair', 'SELECT fk_user::text AS "User", title, count(*) AS n FROM tb_post GROUP BY 1, 2', key_columns => '{User,title}');
CALL pg_tviews_drain();
SELECT DISTINCT entity_name, operation FROM pg_tviews_changes('cache') WHERE key IS NULL;
SELECT count(pg_tviews_ack('cache', token)) > 0 FROM pg_tviews_changes('cache');
TRUNCATE tb_post;
CALL pg_tviews_drain();
SELECT entity_name, operation, count(*) FROM pg_tviews_changes('cache') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(pg_tviews_ack('cache', token)) > 0 FROM pg_tviews_changes('cache');
-- Another key: consumers know the rows by the earlier one.
SELECT pg_tviews_create('pair', 'SELECT fk_user AS "User", title, count(*) AS n FROM tb_post GROUP BY 1, 2', key_columns => '{title,User}');
SELECT DISTINCT entity_name, operation, key FROM pg_tviews_changes('cache');
-- Where changes come from.
SELECT count(pg_tviews_ack('cache', token)) > 0 FROM pg_tviews_changes('cache');
SET pg_tviews.origin = 'request 1';
INSERT INTO tb_post VALUES (20, 1, 'a');
BEGIN; SET LOCAL pg_tviews.origin = 'request 2'; INSERT INTO tb_post VALUES (21, 1, 'b'); COMMIT;
RESET pg_tviews.origin;
INSERT INTO tb_post VALUES (22, 1, 'c');
SELECT origin, count(*) FROM pg_tview_queue GROUP BY 1 ORDER BY 1;
CALL pg_tviews_drain();
SELECT entity_name, operation, key, origins FROM pg_tviews_changes('cache') ORDER BY 1, 3;
SELECT entity_name, origins FROM pg_tview_meta_audit WHERE origins IS NOT NULL ORDER BY 1;
SELECT count(pg_tviews_ack('cache', token)) > 0 FROM pg_tviews_changes('cache');
BEGIN; SET LOCAL pg_tviews.origin = 'request 3'; UPDATE tb_post SET title = 'd' WHERE pk_post = 22; SELECT title FROM tv_post WHERE pk_post = 22; COMMIT;
SELECT entity_name, operation, key, origins FROM pg_tviews_changes('cache') WHERE entity_name = 'post';
CALL pg_tviews_drain();
-- A TVIEW over a TVIEW.
SELECT pg_tviews_create('upper', 'SELECT pk_post AS id, upper(title) AS title FROM tv_post');
BEGIN; SET LOCAL pg_tviews.origin = 'request 4'; UPDATE tb_post SET title = 'e' WHERE pk_post = 22; COMMIT;
CALL pg_tviews_drain();
SELECT entity_name, rows_updated, origins FROM pg_tview_meta_audit WHERE 'request 4' = ANY (origins) AND rows_updated > 0 ORDER BY 1;
SELECT pg_tviews_drop('upper');
SELECT error_of(format('SET pg_tviews.origin = %L', repeat('x', 65)));
SELECT length(set_config('pg_tviews.origin', repeat('x', 64), false));
RESET pg_tviews.origin;
DELETE FROM tb_post;
CALL pg_tviews_drain();
-- A paused TVIEW.
SELECT pg_tviews_pause('user');
SELECT error_of($$UPDATE pg_tview_meta SET feed = true WHERE tview_oid = 'tv_user'::regclass$$);
SELECT error_of($$UPDATE pg_tview_meta SET feed = NULL WHERE tview_oid = 'tv_user'::regclass$$);
UPDATE pg_tview_meta SET feed = false WHERE tview_oid = 'tv_user'::regclass;
SELECT entity_name, feed, state FROM pg_tview_meta WHERE view_schema = 'feed' ORDER BY 1;
SELECT pg_tviews_resume('user');
-- Dropped, by function and by SQL, and created again.
SELECT count(pg_tviews_ack('cache', token)) > 0 FROM pg_tviews_changes('cache');
DROP VIEW written;
SELECT pg_tviews_drop('post');
SELECT entity_name, operation, key FROM pg_tviews_changes('cache');
SELECT pg_tviews_create('post', 'SELECT pk_post, title FROM tb_post');
UPDATE pg_tview_meta SET feed = true WHERE tview_oid = 'tv_post'::regclass;
INSERT INTO tb_post VALUES (1, 1, 'new');
CALL pg_tviews_drain();
SELECT entity_name, operation, key FROM pg_tviews_changes('cache');
DROP TABLE tv_post;
SELECT entity_name, operation, key FROM pg_tviews_changes('cache');
-- Rights: the owner, and who may read all rows of the table.
SELECT pg_tviews_create('post', 'SELECT pk_post, title FROM tb_post');
UPDATE pg_tview_meta SET feed = true WHERE tview_oid = 'tv_post'::regclass;
DROP ROLE IF EXISTS regress_feed_user;
CREATE ROLE regress_feed_user;
GRANT USAGE ON SCHEMA feed TO regress_feed_user;
SET ROLE regress_feed_user;
SELECT error_of($$UPDATE pg_tview_meta SET feed = false WHERE entity_name = 'post'$$);
SELECT count(*) FROM pg_tview_change;
SELECT count(*) FROM pg_tview_consumer;
SELECT error_of($$TABLE pg_tview_subscription$$);
SELECT error_of($$TABLE pg_tview_acknowledgement$$);
SELECT error_of($$SELECT pg_tviews_subscribe('mine')$$);
SELECT error_of($$SELECT pg_tviews_subscribe('mine', '{post}')$$);
SELECT error_of($$SELECT * FROM pg_tviews_changes('cache')$$);
SELECT error_of($$SELECT pg_tviews_unsubscribe('cache')$$);
RESET ROLE;
GRANT SELECT ON tv_post TO regress_feed_user;
ALTER TABLE tv_post ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON tv_post USING (pk_post < 3);
SET ROLE regress_feed_user;
SELECT error_of($$SELECT pg_tviews_subscribe('mine', '{post}')$$);
RESET ROLE;
ALTER TABLE tv_post DISABLE ROW LEVEL SECURITY;
SET ROLE regress_feed_user;
SELECT pg_tviews_subscribe('mine', '{post}') <> '';
SELECT pg_tviews_subscribe('all mine') <> '';
SELECT consumer FROM pg_tview_consumer ORDER BY 1;
RESET ROLE;
INSERT INTO tb_post VALUES (2, 1, 'told');
CALL pg_tviews_drain();
SET ROLE regress_feed_user;
SELECT entity_name, operation, key FROM pg_tviews_changes('mine');
SELECT entity_name, operation, key FROM pg_tviews_changes('all mine');
SELECT count(*) FROM pg_tview_change;
RESET ROLE;
REVOKE SELECT ON tv_post FROM regress_feed_user;
SET ROLE regress_feed_user;
SELECT error_of($$SELECT entity_name, operation, key FROM pg_tviews_changes('mine')$$);
SELECT entity_name, operation, key FROM pg_tviews_changes('all mine');
SELECT pg_tviews_unsubscribe('mine'), pg_tviews_unsubscribe('all mine');
RESET ROLE;
-- A snapshot of a REPEATABLE READ transaction.
SELECT pg_tviews_unsubscribe('cache');
SELECT pg_tviews_subscribe('cache') AS token \gset
BEGIN READ ONLY;
SELECT error_of($$SELECT pg_tviews_subscribe('x')$$);
SELECT count(*) FROM pg_tviews_changes('cache');
SELECT ack_error('cache', :'token');
COMMIT;
SELECT pg_tviews_unsubscribe('cache');
SELECT count(*) FROM pg_tview_consumer;

DROP SCHEMA feed CASCADE;
DROP OWNED BY regress_feed_user;
DROP ROLE regress_feed_user;
