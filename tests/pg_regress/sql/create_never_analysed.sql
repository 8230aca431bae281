-- Whether a view is small is measured, not estimated.
SET client_min_messages = warning;
CREATE SCHEMA create_never_analysed;
SET search_path = create_never_analysed, public;

CREATE FUNCTION state_of(entity text) RETURNS text LANGUAGE sql AS $$SELECT state FROM pg_tview_meta WHERE entity_name = entity AND view_schema = 'create_never_analysed'$$;
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, names text[], doc jsonb);
INSERT INTO tb_tag SELECT i, ARRAY['a', 'b'], '{"k": [1, 2]}' FROM generate_series(1, 12) i;
-- Nobody knows how many rows the functions return; the planner expects a million.
SELECT pg_tviews_create('tag', $$SELECT pk_tag, name, e, g FROM tb_tag, unnest(names) name, jsonb_array_elements_text(doc->'k') e, generate_series(1, 2) g$$, key_columns => '{pk_tag,name,e,g}');
SELECT state_of('tag'), count(*) FROM tv_tag;
-- Few rows of a large table.
CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int);
INSERT INTO tb_big SELECT i, i FROM generate_series(1, 30000) i;
SELECT pg_tviews_create('few', 'SELECT pk_big AS id, n FROM tb_big WHERE n + n < 20');
SELECT state_of('few'), count(*) FROM tv_few;
-- Many rows, and a few that take long.
SET pg_tviews.fill_limit = '100ms';
SELECT pg_tviews_create('many', 'SELECT pk_big AS id, n FROM tb_big');
SELECT state_of('many'), count(*) FROM tv_many;
CREATE FUNCTION slowly(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.3); RETURN n; END$$;
SELECT pg_tviews_create('slow', 'SELECT pk_tag AS id, slowly(pk_tag) AS n FROM tb_tag WHERE pk_tag < 4');
SELECT state_of('slow'), count(*) FROM tv_slow;
CALL pg_tviews_drain();
SELECT state_of('many'), state_of('slow'), same('v_many', 'tv_many'), (SELECT count(*) FROM tv_slow) AS slow;

DROP SCHEMA create_never_analysed CASCADE;
