-- Plans that PostgreSQL makes, or prints, in another way since 18. The advice is the same for all versions: skip scans count as reading
-- the whole index, OR that becomes = ANY as a search, a disabled node is one like others, and a self-join may be gone.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA explain_plans_of_versions;
SET search_path = explain_plans_of_versions, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, best int, second int, region int);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, topic int, kind int, title text);
CREATE TABLE tb_like (kind int, fk_post int, n int, PRIMARY KEY (kind, fk_post, n));
CREATE TABLE tb_event (id int, fk_user int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE tb_event_old PARTITION OF tb_event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE tb_event_new PARTITION OF tb_event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO tb_user SELECT i, 'user' || i, i % 4000, (i + 7) % 4000, i % 900 FROM generate_series(1, 10000) i;
INSERT INTO tb_post SELECT i, 1 + i % 9000, i % 4000, i % 3, 'title' || i % 700 FROM generate_series(1, 12000) i;
INSERT INTO tb_like SELECT i % 3, i / 2, i FROM generate_series(1, 24000) i;
INSERT INTO tb_event SELECT i, 1 + i % 9000, date '2023-01-01' + i % 700 FROM generate_series(1, 12000) i;
CREATE INDEX ON tb_post (kind, title);
CREATE INDEX ON tb_event (at, fk_user);
VACUUM ANALYZE tb_user, tb_post, tb_like, tb_event;

CREATE PROCEDURE advise(title text, query text) LANGUAGE plpgsql AS $$
DECLARE
    row record;
BEGIN
    RAISE INFO '%', title;
    FOR row IN SELECT * FROM pg_tviews_explain(query) LOOP
        RAISE INFO '    % %: %', row.source, row.strategy, row.advice;
    END LOOP;
END $$;

CALL advise('the second column of an index whose first has three values', $$SELECT p.pk_post, (SELECT count(*) FROM tb_like l WHERE l.fk_post = p.pk_post) AS likes FROM tb_post p$$);
CALL advise('the second column of an index of each partition', $$SELECT u.pk_user, (SELECT count(*) FROM tb_event e WHERE e.fk_user = u.pk_user) AS events FROM tb_user u$$);
CALL advise('one of two values', $$SELECT u.pk_user, (SELECT count(*) FROM tb_post p WHERE p.topic = u.best OR p.topic = u.second) AS posts FROM tb_user u$$);
CALL advise('a list of values', $$SELECT u.pk_user, (SELECT count(*) FROM tb_post p WHERE p.topic IN (u.best, u.second, u.region)) AS posts FROM tb_user u$$);
CALL advise('IN (VALUES ...)', $$SELECT u.pk_user, (SELECT count(*) FROM tb_post p WHERE p.topic IN (VALUES (u.best), (u.second))) AS posts FROM tb_user u$$);
CALL advise('a table joined with itself by its key', $$SELECT u.pk_user, w.name, count(p.pk_post) AS posts FROM tb_user u JOIN tb_user w ON w.pk_user = u.pk_user LEFT JOIN tb_post p ON p.fk_user = w.pk_user GROUP BY u.pk_user, w.name$$);
CALL advise('grouped by an expression', $$SELECT u.region % 1000 AS id, count(*) AS users FROM tb_user u GROUP BY u.region % 1000$$);
CALL advise('a window', $$SELECT p.pk_post, rank() OVER w AS place, lag(p.title) OVER w AS before FROM tb_post p WINDOW w AS (PARTITION BY p.topic ORDER BY p.title)$$);
CALL advise('EXISTS', $$SELECT u.pk_user, EXISTS (SELECT FROM tb_post p WHERE p.fk_user = u.pk_user AND p.kind = 1) AS any FROM tb_user u WHERE EXISTS (SELECT FROM tb_post p WHERE p.topic = u.best)$$);
CALL advise('no index serves the condition', $$SELECT u.pk_user, (SELECT count(*) FROM tb_post p WHERE p.topic <> u.best) AS others FROM tb_user u$$);
CALL advise('a column that is compared with another type', $$SELECT u.pk_user, (SELECT count(*) FROM tb_post p WHERE p.topic = u.best::bigint) AS posts FROM tb_user u$$);
CALL advise('FULL JOIN', $$SELECT coalesce(u.pk_user, p.pk_post) AS id, u.name, p.title FROM tb_user u FULL JOIN tb_post p ON p.pk_post = u.pk_user$$);

-- The same where the planner may not use what it would use here: a disabled node is no reason for other advice.
SET enable_indexscan = off;
SET enable_nestloop = off;
CALL advise('the second column of an index whose first has three values', $$SELECT p.pk_post, (SELECT count(*) FROM tb_like l WHERE l.fk_post = p.pk_post) AS likes FROM tb_post p$$);
CALL advise('one of two values', $$SELECT u.pk_user, (SELECT count(*) FROM tb_post p WHERE p.topic = u.best OR p.topic = u.second) AS posts FROM tb_user u$$);
RESET enable_indexscan;
RESET enable_nestloop;

DROP SCHEMA explain_plans_of_versions CASCADE;
