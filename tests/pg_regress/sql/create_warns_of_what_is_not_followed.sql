-- A WARNING for everything in a view that no change of a source announces; none for what pinned settings decide.
SET client_min_messages = warning;
CREATE SCHEMA create_warns;
SET search_path = create_warns, public;

\set VERBOSITY default
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, at timestamptz, amount numeric, price money, ref uuid);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, at timestamptz);
CREATE TABLE tb_rate (rate numeric);
CREATE FUNCTION rate() RETURNS numeric LANGUAGE sql STABLE AS 'SELECT max(rate) FROM create_warns.tb_rate';
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
CREATE FUNCTION careless(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION step(int, int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1 + $2; END';
CREATE FUNCTION near(int, int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT abs($1 - $2) < (SELECT count(*) FROM create_warns.tb_rate)';
CREATE FUNCTION word(create_warns.tb_rate) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION rates() RETURNS SETOF numeric LANGUAGE sql STABLE AS 'SELECT rate FROM create_warns.tb_rate';
CREATE AGGREGATE total(int) (SFUNC = step, STYPE = int, INITCOND = '0');
CREATE OPERATOR <~> (LEFTARG = int, RIGHTARG = int, FUNCTION = near);
CREATE CAST (tb_rate AS int) WITH FUNCTION word(tb_rate);
CREATE SEQUENCE numbers;
CREATE VIEW v_fresh AS SELECT pk_user AS id, at > now() - interval '1 day' AS fresh FROM tb_user;

-- Silent: what depends on pinned settings only, and constants.
SELECT pg_tviews_create('silent', $$SELECT pk_user AS id, twice(pk_user), to_char(at, 'TMDay'), at::text AS text, at::date AS day, price::text AS price,
    date_trunc('day', at) AS start, at + interval '1 day' AS next, 'today'::date - DATE '2000-01-01' AS days, jsonb_build_object('at', at) AS data,
    age(at, at) AS none, concat(name, amount) AS both, to_tsvector('english', name) AS words, extract(year FROM at) AS year,
    coalesce(name, 'none') || amount AS joined, md5(name) AS md5, format('%s', at) AS formatted FROM tb_user$$);

-- Time.
SELECT pg_tviews_create('time', $$SELECT pk_user AS id, CURRENT_DATE AS day, CURRENT_TIME AS t, CURRENT_TIMESTAMP(2) AS ts, LOCALTIME AS lt, LOCALTIMESTAMP AS lts,
    clock_timestamp() AS c, age(at) AS age FROM tb_user WHERE at < now() AND at < statement_timestamp() AND at < transaction_timestamp() AND timeofday() <> ''$$);
-- In views inside views.
SELECT pg_tviews_create('nested', $$SELECT u.pk_user AS id, f.fresh FROM tb_user u JOIN v_fresh f ON f.id = u.pk_user$$);
-- Volatile functions, in sub-selects, CTEs, joins, functions in FROM, ORDER BY, windows and frames.
SELECT pg_tviews_create('volatile', $$WITH r AS (SELECT random() AS r) SELECT u.pk_user AS id, gen_random_uuid() AS uuid,
    (SELECT nextval('numbers')) AS n FROM tb_user u CROSS JOIN r$$);
SELECT pg_tviews_create('ordered', $$SELECT u.pk_user AS id, (SELECT p.pk_post FROM tb_post p WHERE p.fk_user = u.pk_user ORDER BY random() LIMIT 1) AS one FROM tb_user u$$);
SELECT pg_tviews_create('windowed', $$SELECT u.pk_user AS id, count(*) OVER (PARTITION BY u.pk_user ORDER BY amount RANGE BETWEEN random()::numeric PRECEDING AND CURRENT ROW) AS n FROM tb_user u$$);
SELECT pg_tviews_create('sample', $$SELECT pk_user AS id FROM tb_user TABLESAMPLE bernoulli (50)$$);
-- The session and the server.
SELECT pg_tviews_create('session', $$SELECT pk_user AS id, CURRENT_USER AS a, SESSION_USER AS b, USER AS c, CURRENT_ROLE AS d, CURRENT_CATALOG AS e, CURRENT_SCHEMA AS f,
    current_setting('app.user', true) AS g, current_schemas(true) AS h, pg_backend_pid() AS i, has_table_privilege('tb_user', 'select') AS j, to_tsvector(name) AS k,
    pg_table_is_visible('tb_user'::regclass) AS l FROM tb_user$$);
-- Names that are looked up by search_path, also inside documents; not where they stay values.
SELECT pg_tviews_create('names', $$SELECT pk_user AS id, tableoid::regclass::text AS a, to_jsonb(tableoid::regproc) AS b, concat(tableoid::regtype) AS c,
    name::regnamespace::text AS d, name::regconfig::oid AS e, name::text::regclass::oid AS f FROM tb_user$$);
SELECT pg_tviews_create('no_names', $$SELECT pk_user AS id, tableoid::regclass AS a, tableoid = 'tb_user'::regclass AS b, 'tb_user'::regclass::oid AS c,
    to_tsvector(name) AS d, pk_user::regrole::text AS e FROM tb_user$$);
-- Functions that may read tables: called, as operator, as cast, as aggregate, in FROM.
SELECT pg_tviews_create('called', $$SELECT pk_user AS id, rate() * amount AS due FROM tb_user WHERE careless(pk_user) > 0$$);
SELECT pg_tviews_create('operator', $$SELECT pk_user AS id, pk_user <~> 3 AS near, pk_user <~> ANY (ARRAY[1, 2]) AS some FROM tb_user$$);
SELECT pg_tviews_create('cast', $$SELECT pk_user AS id, row(amount)::tb_rate::int AS word FROM tb_user$$);
SELECT pg_tviews_create('aggregate', $$SELECT fk_user AS id, total(pk_post) AS n FROM tb_post GROUP BY fk_user$$);
SELECT pg_tviews_create('from', $$SELECT u.pk_user AS id, array_agg(r) AS rates FROM tb_user u LEFT JOIN rates() r ON true GROUP BY u.pk_user$$);
SELECT pg_tviews_create('xml', $$SELECT pk_user AS id, query_to_xml('SELECT 1', true, true, '')::text AS x FROM tb_user$$);

-- In redefinition too, and in conversion.
SELECT pg_tviews_create('time');
CREATE SCHEMA create_warns_converts;
SET search_path = create_warns_converts, public;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, at timestamptz);
CREATE TABLE tv_item (pk_item int PRIMARY KEY, age interval);
CREATE VIEW v_item AS SELECT pk_item, now() - at AS age FROM tb_item;
SELECT * FROM pg_tviews_auto_convert();
-- The SQLSTATE is that of a warning.
\set VERBOSITY sqlstate
SELECT pg_tviews_create('item');
\set VERBOSITY terse
-- A join over a volatile function: nothing is followed through it, so all is recomputed.
SET client_min_messages = notice;
SELECT pg_tviews_create('drawn', 'SELECT i.pk_item AS id, o.at FROM tb_item i LEFT JOIN tb_item o ON o.pk_item = i.pk_item + (random() * 0)::int');
SET client_min_messages = warning;
INSERT INTO tb_item VALUES (1, '2024-01-01'), (2, '2024-01-02');
CALL pg_tviews_drain();
UPDATE tb_item SET at = '2025-01-01' WHERE pk_item = 2;
CALL pg_tviews_drain();
SELECT same('v_drawn', 'tv_drawn');

DROP SCHEMA create_warns_converts CASCADE;
DROP SCHEMA create_warns CASCADE;
