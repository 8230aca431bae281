-- pg_tviews_explain says which aggregates run along, and why others do not.
SET client_min_messages = warning;
CREATE SCHEMA explain_running;
SET search_path = explain_running, public;
SET datestyle = 'ISO, MDY';
CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text, day date);
CREATE TABLE tb_like (pk_like int PRIMARY KEY, fk_post int, kind text, amount int, price numeric(10,2), loose numeric, weight float8,
    ok boolean, at date, seen timestamptz);
CREATE INDEX ON tb_like (fk_post);
CREATE FUNCTION said(query text, key text DEFAULT 'pk_post') RETURNS TABLE (source regclass, running_aggregates text) LANGUAGE sql AS
    'SELECT e.source, e.running_aggregates FROM pg_tviews_explain(query, ARRAY[key]) e';

-- They do.
SELECT * FROM said('SELECT p.pk_post, (SELECT count(*) FROM tb_like l WHERE l.fk_post = p.pk_post AND l.amount > 1) AS n FROM tb_post p');
SELECT * FROM said('SELECT p.pk_post, count(l.pk_like) AS n, sum(l.price * l.amount) FILTER (WHERE l.ok) AS s, max(l.at) AS latest
    FROM tb_post p LEFT JOIN tb_like l ON l.fk_post = p.pk_post GROUP BY p.pk_post');
SELECT * FROM said('SELECT p.pk_post, x.n, x.s FROM tb_post p
    LEFT JOIN (SELECT fk_post, count(*) AS n, avg(amount) AS s FROM tb_like GROUP BY fk_post) x ON x.fk_post = p.pk_post');
SELECT * FROM said('SELECT kind, bool_and(ok) AS ok, min(amount) AS least FROM tb_like GROUP BY kind', 'kind');
SELECT * FROM said('SELECT 1 AS pk_total, count(*) AS n, sum(price) AS s FROM tb_like', 'pk_total');
-- Joins: of all tables, of those that are not grouped by, of a table with itself.
SELECT * FROM said('SELECT p.day, sum(l.amount) AS s FROM tb_post p JOIN tb_like l ON l.fk_post = p.pk_post GROUP BY p.day', 'day');
SELECT * FROM said('SELECT p.pk_post, p.title, sum(l.amount * o.amount) AS s FROM tb_post p, tb_like l, tb_like o WHERE l.fk_post = p.pk_post AND o.pk_like = l.amount AND o.kind = ''k'' GROUP BY p.pk_post');
SELECT * FROM said('SELECT p.pk_post, (SELECT max(o.at) FROM tb_post o JOIN tb_like l ON l.fk_post = o.pk_post WHERE l.amount = p.pk_post) AS latest FROM tb_post p');
-- They do not.
SELECT * FROM said('SELECT p.day, sum(l.weight) AS s FROM tb_post p JOIN tb_like l ON l.fk_post = p.pk_post GROUP BY p.day', 'day');
SELECT * FROM said('SELECT p.day, sum(l.amount) AS s FROM tb_post p JOIN tb_like l ON l.fk_post = p.pk_post WHERE l.seen > now() - interval ''1 day'' GROUP BY p.day', 'day');
SELECT * FROM said('SELECT p.day, sum(l.amount) AS s, count(*) AS n FROM tb_post p LEFT JOIN tb_like l ON l.fk_post = p.pk_post GROUP BY p.day', 'day');
SELECT * FROM said('SELECT p.day, sum(l.amount) AS s FROM tb_post p JOIN (SELECT * FROM tb_like OFFSET 0) l ON l.fk_post = p.pk_post GROUP BY p.day', 'day');
SELECT * FROM said('SELECT p.day, sum(l.amount) + (SELECT count(*) FROM tb_post o WHERE o.title = p.title) AS s FROM tb_post p JOIN tb_like l ON l.fk_post = p.pk_post GROUP BY p.day, p.title', 'day');
SELECT * FROM said('SELECT kind, sum(weight) AS s FROM tb_like GROUP BY kind', 'kind');
SELECT * FROM said('SELECT kind, sum(loose) AS s FROM tb_like GROUP BY kind', 'kind');
SELECT * FROM said('SELECT kind, count(DISTINCT amount) AS n FROM tb_like GROUP BY kind', 'kind');
SELECT * FROM said('SELECT kind, jsonb_agg(amount) AS all FROM tb_like GROUP BY kind', 'kind');
SELECT * FROM said('SELECT seen, count(*) AS n FROM tb_like GROUP BY seen', 'seen');
SELECT * FROM said('SELECT kind, count(*) AS n FROM tb_like GROUP BY ROLLUP (kind)', 'kind');
SELECT * FROM said('SELECT kind, count(*) AS n FROM tb_like WHERE seen < now() GROUP BY kind', 'kind');
-- The table is read elsewhere, too: by a function in FROM, by a sub-select.
SELECT * FROM said('SELECT p.pk_post, (SELECT min(l.amount) FROM tb_like l LEFT JOIN LATERAL generate_series(1, l.amount) AS g (n) ON true WHERE l.fk_post = p.pk_post) AS m FROM tb_post p');
SELECT * FROM said('SELECT p.pk_post, (SELECT min(l.amount) FROM tb_like l LEFT JOIN LATERAL generate_series(1, l.amount) AS g (n) ON true WHERE g.n = p.pk_post) AS m FROM tb_post p');
SELECT * FROM said('SELECT p.pk_post, (SELECT count(*) FROM tb_like l, LATERAL (VALUES (l.amount)) AS v (n) WHERE l.fk_post = p.pk_post) AS m FROM tb_post p');
SELECT * FROM said('SELECT p.pk_post, (SELECT count(*) FROM tb_like l WHERE l.fk_post = p.pk_post AND EXISTS (SELECT FROM tb_post o WHERE o.pk_post = l.amount)) AS m FROM tb_post p');
SELECT * FROM said('SELECT pk_post, title FROM tb_post');
SET datestyle = 'German, DMY';
SELECT * FROM said('SELECT kind, max(at) AS latest FROM tb_like GROUP BY kind', 'kind');
RESET datestyle;
DROP SCHEMA explain_running CASCADE;
