-- pg_tviews_refresh asks for keys, or all rows, to be recomputed once the caller commits.
SET client_min_messages = warning;
SET pg_tviews.allow_table_writes = on;
CREATE SCHEMA refresh;
SET search_path = refresh, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
CALL pg_tviews_drain();
CREATE FUNCTION spoil() RETURNS void LANGUAGE sql AS $$
    UPDATE tv_user SET name = 'spoilt'; DELETE FROM tv_user WHERE pk_user = 3; INSERT INTO tv_user VALUES (9, 'extra') ON CONFLICT DO NOTHING$$;
SELECT spoil();
-- Rolled back: nothing.
BEGIN; SELECT pg_tviews_refresh('user'); ROLLBACK;
SELECT count(*) FROM pg_tview_queue;
CALL pg_tviews_drain();
TABLE tv_user ORDER BY pk_user;
-- Some keys.
SELECT pg_tviews_refresh('user', '{1,9}');
SELECT source_oid, operation, keys FROM pg_tview_queue;
CALL pg_tviews_drain();
TABLE tv_user ORDER BY pk_user;
-- Keys that do not exist, none at all.
SELECT pg_tviews_refresh('user', '{77}');
SELECT pg_tviews_refresh('user', '{}');
CALL pg_tviews_drain();
TABLE tv_user ORDER BY pk_user;
-- All rows.
SELECT pg_tviews_refresh('user');
SELECT source_oid, operation, keys FROM pg_tview_queue;
CALL pg_tviews_drain();
TABLE tv_user ORDER BY pk_user;
SELECT count(*) FROM pg_tview_queue;
SELECT error_of($$SELECT pg_tviews_refresh('nobody')$$);
SELECT error_of($$SELECT pg_tviews_refresh('user', '{not a number}')$$);
SELECT error_of($$SELECT pg_tviews_refresh('user', '{NULL}')$$);

DROP SCHEMA refresh CASCADE;
