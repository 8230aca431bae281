-- How pg_tviews_wait can be called. Nobody drains here: waiting for what is pending is an error, for anything else it is true.
SET client_min_messages = warning;
CREATE SCHEMA wait_calls;
SET search_path = wait_calls, public;

CREATE TABLE tb_item (pk_item int PRIMARY KEY, id uuid NOT NULL, code text NOT NULL, day date NOT NULL, n int);
INSERT INTO tb_item SELECT i, ('00000000-0000-0000-0000-00000000000' || i)::uuid, i || ' days', date '2024-01-01' + i, i FROM generate_series(1, 3) i;
SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item');
SELECT pg_tviews_create('id', 'SELECT id, n FROM tb_item', key_columns => '{id}');
SELECT pg_tviews_create('code', 'SELECT code, n FROM tb_item', key_columns => '{code}');
SELECT pg_tviews_create('day', 'SELECT day, n FROM tb_item', key_columns => '{day}');
SELECT pg_tviews_create('pair', 'SELECT pk_item AS a, code AS b, n FROM tb_item', key_columns => '{a,b}');
CALL pg_tviews_drain();
UPDATE tb_item SET n = 0 WHERE pk_item = 1;

-- "right" if what is waited for is visible, "behind" if it is pending, or the error.
CREATE FUNCTION answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer boolean;
    text   text;
BEGIN
    EXECUTE 'SELECT pg_tviews_wait(' || call || ')' INTO answer;
    RETURN CASE WHEN answer THEN 'right' ELSE 'false' END;
EXCEPTION
    WHEN object_not_in_prerequisite_state THEN RETURN 'behind';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS text = PG_EXCEPTION_DETAIL;
        RETURN concat_ws(' ', SQLSTATE || ':', SQLERRM, text);
END $$;
SELECT call, answer(call) FROM unnest(ARRAY[
    -- All that is pending.
    '', 'NULL', $$'item'$$, $$'item'::text$$, $$'item'::varchar$$, $$name => 'item'$$,
    $$timeout => '1 second'$$, $$'item', timeout => '1 second'$$, $$name => 'item', timeout => '1 second'$$,
    $$'item', interval '1 second'$$, $$'item'::text, '1 second'::interval$$, $$'item'::varchar, '1 second'::interval$$,
    $$'item', NULL::interval$$, $$'item', NULL$$, $$NULL, '1 second'$$, $$NULL, NULL$$, $$timeout => NULL$$,
    $$'item', '1 second'$$, $$'item', '00:00:05'$$, $$'item', 'PT5S'$$, $$'item'::text, '5 seconds'$$, $$'id', '5 seconds'$$, $$'id', '5'$$,
    $$'code', '5 seconds'$$, $$'pair', '5 seconds'$$, $$'day', '5 seconds'$$]) call;
SELECT call, answer(call) FROM unnest(ARRAY[
    -- One key: 1 is pending, 2 and 3 are not.
    $$'item', '1'$$, $$'item', '2'$$, $$'item', ' 2 '$$, $$'item', 1$$, $$'item', 2$$, $$'item', 2::bigint$$, $$'item'::text, 2$$, $$'item'::varchar, 2$$,
    $$'item', '2'::text$$, $$'item'::text, '2'::text$$, $$'item'::varchar, '2'::varchar$$, $$'item', '1'::varchar$$,
    $$'item', '1', '1 second'$$, $$'item', '2', '1 second'$$, $$'item', 2, '1 second'$$, $$'item', '2', interval '1 second'$$, $$'item', '2', NULL$$,
    $$'item', key => '1'$$, $$'item', key => '2'$$, $$name => 'item', key => '2', timeout => '1 second'$$, $$key => 2, name => 'item'$$,
    $$'item', timeout => '1 second', key => '2'$$, $$'item', key => 2::smallint$$, $$'item', '77'$$,
    $$'id', '00000000-0000-0000-0000-000000000001'$$, $$'id', '00000000-0000-0000-0000-000000000002'$$,
    $$'id', '{00000000-0000-0000-0000-000000000002}'$$, $$'id', '00000000-0000-0000-0000-000000000002'::uuid$$,
    $$'id', key => '00000000-0000-0000-0000-000000000001'::uuid$$,
    $$'code', key => '1 days'$$, $$'code', key => '2 days'$$, $$'code', '2 days', '1 second'$$, $$'code', 'two'$$, $$'code', '2'$$,
    $$'day', '2024-01-02'$$, $$'day', '2024-01-03'$$, $$'day', date '2024-01-03'$$,
    $$'pair', '{"a": 1, "b": "1 days"}'$$, $$'pair', '{"a": 2, "b": "2 days"}'$$, $$'pair', key => '{"b": "2 days", "a": 2}'$$,
    $$'pair', '{"a": 2, "b": "2 days"}'::jsonb$$]) call;
