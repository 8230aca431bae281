-- Where the query with a stored group in it must return what the view returns, or must not be used: conditions that occur twice,
-- aggregates inside of sub-selects, documents in images, constants that settings write differently.
SET client_min_messages = warning;
CREATE SCHEMA running_exceptions;
SET search_path = running_exceptions, public;
SET datestyle = 'ISO, MDY';
CREATE TABLE tb_p (pk_p int PRIMARY KEY, a int);
CREATE TABLE tb_t (pk_t int PRIMARY KEY, fk int, x int, b bool);
CREATE TABLE tb_u (p int, y int);
INSERT INTO tb_p VALUES (1, 10), (2, 20), (3, 30);
INSERT INTO tb_t VALUES (1, 1, 5, true), (2, 1, 7, false), (3, 1, 8, true), (4, 2, 6, true);
INSERT INTO tb_u VALUES (1, 100), (2, 200), (3, 300);
CREATE TABLE tview (name text, query text);
INSERT INTO tview VALUES
    -- A condition in ON, and the same one in WHERE or in another ON.
    ('w', 'SELECT p.pk_p AS pk_w, count(t.x) AS c FROM tb_p p LEFT JOIN tb_t t ON t.fk = p.pk_p AND t.b WHERE t.b GROUP BY p.pk_p'),
    ('on', 'SELECT p.pk_p AS pk_on, count(t.x) AS c, max(u.y) AS y FROM tb_p p LEFT JOIN tb_t t ON t.fk = p.pk_p AND t.x > 5 LEFT JOIN tb_u u ON u.p = p.pk_p AND t.x > 5 GROUP BY p.pk_p'),
    -- Aggregates of the query inside of its sub-selects.
    ('s', 'SELECT p.pk_p AS pk_s, count(t.x) AS c, (SELECT sum(p.a)) AS s FROM tb_p p LEFT JOIN tb_t t ON t.fk = p.pk_p GROUP BY p.pk_p'),
    ('h', 'SELECT p.pk_p AS pk_h, count(t.x) AS c FROM tb_p p LEFT JOIN tb_t t ON t.fk = p.pk_p GROUP BY p.pk_p HAVING (SELECT sum(p.a)) > 15'),
    ('m', 'SELECT p.pk_p AS pk_m, count(t.x) AS c, (SELECT max(u.y) FROM tb_u u WHERE u.p = count(p.a)) AS y FROM tb_p p LEFT JOIN tb_t t ON t.fk = p.pk_p GROUP BY p.pk_p'),
    ('e', 'SELECT p.pk_p AS pk_e, count(t.x) AS c, EXISTS (SELECT FROM tb_u u HAVING sum(p.a) > 25) AS e FROM tb_p p LEFT JOIN tb_t t ON t.fk = p.pk_p GROUP BY p.pk_p');
SELECT count(pg_tviews_create(name, query)) FROM tview;
CALL pg_tviews_drain();
UPDATE tb_t SET b = NOT b, x = x + 1;
CALL pg_tviews_drain();
UPDATE tb_t SET x = 4 WHERE fk = 2;
CALL pg_tviews_drain();
SELECT name, (SELECT count(*) FROM pg_tviews_check(name)) AS differences,
       (SELECT string_agg(running_aggregates, '; ') FROM pg_tviews_explain(name)) AS running_aggregates FROM tview;
SELECT * FROM tv_w ORDER BY 1;
SELECT * FROM tv_on ORDER BY 1;
SELECT * FROM tv_s ORDER BY 1;
SELECT * FROM tv_h ORDER BY 1;
SELECT * FROM tv_m ORDER BY 1;
SELECT * FROM tv_e ORDER BY 1;

