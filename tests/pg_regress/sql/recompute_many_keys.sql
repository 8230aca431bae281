-- Many keys are recomputed together: doubled, gone, new, changed and equal ones in one batch, for integers (looked for between the
-- least and the greatest), for keys of another type in the table than in the view, for keys of two columns.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = error;
CREATE SCHEMA recompute_many_keys;
SET search_path = recompute_many_keys, public;

CREATE TABLE tb_n (n int PRIMARY KEY, copies int NOT NULL DEFAULT 1, val int NOT NULL DEFAULT 0);
INSERT INTO tb_n SELECT n FROM generate_series(1, 600) AS n;
CREATE VIEW v_large AS SELECT CASE n WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE (n - 300)::bigint END AS id, val
  FROM tb_n, generate_series(1, copies);
CREATE VIEW v_small AS SELECT (n - 300)::smallint AS id, val FROM tb_n, generate_series(1, copies);
CREATE VIEW v_wider AS SELECT n - 300 AS id, val FROM tb_n, generate_series(1, copies);
CREATE TABLE tv_wider (id bigint PRIMARY KEY, val int);
CREATE VIEW v_text AS SELECT n * 10 AS id, val FROM tb_n, generate_series(1, copies);
CREATE TABLE tv_text (id text PRIMARY KEY, val int);
CREATE VIEW v_two AS SELECT n % 7 AS id, n::text AS part, val FROM tb_n, generate_series(1, copies);
SELECT count(pg_tviews_create(name, key_columns => CASE name WHEN 'two' THEN '{id,part}' ELSE '{id}' END::text[]))
  FROM unnest('{large,small,wider,text,two}'::text[]) AS name;
CALL pg_tviews_drain();

CREATE FUNCTION differences(OUT entity text, OUT rows bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    FOREACH entity IN ARRAY '{large,small,text,two,wider}'::text[] LOOP
        SELECT count(*) INTO rows FROM pg_tviews_check(entity);
        RETURN NEXT;
    END LOOP;
END $$;
CREATE VIEW refreshed AS
SELECT DISTINCT ON (entity_name) entity_name, status, keys_refreshed AS keys, rows_inserted AS inserted, rows_updated AS updated,
       rows_deleted AS deleted, rows_unchanged AS unchanged, left(message, 60) AS message
  FROM pg_tview_meta_audit a WHERE a.tview_oid IN (SELECT oid FROM pg_class WHERE relnamespace = 'recompute_many_keys'::regnamespace)
 ORDER BY entity_name, audit_id DESC;

\echo nothing doubled or gone
UPDATE tb_n SET val = val + n % 2;
CALL pg_tviews_drain();
SELECT * FROM refreshed;
SELECT * FROM differences();

\echo some gone, some new
UPDATE tb_n SET copies = 0, val = 5 WHERE n % 100 IN (0, 1);
UPDATE tb_n SET val = val + 1 WHERE n % 100 > 50;
INSERT INTO tb_n SELECT n FROM generate_series(601, 900) AS n;
CALL pg_tviews_drain();
SELECT * FROM refreshed;
SELECT * FROM differences();

\echo some doubled, some gone
UPDATE tb_n SET copies = CASE n % 100 WHEN 2 THEN 2 WHEN 3 THEN 0 ELSE 1 END, val = val + n % 3;
CALL pg_tviews_drain();
SELECT * FROM refreshed;
SELECT count(*), min(problem), max(problem) FROM pg_tviews_check('large');
SELECT bool_and(tv.val = 0) AS left_alone FROM tv_two tv JOIN tb_n ON part = n::text WHERE copies = 2 AND n > 600;

\echo as many doubled as gone
UPDATE tb_n SET copies = CASE n % 100 WHEN 2 THEN 1 WHEN 3 THEN 1 WHEN 4 THEN 2 WHEN 5 THEN 0 ELSE 1 END;
UPDATE tb_n SET val = val + 1;
CALL pg_tviews_drain();
SELECT * FROM refreshed;
SELECT name, (SELECT count(*) FROM pg_tviews_check(name)) FROM unnest('{large,small,text,two,wider}'::text[]) AS name;
SELECT count(*) FROM tv_two JOIN tb_n ON part = n::text WHERE copies = 0;

\echo one each
UPDATE tb_n SET copies = 1, val = val + 1;
CALL pg_tviews_drain();
SELECT * FROM refreshed;
SELECT * FROM differences();
DROP SCHEMA recompute_many_keys CASCADE;
