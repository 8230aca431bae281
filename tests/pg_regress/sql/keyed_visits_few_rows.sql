-- Keyed is not only a word: one changed row of a table with 100,000 rows makes a refresh visit a few hundred rows of the
-- sources at most, whatever the view is made of. Counted by the server, over the key query and the recomputation.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA keyed_visits_few_rows;
SET search_path = keyed_visits_few_rows, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, id text NOT NULL UNIQUE, name text, best int, region int NOT NULL);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, id text NOT NULL UNIQUE, fk_user int NOT NULL, topic int, title text, at timestamp);
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, label text);
CREATE TABLE tb_post_tag (fk_post int, fk_tag int, PRIMARY KEY (fk_post, fk_tag));
INSERT INTO tb_user SELECT i, 'u' || i, 'user ' || i, i * 5, i / 20 FROM generate_series(1, 20000) AS i;
INSERT INTO tb_post SELECT i, 'p' || i, 1 + i % 20000, nullif(i % 10000, 0), 'post ' || i, '2020-01-01'::timestamp + i * interval '1 hour'
  FROM generate_series(1, 100000) AS i;
INSERT INTO tb_tag SELECT i, 'tag ' || i FROM generate_series(1, 10000) AS i;
INSERT INTO tb_post_tag SELECT i, 1 + i % 10000 FROM generate_series(1, 100000) AS i;
CREATE INDEX ON tb_user (best);
CREATE INDEX ON tb_user (region);
CREATE INDEX ON tb_user (lower(name));
CREATE INDEX ON tb_post (fk_user);
CREATE INDEX ON tb_post (topic);
CREATE INDEX ON tb_post (at);
CREATE INDEX ON tb_post_tag (fk_tag);
-- Statistics stay as they are here, and so do the plans.
ALTER TABLE tb_user SET (autovacuum_enabled = off);
ALTER TABLE tb_post SET (autovacuum_enabled = off);
ALTER TABLE tb_tag SET (autovacuum_enabled = off);
ALTER TABLE tb_post_tag SET (autovacuum_enabled = off);
VACUUM ANALYZE tb_user, tb_post, tb_tag, tb_post_tag;

-- Views that others are built on: a user with what belongs to it, counted; the posts of a user, as an array.
CREATE VIEW v_counts AS SELECT fk_user, count(*) AS posts, max(at) AS latest FROM tb_post GROUP BY fk_user;
CREATE VIEW v_author AS
SELECT u.pk_user, u.id, u.name, coalesce(c.posts, 0) AS posts FROM tb_user u LEFT JOIN v_counts c ON c.fk_user = u.pk_user;
CREATE VIEW v_shelf AS
SELECT u.id, jsonb_agg(p.title ORDER BY p.pk_post) AS titles FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.id;

