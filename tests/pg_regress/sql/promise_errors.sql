-- Reads with a promise where nobody refreshes: what they refuse, and how. The library is not preloaded here.
SET client_min_messages = warning;
CREATE SCHEMA promise_errors;
SET search_path = promise_errors, public;

CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int);
INSERT INTO tb_item SELECT i, i FROM generate_series(1, 3) i;
SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item');
SELECT pg_tviews_create('item_sum', 'SELECT 1 AS pk_item_sum, sum(n) AS n FROM tv_item');
CALL pg_tviews_drain();

-- The settings.
SELECT name, setting, unit, context, vartype, min_val, max_val, enumvals, boot_val FROM pg_settings
 WHERE name IN ('pg_tviews.max_staleness', 'pg_tviews.on_stale', 'pg_tviews.stale_timeout') ORDER BY name;
-- From PostgreSQL 18 on, the message has units.
\set VERBOSITY sqlstate
SET pg_tviews.max_staleness = -2;
SET pg_tviews.max_staleness = 'soon';
SET pg_tviews.on_stale = 'ignore';
SET pg_tviews.stale_timeout = -1;
\set VERBOSITY terse

-- How late it is differs from run to run, and so do clusters.
CREATE FUNCTION answer(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint   text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, regexp_replace(regexp_replace(detail, '\d+ m?s ', 'N ms '), '\d{9,}', 'N'), hint);
END $$;

-- Arguments. All of these leave everything as it is.
SELECT error_of($$SELECT pg_tviews_require('item', NULL)$$);
SELECT error_of($$SELECT pg_tviews_require(NULL, '0')$$);
SELECT error_of($$SELECT pg_tviews_require('item', '-1 ms')$$);
SELECT error_of($$SELECT pg_tviews_require('nothing', '0')$$);
SELECT error_of($$SELECT pg_tviews_wait_for(NULL)$$);
SELECT error_of($$SELECT pg_tviews_wait_for('')$$);
SELECT error_of($$SELECT pg_tviews_wait_for('1-2-3')$$);
SELECT answer($$SELECT pg_tviews_wait_for('1-7-1-1-3:3:')$$);
SELECT answer(format('SELECT pg_tviews_wait_for(%L, %L)', pg_tviews_token(), 'nothing'));

-- Nothing is pending: no error, with or without workers.
SELECT pg_tviews_require('item_sum', '0');
SELECT pg_tviews_wait_for(pg_tviews_token());
SET pg_tviews.max_staleness = 0;
SELECT * FROM tv_item_sum;

-- Something is pending, and nobody applies it.
UPDATE tb_item SET n = 10 WHERE pk_item = 1;
SELECT error_of('SELECT * FROM tv_item');
SELECT error_of('SELECT * FROM tv_item_sum');
SELECT error_of($$SELECT pg_tviews_require('item_sum', '0')$$);
SELECT answer(format('SELECT pg_tviews_wait_for(%L)', pg_tviews_token()));
SELECT n FROM tb_item WHERE pk_item = 1;
-- Only what is read counts, and an INSERT does not read.
SELECT count(*) FROM tb_item;
EXPLAIN (COSTS OFF) SELECT * FROM tv_item;
-- A fresh view is never late. The table of another TVIEW beside it may be.
SELECT pg_tviews_create_fresh_view('item');
SELECT n FROM fv_item ORDER BY 1;
SELECT answer('SELECT * FROM fv_item, tv_item_sum');
-- Old enough.
SET pg_tviews.max_staleness = '1d';
SELECT n FROM tv_item ORDER BY 1;
SELECT pg_tviews_require('item', '1 day');

-- The other answers.
SET pg_tviews.max_staleness = 0;
SET pg_tviews.on_stale = error;
SELECT answer('SELECT * FROM tv_item');
SELECT answer('SELECT * FROM tv_item_sum');
SELECT answer($$COPY tv_item TO '/dev/null'$$);
SELECT answer('DELETE FROM tb_item USING tv_item t WHERE t.pk_item = 4');
SELECT answer($$SELECT pg_tviews_require('item', '0')$$);
SELECT pg_sleep(0.002);
SELECT answer($$SELECT pg_tviews_require('item', '1 ms')$$);
DO $$
BEGIN
    PERFORM * FROM tv_item;
EXCEPTION WHEN SQLSTATE '55T01' THEN
    RAISE WARNING 'too late';
END $$;
-- The code belongs to that error only.
SELECT answer('SELECT 1 / 0');
SET pg_tviews.on_stale = notice;
SELECT n FROM tv_item ORDER BY 1;
SELECT answer('SELECT * FROM tv_item');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT n FROM tv_item_sum;
COMMIT;

-- The session's own changes are not what the promise is about.
SET pg_tviews.on_stale = wait;
CALL pg_tviews_drain();
BEGIN;
UPDATE tb_item SET n = 20 WHERE pk_item = 1;
SELECT n FROM tv_item ORDER BY 1;
SELECT n FROM tv_item_sum;
SELECT pg_tviews_require('item', '0');
ROLLBACK;
SELECT n FROM tv_item ORDER BY 1;
RESET pg_tviews.max_staleness;
DROP SCHEMA promise_errors CASCADE;