SELECT call, answer(call) FROM unnest(ARRAY[
    -- What cannot be understood.
    $$'item', 'soon'$$, $$'item', key => 'soon'$$, $$'item', key => '5 seconds'$$, $$'item', 'soon', '1 second'$$, $$'pair', '{"a": 2}'$$,
    $$'item', key => NULL$$, $$'item', NULL::int$$, $$NULL, '42 apples'$$, $$NULL, key => '1'$$, $$key => '1'$$, $$'item', timeout => 'soon'$$,
    $$'item', '2', 'soon'$$, $$'nobody', '1'$$, $$'item', 1.5$$]) call;
SELECT error_of($$SELECT pg_tviews_wait('item', 'soon')$$);
SELECT error_of($$SELECT pg_tviews_wait('item', key => 'soon')$$);
SELECT error_of($$SELECT pg_tviews_wait('pair', '{"a": 2}')$$);
-- Prepared, with parameters of known and unknown types.
PREPARE either AS SELECT pg_tviews_wait('item', $1);
PREPARE named_key AS SELECT pg_tviews_wait('item', key => $1);
PREPARE named_timeout AS SELECT pg_tviews_wait('item', timeout => $1);
PREPARE both_texts(text, text) AS SELECT pg_tviews_wait($1, $2);
PREPARE text_interval(text, interval) AS SELECT pg_tviews_wait($1, $2);
PREPARE text_bigint(text, bigint) AS SELECT pg_tviews_wait($1, $2);
PREPARE all_unknown AS SELECT pg_tviews_wait($1, $2, $3);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY 1;
EXECUTE either('2');
EXECUTE either('1 second');
EXECUTE named_key('2');
EXECUTE named_key('1');
EXECUTE named_timeout('1 second');
EXECUTE both_texts('item', '2');
EXECUTE both_texts('item', '1 second');
EXECUTE text_interval('item', '1 second');
EXECUTE text_bigint('item', 2);
EXECUTE all_unknown('item', '3', '1 second');
DEALLOCATE ALL;
-- From a query, and in a view.
SELECT pk_item, answer(format('%L, %s', 'item', pk_item)) FROM tv_item ORDER BY 1;
SELECT count(*) FROM tv_item WHERE pk_item <> 1 AND pg_tviews_wait('item', pk_item);
CREATE VIEW waits AS SELECT pg_tviews_wait('item', '2') AS key, pg_tviews_wait('item', timeout => '1 second') AS timeout;
DROP VIEW waits;

-- With changes of one's own, whichever the form; also if they were written early.
BEGIN;
UPDATE tb_item SET n = 5 WHERE pk_item = 2;
SELECT call, answer(call) FROM unnest(ARRAY['', $$'item'$$, $$'item', '1 second'$$, $$'item', '3'$$, $$'item', 3$$]) call;
ROLLBACK;
BEGIN;
INSERT INTO tb_item SELECT i, gen_random_uuid(), repeat(i::text, 100), '2024-01-01', i FROM generate_series(1000, 6000) i;
SELECT count(*) > 0 AS written_early FROM pg_tview_queue WHERE xid = pg_current_xact_id();
SELECT call, answer(call) FROM unnest(ARRAY['', $$'item'$$, $$'item', '1 second'$$, $$'item', '3'$$, $$'item', 3$$]) call;
ROLLBACK;
SELECT error_of($$DELETE FROM tb_item WHERE pk_item = 2; SELECT pg_tviews_wait('item', 3)$$);

-- A transaction that keeps its snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT error_of($$SELECT pg_tviews_wait('item')$$);
SELECT error_of($$SELECT pg_tviews_wait('item', key => '1')$$);
SELECT pg_tviews_wait('item', key => '3');
COMMIT;
CALL pg_tviews_drain();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_tviews_wait('item'), pg_tviews_wait('item', 1);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT pg_tviews_wait('item'), pg_tviews_wait('item', 1);
COMMIT;
-- Who may not read the table may not know of its rows.
DROP ROLE IF EXISTS regress_tviews_stranger;
CREATE ROLE regress_tviews_stranger;
GRANT USAGE ON SCHEMA wait_calls TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT error_of($$SELECT pg_tviews_wait('item', 1)$$);
SELECT pg_tviews_wait('item');
RESET ROLE;
GRANT SELECT ON tv_item TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT pg_tviews_wait('item', 1);
RESET ROLE;

CALL pg_tviews_drain();
DROP SCHEMA wait_calls CASCADE;
DROP ROLE regress_tviews_stranger;