CREATE TABLE construct (number int GENERATED ALWAYS AS IDENTITY, what text, query text);
INSERT INTO construct (what, query) VALUES
('parent', 'SELECT p.id, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user WHERE p.pk_post < 500'),
('children grouped', 'SELECT u.id, jsonb_agg(p.title) AS titles FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.id'),
('children grouped apart, joined by another column than the key', 'SELECT u.id, c.posts FROM tb_user u LEFT JOIN (SELECT fk_user, count(*) AS posts FROM tb_post GROUP BY fk_user) c ON c.fk_user = u.pk_user'),
('the same, written first', 'SELECT u.id, c.posts FROM v_counts c JOIN tb_user u ON u.pk_user = c.fk_user'),
('the same in a right join', 'SELECT u.id, c.posts FROM v_counts c RIGHT JOIN tb_user u ON u.pk_user = c.fk_user'),
('the same after a comma', 'SELECT u.id, c.posts FROM v_counts c, tb_user u WHERE u.pk_user = c.fk_user'),
('the same by USING', 'SELECT u.id, c.posts FROM tb_user u LEFT JOIN (SELECT fk_user AS pk_user, count(*) AS posts FROM tb_post GROUP BY fk_user) c USING (pk_user)'),
('a view that counts, embedded through its id', 'SELECT p.id, jsonb_build_object(''by'', a.name, ''posts'', a.posts) AS data FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user JOIN v_author a ON a.id = u.id WHERE p.pk_post < 500'),
('an array view embedded through its id', 'SELECT p.id, s.titles FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user JOIN v_shelf s ON s.id = u.id WHERE p.pk_post < 500'),
('two levels of counting', 'SELECT u.id, x.mates FROM tb_user u JOIN (SELECT a.pk_user, count(*) AS mates FROM v_author a JOIN tb_post p ON p.fk_user = a.pk_user GROUP BY a.pk_user) x ON x.pk_user = u.pk_user'),
('a CTE used twice', 'WITH c AS (SELECT fk_user, count(*) AS n FROM tb_post GROUP BY fk_user) SELECT u.id, a.n, b.n AS best FROM tb_user u LEFT JOIN c a ON a.fk_user = u.pk_user LEFT JOIN c b ON b.fk_user = u.best'),
('a CTE in a CTE', 'WITH c AS (SELECT fk_user, topic FROM tb_post), d AS MATERIALIZED (SELECT fk_user, count(DISTINCT topic) AS n FROM c GROUP BY fk_user) SELECT u.id, d.n FROM tb_user u JOIN d ON d.fk_user = u.pk_user'),
('DISTINCT apart', 'SELECT u.id, jsonb_agg(t.topic ORDER BY t.topic) AS topics FROM tb_user u JOIN (SELECT DISTINCT fk_user, topic FROM tb_post) t ON t.fk_user = u.pk_user GROUP BY u.id'),
('DISTINCT ON apart', 'SELECT u.id, l.title FROM tb_user u LEFT JOIN (SELECT DISTINCT ON (fk_user) fk_user, title FROM tb_post ORDER BY fk_user, at DESC) l ON l.fk_user = u.pk_user'),
('DISTINCT ON, key not in it', 'SELECT DISTINCT ON (fk_user) id, title FROM tb_post ORDER BY fk_user, at DESC'),
('window over the key''s partition', 'SELECT u.id, r.title FROM tb_user u JOIN (SELECT fk_user, title, rank() OVER (PARTITION BY fk_user ORDER BY at DESC) AS place FROM tb_post) r ON r.fk_user = u.pk_user AND r.place = 1'),
('window over another partition', 'SELECT id, rank() OVER (PARTITION BY fk_user ORDER BY at) AS place FROM tb_post WHERE pk_post % 4 = 1'),
('window over a partition with NULLs', 'SELECT id, rank() OVER (PARTITION BY topic ORDER BY at) AS place FROM tb_post WHERE pk_post % 4 = 1'),
('window above a join, joined by another column', 'SELECT u.id, x.place FROM tb_user u JOIN (SELECT p.pk_post, count(*) OVER (PARTITION BY w.region) AS place FROM tb_post p JOIN tb_user w ON w.best = p.pk_post) x ON x.pk_post = u.best'),
('scalar sub-select', 'SELECT u.id, (SELECT count(*) FROM tb_post p WHERE p.fk_user = u.pk_user) AS posts FROM tb_user u'),
('scalar sub-select over a view that counts', 'SELECT u.id, (SELECT c.posts FROM v_counts c WHERE c.fk_user = u.pk_user) AS posts FROM tb_user u'),
('scalar sub-selects, nested', 'SELECT u.id, (SELECT jsonb_agg((SELECT jsonb_agg(t.label) FROM tb_post_tag pt JOIN tb_tag t ON t.pk_tag = pt.fk_tag WHERE pt.fk_post = p.pk_post)) FROM tb_post p WHERE p.fk_user = u.pk_user) AS tags FROM tb_user u'),
('EXISTS', 'SELECT u.id FROM tb_user u WHERE EXISTS (SELECT FROM tb_post p WHERE p.fk_user = u.pk_user AND p.title LIKE ''%7'')'),
('EXISTS over a view that counts', 'SELECT u.id FROM tb_user u WHERE EXISTS (SELECT FROM v_counts c WHERE c.fk_user = u.pk_user AND c.posts > 2)'),
('NOT EXISTS', 'SELECT u.id FROM tb_user u WHERE NOT EXISTS (SELECT FROM tb_post p WHERE p.fk_user = u.pk_user AND p.title LIKE ''%7'')'),
('IN', 'SELECT u.id FROM tb_user u WHERE u.pk_user IN (SELECT p.fk_user FROM tb_post p WHERE p.title LIKE ''%7'')'),
('IN, grouped inside', 'SELECT u.id FROM tb_user u WHERE u.pk_user IN (SELECT c.fk_user FROM v_counts c WHERE c.posts > 2)'),
('NOT IN', 'SELECT u.id FROM tb_user u WHERE u.pk_user NOT IN (SELECT p.fk_user FROM tb_post p WHERE p.title LIKE ''%7'')'),
('IN under OR', 'SELECT u.id FROM tb_user u WHERE u.name = ''none'' OR u.pk_user IN (SELECT p.fk_user FROM tb_post p WHERE p.title LIKE ''%7'')'),
('LATERAL top 2', 'SELECT u.id, t.titles FROM tb_user u, LATERAL (SELECT jsonb_agg(x.title) AS titles FROM (SELECT p.title FROM tb_post p WHERE p.fk_user = u.pk_user ORDER BY p.at DESC LIMIT 2) x) t'),
('UNION ALL', 'SELECT id, name FROM tb_user UNION ALL SELECT id, title FROM tb_post WHERE pk_post < 500'),
('UNION, joined by another column', 'SELECT u.id, jsonb_agg(x.label ORDER BY x.label) AS labels FROM tb_user u JOIN (SELECT pk_user AS k, name AS label FROM tb_user UNION SELECT fk_user, title FROM tb_post) x ON x.k = u.pk_user GROUP BY u.id'),
('EXCEPT', 'SELECT id, title FROM tb_post WHERE pk_post < 500 EXCEPT SELECT id, title FROM tb_post WHERE topic = 3'),
('self join', 'SELECT p.id, count(*) AS n FROM tb_post p JOIN tb_post q ON q.topic = p.topic WHERE p.pk_post < 500 GROUP BY p.id'),
('expression as key', 'SELECT ''user/'' || pk_user AS id, name FROM tb_user WHERE pk_user < 500'),
('expressions compared', 'SELECT p.id, u.pk_user FROM tb_post p JOIN tb_user u ON lower(u.name) = replace(lower(p.title), ''post'', ''user'') WHERE p.pk_post < 500'),
('range', 'SELECT p.id, count(q.pk_post) AS n FROM tb_post p JOIN tb_post q ON q.at BETWEEN p.at AND p.at + interval ''5 hours'' WHERE p.pk_post < 500 GROUP BY p.id'),
('full join', 'SELECT k AS id, u.name, p.title FROM (SELECT pk_user AS k, name FROM tb_user) u FULL JOIN (SELECT pk_post AS k, title FROM tb_post WHERE pk_post < 500) p USING (k)');

