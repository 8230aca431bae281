-- Helpers for tests of an application with pgTAP. Load this file into the database of the tests:
--
--     psql -d mydb_test -c 'CREATE EXTENSION pgtap' -f pgtap_tviews.sql
--
-- The helpers find the functions of pgTAP and of pg_tviews by the search_path of the test. Loading the file again is
-- harmless.

DO $$
BEGIN
    IF to_regprocedure('ok(boolean, text)') IS NULL OR to_regprocedure('diag(text)') IS NULL THEN
        RAISE 'the functions of pgTAP are not in the search_path' USING
            ERRCODE = 'undefined_function',
            HINT = 'Run "CREATE EXTENSION pgtap;", or add the schema of pgTAP to the search_path.';
    ELSIF to_regprocedure('pg_tviews_require(text, interval)') IS NULL THEN
        RAISE 'the functions of pg_tviews are not in the search_path' USING
            ERRCODE = 'undefined_function',
            HINT = 'Run "CREATE EXTENSION pg_tviews;", or add the schema of pg_tviews to the search_path.';
    END IF;
END $$;

-- The table of a TVIEW called post, tv_post or app.post.
CREATE OR REPLACE FUNCTION _tview_table(tview text) RETURNS regclass
LANGUAGE plpgsql AS $$
DECLARE
    parts text[] := parse_ident(tview);
    entity text := regexp_replace(parts[cardinality(parts)], '^tv_(?=.)', '');
BEGIN
    parts[cardinality(parts)] := 'tv_' || entity;
    RETURN (SELECT to_regclass(string_agg(quote_ident(p.part), '.' ORDER BY p.n)) FROM unnest(parts) WITH ORDINALITY AS p(part, n));
END $$;

-- Waits until everything committed is in the table, up to pg_tviews.stale_timeout. Returns why it is not; NULL if it is.
CREATE OR REPLACE FUNCTION _tview_is_behind(tview text) RETURNS text
LANGUAGE plpgsql SET pg_tviews.on_stale = 'wait' AS $$
DECLARE
    dead record;
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM pg_tviews_require(tview, '0');
    SELECT count(*) AS keys, min(d.message) AS message INTO dead
    FROM pg_tview_dead_letter d
    WHERE d.tview_oid = _tview_table(tview);
    RETURN CASE WHEN dead.keys > 0 THEN format('%s keys are in pg_tview_dead_letter: %s', dead.keys, dead.message) END;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', message, nullif(detail, ''), nullif(hint, ''));
END $$;

-- The rows in which the table differs from the view, as the transaction of the test sees both. Rows that changes of
-- other sessions have left behind at this moment do not count. Such a change may be committed between the look at the
-- rows and the look at what is pending: what counts is a row that differs each time.
CREATE OR REPLACE FUNCTION _tview_differences(tview text) RETURNS TABLE (key jsonb, problem text)
LANGUAGE plpgsql AS $$
DECLARE
    found jsonb;
BEGIN
    FOR attempt IN 1..5 LOOP
        -- A query that reads the table shows the changes of this transaction in it.
        EXECUTE format('SELECT FROM %s LIMIT 0', _tview_table(tview));
        SELECT coalesce(jsonb_object_agg(c.key::text, c.problem), '{}') INTO found
        FROM pg_tviews_check(tview) c
        WHERE c.key NOT IN (SELECT p.key FROM pg_tviews_pending(tview) p)
          AND (attempt = 1 OR found ? c.key::text);
        EXIT WHEN found = '{}';
    END LOOP;
    RETURN QUERY SELECT f.key::jsonb, f.value FROM jsonb_each_text(found) f;
END $$;

-- Passes if everything committed so far is in the table of the TVIEW. Waits for it, up to pg_tviews.stale_timeout.
CREATE OR REPLACE FUNCTION tview_is_fresh(tview text, description text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    reason text := _tview_is_behind(tview);
    line text := ok(reason IS NULL, coalesce(description, format('TVIEW %s should be fresh', tview)));
BEGIN
    RETURN concat_ws(E'\n', line, diag(reason));
END $$;

-- Passes if the table has the rows of the view: those of everything committed, and of what this transaction has written.
CREATE OR REPLACE FUNCTION tview_equals_view(tview text, description text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    reason text := _tview_is_behind(tview);
    line text;
    message text;
    hint text;
BEGIN
    IF reason IS NULL THEN
        BEGIN
            SELECT string_agg(CASE WHEN d.n <= 10 THEN format('%s: %s', d.problem, d.key) WHEN d.n = 11 THEN '...' END,
                              E'\n' ORDER BY d.n)
            INTO reason
            FROM (SELECT f.*, row_number() OVER (ORDER BY f.key) AS n FROM _tview_differences(tview) f) d;
        EXCEPTION WHEN OTHERS THEN -- the view fails, or may not be read
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
            reason := concat_ws(E'\n', message, nullif(hint, ''));
        END;
    END IF;
    line := ok(reason IS NULL, coalesce(description, format('TVIEW %s should equal its view', tview)));
    RETURN concat_ws(E'\n', line, diag(reason));
END $$;

COMMENT ON FUNCTION tview_is_fresh(text, text) IS 'pgTAP: passes if everything committed so far is in the table of the TVIEW';
COMMENT ON FUNCTION tview_equals_view(text, text) IS 'pgTAP: passes if the table of the TVIEW has the rows of its view';