-- Documents in images, as in the table.
CREATE DOMAIN document AS jsonb;
CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, fk int, js json, j jsonb, d document, many jsonb[]);
INSERT INTO tb_doc SELECT i, 1, '{"n":5}', '"abc"', '"abc"', ARRAY['"abc"', 'null']::jsonb[] FROM generate_series(1, 600) AS i;
SELECT pg_tviews_create('json', $$SELECT fk AS pk_json, count(*) AS c, sum((js ->> 'n')::int) AS s FROM tb_doc GROUP BY fk$$);
SELECT pg_tviews_create('jsonb', $$SELECT fk AS pk_jsonb, count(*) FILTER (WHERE j = '"abc"') AS abc, count(*) FILTER (WHERE j = 'null') AS nulls, count(*) FILTER (WHERE j IS NULL) AS nothing,
    sum(length(j #>> '{}')) AS length FROM tb_doc GROUP BY fk$$);
SELECT pg_tviews_create('domain', $$SELECT fk AS pk_domain, count(*) FILTER (WHERE d = '"abc"') AS abc FROM tb_doc GROUP BY fk$$);
SELECT pg_tviews_create('many', $$SELECT fk AS pk_many, count(*) FILTER (WHERE many[1] = '"abc"' AND many[2] = 'null') AS abc FROM tb_doc GROUP BY fk$$);
CALL pg_tviews_drain();
INSERT INTO tb_doc VALUES (1001, 1, '{"n":5}', '"abc"', '"abc"', ARRAY['"abc"', 'null']::jsonb[]);
CALL pg_tviews_drain();
INSERT INTO tb_doc VALUES (1002, 1, '{"n":5}', '"abc"', '"abc"', ARRAY['"abc"', 'null']::jsonb[]), (1003, 1, '"n"', 'null', 'null', NULL), (1004, 1, NULL, '{"abc": [1, "2"]}', NULL, NULL),
    (1005, 1, NULL, NULL, NULL, NULL);
CALL pg_tviews_drain();
SELECT * FROM tv_json; SELECT * FROM tv_jsonb; SELECT * FROM tv_domain; SELECT * FROM tv_many;

-- Constants, with settings that round or write them in another way.
CREATE TABLE tb_f (pk_f int PRIMARY KEY, fk int, f float8, at date, span interval);
INSERT INTO tb_f SELECT i, 1, 0.1::float8 + 0.2::float8, '2026-05-04', '-1 day +2 hours' FROM generate_series(1, 600) AS i;
SET extra_float_digits = 0;
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SELECT pg_tviews_create('f', $$SELECT fk AS pk_f, count(*) AS c, count(*) FILTER (WHERE f < '0.30000000000000004'::float8) AS less,
    count(*) FILTER (WHERE at > date '03/05/2026') AS later, count(*) FILTER (WHERE span < interval '-1 days +00:00:00') AS short FROM tb_f GROUP BY fk$$);
CALL pg_tviews_drain();
INSERT INTO tb_f VALUES (1001, 1, 0.3, '04/05/2026', interval 'P-2D');
CALL pg_tviews_drain();
INSERT INTO tb_f VALUES (1002, 1, 0.3, '03/05/2026', interval 'P-2D');
CALL pg_tviews_drain();
RESET datestyle; RESET intervalstyle; RESET extra_float_digits;
INSERT INTO tb_f VALUES (1003, 1, 0.3, '2026-05-04', interval '-1 day +2 hours');
CALL pg_tviews_drain();
SELECT * FROM tv_f;
-- The next refresh adds up how often groups were read.
UPDATE tb_doc SET js = '{}', j = '{}', many = '{}' WHERE pk_doc = 1005; CALL pg_tviews_drain();
SELECT entity_name, stored_groups, stored_group_reads > 0 AS read FROM pg_tview_status WHERE entity_name IN ('json', 'jsonb', 'domain', 'many', 'f') ORDER BY 1;

-- Operators that SQL does not name, and casts that it does not show.
CREATE SCHEMA app;
CREATE FUNCTION app.modulo(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 % 10 OPERATOR(pg_catalog.=) $2 % 10';
CREATE OPERATOR app.= (LEFTARG = int, RIGHTARG = int, FUNCTION = app.modulo);
CREATE TYPE app.word AS (w text);
CREATE FUNCTION app.number(app.word) RETURNS int IMMUTABLE LANGUAGE sql AS $$SELECT length(($1).w)$$;
CREATE CAST (app.word AS int) WITH FUNCTION app.number AS IMPLICIT;
CREATE TABLE tb_q (pk_q int PRIMARY KEY, fl int, w int);
CREATE TABLE tb_o (pk_o int PRIMARY KEY, fk int, x int, word app.word);
INSERT INTO tb_q SELECT i, i % 2, i FROM generate_series(1, 20) AS i;
INSERT INTO tb_o SELECT i, i % 20 + 1, i, CAST(ROW (repeat('x', i % 3)) AS app.word) FROM generate_series(1, 1800) AS i;
SET search_path = running_exceptions, app, pg_catalog, public;
TRUNCATE tview;
INSERT INTO tview VALUES
    ('distinct', 'SELECT q.fl AS pk_distinct, count(*) AS n FROM tb_q q JOIN tb_o o ON o.fk OPERATOR(pg_catalog.=) q.pk_q AND o.x IS NOT DISTINCT FROM q.w GROUP BY q.fl'),
    ('nullif', 'SELECT q.fl AS pk_nullif, count(nullif(o.x, q.w)) AS n FROM tb_q q JOIN tb_o o ON o.fk OPERATOR(pg_catalog.=) q.pk_q GROUP BY q.fl'),
    ('case', 'SELECT 1 AS pk_case, sum(CASE x WHEN 7 THEN 1000 ELSE 1 END) AS n FROM tb_o'),
    ('row', 'SELECT 1 AS pk_row, count(*) AS n FROM tb_o WHERE (x, fk) IS DISTINCT FROM (7, 8)'),
    ('cast', 'SELECT q.pk_q AS pk_cast, (SELECT count(*) FROM tb_o o WHERE o.word OPERATOR(pg_catalog.=) q.pk_q) AS n FROM tb_q q'),
    ('sum', 'SELECT fk AS pk_sum, sum(word) AS n FROM tb_o GROUP BY fk');
SELECT count(pg_tviews_create(name, query)) FROM tview;
CALL pg_tviews_drain();
INSERT INTO tb_o VALUES (2001, 7, 17, ROW ('x')); CALL pg_tviews_drain();
INSERT INTO tb_o VALUES (2002, 7, 27, ROW ('x')); CALL pg_tviews_drain();
UPDATE tb_o SET x = 8 WHERE pk_o OPERATOR(pg_catalog.=) 2002; CALL pg_tviews_drain();
SET search_path = running_exceptions, public;
SELECT name, (SELECT count(*) FROM pg_tviews_check(name)) AS differences,
       (SELECT string_agg(running_aggregates, '; ') FROM pg_tviews_explain(name)) AS running_aggregates FROM tview;

-- Code behind a view cannot store a group.
CREATE TABLE tb_g (pk_g int PRIMARY KEY, fk int);
INSERT INTO tb_g SELECT i, 1 FROM generate_series(1, 600) AS i;
SELECT pg_tviews_create('g', 'SELECT fk AS pk_g, count(*) AS c, max(pg_tviews_running_group(1, ARRAY[fk::text], 777777, ARRAY[]::text[], false)) AS m FROM tb_g GROUP BY fk');
SELECT pg_tviews_create('k', 'SELECT p.pk_p AS pk_k, (SELECT count(*) FROM tb_g g WHERE g.fk = p.pk_p) AS c,
    pg_tviews_running_group(1, ARRAY[p.pk_p::text], 777777, ARRAY[]::text[], false) AS m FROM tb_p p');
CALL pg_tviews_drain();
INSERT INTO tb_g VALUES (1001, 1);
CALL pg_tviews_drain();
INSERT INTO tb_g VALUES (1002, 1);
CALL pg_tviews_drain();
SELECT * FROM tv_g; SELECT * FROM tv_k ORDER BY 1;
SELECT entity_name, stored_groups FROM pg_tview_status WHERE entity_name IN ('g', 'k') ORDER BY 1;

-- A unique index over a part of the rows does not make groups single rows; one over all of them does.
CREATE TABLE tb_address (pk_address int PRIMARY KEY, fk int, is_main bool);
INSERT INTO tb_address SELECT i, i % 3, i <= 3 FROM generate_series(1, 600) AS i;
CREATE UNIQUE INDEX main_address ON tb_address (fk) WHERE is_main;
SELECT pg_tviews_create('address', 'SELECT fk AS pk_address, count(*) AS c FROM tb_address GROUP BY fk');
SELECT running_aggregates FROM pg_tviews_explain('address');
DELETE FROM tb_address WHERE NOT is_main;
CREATE UNIQUE INDEX one_address ON tb_address (fk);
SELECT running_aggregates FROM pg_tviews_explain('address');
DROP SCHEMA running_exceptions CASCADE;