CREATE FUNCTION visited() RETURNS bigint LANGUAGE sql AS $$
    SELECT (SELECT sum(coalesce(seq_tup_read, 0)) FROM pg_stat_user_tables WHERE schemaname = 'keyed_visits_few_rows' AND relname LIKE 'tb%')
         + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'keyed_visits_few_rows' AND relname LIKE 'tb%')
$$;
CREATE TABLE before (rows bigint);
-- From time to time a refresh looks for rows of the view without a key in the table, which reads all of a full join: of two refreshes,
-- one after the other, the one that visits fewer rows counts.
CREATE TABLE visits (rows bigint);
CREATE FUNCTION report(what text, entity text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s, %s', what,
                  (SELECT CASE WHEN min(rows) <= 500 THEN 'few rows' ELSE min(rows) || ' ROWS' END FROM visits),
                  CASE (SELECT count(*) FROM differences(relation_of('v_', entity), relation_of('tv_', entity)))
                  WHEN 0 THEN 'same' ELSE 'WRONG' END)
$$;

SELECT s.statement
  FROM construct c,
       LATERAL (VALUES (1, format('DO $do$BEGIN PERFORM pg_tviews_create(%L, %L); END$do$', 'c' || c.number, c.query)),
                       (2, 'CALL pg_tviews_drain()'),
                       -- What is prepared once per TVIEW asks the planner about the whole view.
                       (3, $$UPDATE tb_post SET title = title || '7', topic = 21 WHERE pk_post = 11$$),
                       (4, 'CALL pg_tviews_drain()'),
                       (5, $$UPDATE tb_post SET title = title || '8', topic = 22 WHERE pk_post = 11$$),
                       (6, 'DO $do$BEGIN PERFORM pg_stat_force_next_flush(); END$do$'),
                       (7, 'WITH gone AS (DELETE FROM before) INSERT INTO before SELECT visited()'),
                       (8, 'CALL pg_tviews_drain()'),
                       (9, 'DO $do$BEGIN PERFORM pg_stat_force_next_flush(); END$do$'),
                       (10, 'WITH gone AS (DELETE FROM visits) INSERT INTO visits SELECT visited() - rows FROM before'),
                       (11, $$UPDATE tb_post SET title = title || '9', topic = 23 WHERE pk_post = 11$$),
                       (12, 'DO $do$BEGIN PERFORM pg_stat_force_next_flush(); END$do$'),
                       (13, 'WITH gone AS (DELETE FROM before) INSERT INTO before SELECT visited()'),
                       (14, 'CALL pg_tviews_drain()'),
                       (15, 'DO $do$BEGIN PERFORM pg_stat_force_next_flush(); END$do$'),
                       (16, 'INSERT INTO visits SELECT visited() - rows FROM before'),
                       (17, format('SELECT report(%L, %L)', c.what, 'c' || c.number)),
                       (18, format('DO $do$BEGIN PERFORM pg_tviews_drop(%L); END$do$', 'c' || c.number))) AS s(step, statement)
 ORDER BY c.number, s.step
\gexec

DROP SCHEMA keyed_visits_few_rows CASCADE;
