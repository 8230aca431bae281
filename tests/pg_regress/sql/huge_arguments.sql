-- Texts of megabytes, and documents of any depth, given to every function: refused, and not repeated in messages.
SET client_min_messages = warning;
CREATE SCHEMA huge_arguments;
SET search_path = huge_arguments, public;
\pset format unaligned
\pset tuples_only on
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
CREATE TABLE tb_pair (a int, b int, PRIMARY KEY (a, b));
INSERT INTO tb_post VALUES (1, 1, 'one');
SELECT pg_tviews_create('post', 'SELECT pk_post, title FROM tb_post');
SELECT pg_tviews_create('pair', 'SELECT a, b FROM tb_pair', key_columns => '{a,b}');

-- SQLSTATE of a call, and how long its messages are if they are long.
CREATE FUNCTION refusal(call text, VARIADIC args text[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail  text;
    hint    text;
BEGIN
    EXECUTE call USING args[1];
    RETURN call || ' | no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', call, SQLSTATE,
        CASE WHEN octet_length(message || detail || hint) > 2000 THEN octet_length(message || detail || hint) || ' bytes' END,
        CASE WHEN hint = '' THEN 'no hint' END);
END $$;

-- Names.
SELECT refusal(call, name)
  FROM unnest(ARRAY[
           'SELECT pg_tviews_create($1)',
           'SELECT pg_tviews_create($1, ''SELECT pk_post FROM tb_post'')',
           'SELECT pg_tviews_drop($1)',
           'SELECT pg_tviews_drop($1, if_exists => true)',
           'SELECT pg_tviews_pause($1)',
           'SELECT pg_tviews_resume($1)',
           'SELECT pg_tviews_refresh($1)',
           'SELECT pg_tviews_retry($1)',
           'SELECT pg_tviews_wait($1)',
           'SELECT pg_tviews_wait($1, key => ''1'')',
           'SELECT pg_tviews_wait($1, ''1'')',
           'SELECT pg_tviews_check($1)',
           'SELECT pg_tviews_pending($1)',
           'SELECT pg_tviews_explain($1)',
           'SELECT pg_tviews_affected($1, ''tb_post'', ''[1]'')',
           'CALL pg_tviews_drain($1)']) AS call,
       unnest(ARRAY[repeat('x', 64), repeat('x', 1000000), repeat('x', 1000000) || '.post', 'public.' || repeat('é', 1000000),
                    '"' || repeat('""', 1000000), repeat('a.', 1000000)]) WITH ORDINALITY AS n(name, place)
 ORDER BY place, call;
-- Whitespace around a name is none of it.
SELECT refusal('SELECT pg_tviews_check($1)', repeat(' ', 100000) || 'post' || repeat(' ', 100000));
SELECT error_of(format('SELECT pg_tviews_check(%L)', repeat('x', 64) || '.post'));
SELECT error_of(format('SELECT pg_tviews_check(%L)', repeat('é', 200)));
SELECT error_of(format('SELECT pg_tviews_check(%L)', repeat('a.', 200)));

-- Keys and columns.
SELECT refusal(call, repeat('9', 1000000))
  FROM unnest(ARRAY[
           'SELECT pg_tviews_refresh(''post'', ARRAY[$1])',
           'SELECT pg_tviews_refresh(''pair'', ARRAY[$1])',
           'SELECT pg_tviews_pending(''post'', ARRAY[$1])',
           'SELECT pg_tviews_wait(''post'', key => $1)',
           'SELECT pg_tviews_wait(''post'', key => $1 || ''x'')',
           'SELECT pg_tviews_wait(''post'', $1 || ''x'')',
           'SELECT pg_tviews_wait(NULL, $1 || ''x'')',
           'SELECT pg_tviews_create(''other'', ''SELECT pk_post, title FROM tb_post'', key_columns => ARRAY[$1])',
           'SELECT pg_tviews_explain(''post'', key_columns => ARRAY[$1])',
           'SELECT pg_tviews_explain(''SELECT pk_post FROM tb_post'', key_columns => ARRAY[$1])',
           'UPDATE pg_tview_meta SET fk_columns = ARRAY[$1] WHERE entity_name = ''post''',
           'SELECT pg_tviews_affected(''post'', ''tb_post'', jsonb_build_array($1 || ''x''))',
           'SELECT pg_tviews_affected(''post'', ''tb_post'', jsonb_build_array(jsonb_build_object($1, 1)))',
           'SELECT pg_tviews_affected(''pair'', ''tb_pair'', jsonb_build_array($1))',
           'SELECT pg_tviews_affected(''post'', ''tb_post'', jsonb_build_array(jsonb_build_array($1)))']) AS call;

-- Depth.
SELECT refusal(call, repeat('[', depth) || repeat(']', depth))
  FROM unnest(ARRAY[
           'SELECT pg_tviews_affected(''post'', ''tb_post'', $1::jsonb)',
           'SELECT pg_tviews_affected(''post'', ''tb_post'', jsonb_build_object(''pk_post'', $1::jsonb))',
           'SELECT pg_tviews_refresh(''pair'', ARRAY[$1])',
           'SELECT pg_tviews_pending(''pair'', ARRAY[''{"a": '' || $1 || '', "b": 1}''])',
           'SELECT pg_tviews_wait(''pair'', key => $1)']) AS call, unnest('{200,6000}'::int[]) AS depth;
SELECT error_of(format('SELECT pg_tviews_affected(''post'', ''tb_post'', %L)', repeat('[', 200) || repeat(']', 200)));
SELECT error_of($$SELECT pg_tviews_affected('post', 'tb_post', '1')$$);
SELECT error_of($$SELECT pg_tviews_affected('post', 'tb_post', '"one"')$$);
SELECT error_of($$SELECT pg_tviews_affected('post', 'tb_post', 'null')$$);
SELECT error_of($$SELECT pg_tviews_affected('post', 'tb_post', 'true')$$);
SELECT * FROM pg_tviews_affected('post', 'tb_post', '{"pk_post": 1}');
SELECT * FROM pg_tviews_affected('post', 'tb_post', '[1]');

-- A key may be as deep, and its numbers as long, as PostgreSQL takes them.
CREATE TABLE tb_deep (id jsonb PRIMARY KEY, n int);
INSERT INTO tb_deep VALUES ((repeat('[', 500) || repeat(']', 500))::jsonb, 1), ('1e400', 1);
SELECT pg_tviews_create('deep', 'SELECT id, n FROM tb_deep');
UPDATE tb_deep SET n = 2;
SELECT key = jsonb_build_object('id', t.id) AS right, problem FROM tb_deep t JOIN pg_tviews_check('deep') c ON c.key->'id' = t.id;
SELECT count(*) FROM pg_tviews_pending('deep') JOIN tb_deep ON key->'id' = id;
SELECT count(*) FROM pg_tviews_affected('deep', 'tb_deep', '[{"n": 2}]') JOIN tb_deep ON key->'id' = id;

DROP SCHEMA huge_arguments CASCADE;
CALL pg_tviews_drain();
