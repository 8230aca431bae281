-- Missing indexes are named as statements to paste; what no index helps with is said in words. The planner is the judge.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA explain_advice;
SET search_path = explain_advice, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, "Home Town" text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, tags text[], body text);
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, label text);
CREATE TABLE tb_post_tag (fk_post int, fk_tag int, PRIMARY KEY (fk_post, fk_tag));
CREATE TABLE tb_event (id int, fk_user int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE tb_event_old PARTITION OF tb_event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE tb_event_new (at date NOT NULL, dropped int, fk_user int, id int NOT NULL);
ALTER TABLE tb_event_new DROP COLUMN dropped;
ALTER TABLE tb_event ATTACH PARTITION tb_event_new FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE tb_note (pk_note int PRIMARY KEY, fk_user int, words text);
CREATE TABLE tb_note_long (more text) INHERITS (tb_note);
CREATE TABLE tb_small (pk_small int PRIMARY KEY, fk_user int);
CREATE TABLE tb_reader (pk_reader int PRIMARY KEY, language text);
CREATE TABLE tb_text (fk_post int, language text, words text, PRIMARY KEY (fk_post, language));

CREATE PROCEDURE advise(title text, query text) LANGUAGE plpgsql AS $$
DECLARE
    row record;
BEGIN
    RAISE INFO '%', title;
    FOR row IN SELECT * FROM pg_tviews_explain(query) LOOP
        RAISE INFO '    % %: %', row.source, row.strategy, row.advice;
    END LOOP;
END $$;
CREATE FUNCTION indexes(query text) RETURNS SETOF text LANGUAGE sql AS
    'SELECT DISTINCT advice FROM pg_tviews_explain(query) WHERE advice LIKE ''CREATE INDEX%'' ORDER BY advice';

\set joined 'SELECT p.pk_post, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user'
\set tagged 'SELECT p.pk_post, (SELECT jsonb_agg(t.label) FROM tb_post_tag pt JOIN tb_tag t ON t.pk_tag = pt.fk_tag WHERE pt.fk_post = p.pk_post) AS tags FROM tb_post p'
\set children 'SELECT u.pk_user, jsonb_agg(p.title) AS posts FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.pk_user'
\set expression 'SELECT p.pk_post, u.name FROM tb_post p JOIN tb_user u ON lower(u."Home Town") = lower(p.title)'
\set events 'SELECT u.pk_user, (SELECT count(*) FROM tb_event e WHERE e.fk_user = u.pk_user) AS events FROM tb_user u'
\set notes 'SELECT u.pk_user, string_agg(n.words, $$,$$) AS notes FROM tb_user u JOIN tb_note n ON n.fk_user = u.pk_user GROUP BY u.pk_user'
\set ranked 'SELECT pk_post, rank() OVER (PARTITION BY tags ORDER BY title) AS place FROM tb_post'
\set either 'SELECT u.pk_user, (SELECT count(*) FROM tb_post p WHERE p.pk_post = u.pk_user OR p.title = u.name) AS posts FROM tb_user u'
\set contains 'SELECT p.pk_post, t.label FROM tb_post p JOIN tb_tag t ON p.tags @> ARRAY[t.label]'
\set any 'SELECT p.pk_post, t.label FROM tb_post p JOIN tb_tag t ON t.label = ANY (p.tags)'
\set small 'SELECT u.pk_user, count(*) AS small FROM tb_user u LEFT JOIN tb_small s ON s.fk_user = u.pk_user GROUP BY u.pk_user'
\set common 'SELECT r.pk_reader, (SELECT count(*) FROM tb_text t WHERE t.language = r.language) AS texts FROM tb_reader r'
\set total 'SELECT p.pk_post, u.name, (SELECT avg(id) FROM tb_event) AS average FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user'
\set both 'SELECT p.pk_post, (SELECT max(q.title) FROM tb_post q) AS last FROM tb_post p'

-- Empty tables are tiny.
CALL advise('nothing to say while the tables are tiny', :'joined');

INSERT INTO tb_user SELECT i, 'user' || i, 'town' || i % 500 FROM generate_series(1, 10000) AS i;
INSERT INTO tb_post SELECT i, 1 + i % 9000, 'Town' || i % 700, ARRAY['tag' || i % 300], repeat('body', 10) FROM generate_series(1, 12000) AS i;
INSERT INTO tb_tag SELECT i, 'tag' || i FROM generate_series(1, 1000) AS i;
INSERT INTO tb_post_tag SELECT i, 1 + i % 1000 FROM generate_series(1, 12000) AS i;
INSERT INTO tb_event SELECT i, 1 + i % 9000, date '2023-01-01' + i % 700 FROM generate_series(1, 12000) AS i;
INSERT INTO tb_note SELECT i, i, 'words' FROM generate_series(1, 100) AS i;
INSERT INTO tb_note_long SELECT i, 1 + i % 9000, 'words' FROM generate_series(101, 12000) AS i;
INSERT INTO tb_small SELECT i, i FROM generate_series(1, 100) AS i;
INSERT INTO tb_reader SELECT i, (ARRAY['en', 'fr', 'de'])[1 + i % 3] FROM generate_series(1, 12000) AS i;
INSERT INTO tb_text SELECT i, l, 'words' FROM generate_series(1, 100) AS i, unnest('{en,fr,de}'::text[]) AS l;
ANALYZE tb_user, tb_post, tb_tag, tb_post_tag, tb_event, tb_note, tb_note_long, tb_small, tb_reader, tb_text;

CALL advise('a foreign key without an index', :'joined');
SELECT indexes(:'joined')
\gexec
CALL advise('with it', :'joined');
DROP INDEX tb_post_fk_user_idx;
CALL advise('children: found through it when a row is recomputed', :'children');
SELECT indexes(:'children')
\gexec
CALL advise('with it', :'children');
CALL advise('a link table: the primary key serves one direction', :'tagged');
SELECT indexes(:'tagged')
\gexec
CALL advise('with it', :'tagged');
CALL advise('an expression', :'expression');
SELECT indexes(:'expression')
\gexec
CALL advise('with it', :'expression');
CALL advise('a partitioned table', :'events');
SELECT indexes(:'events')
\gexec
CALL advise('with it', :'events');
CALL advise('a tiny table, and a large one that inherits from it', :'notes');
SELECT indexes(:'notes')
\gexec
CALL advise('with it', :'notes');
CALL advise('a window', :'ranked');
SELECT indexes(:'ranked')
\gexec
CALL advise('with it', :'ranked');
CALL advise('one of two conditions', :'either');
SELECT indexes(:'either')
\gexec
CALL advise('with it', :'either');
CALL advise('containment', :'contains');
SELECT indexes(:'contains')
\gexec
CALL advise('with it', :'contains');
CALL advise('= ANY (column): no index helps', :'any');
CALL advise('a tiny table beside a large one', :'small');
CALL advise('a value of a third of the rows', :'common');
CREATE INDEX tb_reader_language ON tb_reader (language);
CALL advise('the index does not help', :'common');
DROP INDEX tb_reader_language;
CALL advise('a total over a table is full; every row recomputed reads it', :'total');
CALL advise('keyed and full at once', :'both');
-- Nothing was created but what was pasted.
SELECT relname FROM pg_class WHERE relnamespace = 'explain_advice'::regnamespace AND relkind = 'i' AND relname NOT LIKE '%pkey' ORDER BY 1;

DROP SCHEMA explain_advice CASCADE;
