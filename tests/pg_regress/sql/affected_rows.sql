-- pg_tviews_affected names the keys that an UPDATE of the same rows then refreshes.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA affected_rows;
SET search_path = affected_rows, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, id uuid UNIQUE, name text, fk_boss int);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, meta jsonb, written timestamptz, marks int[], other text);
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, label text);
CREATE TABLE tb_post_tag (fk_post int, fk_tag int, weight int, PRIMARY KEY (fk_post, fk_tag));
CREATE TABLE tb_day (id int, day date, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE tb_day_2023 PARTITION OF tb_day FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE tb_day_2024 (note text, day date NOT NULL, id int NOT NULL);
ALTER TABLE tb_day ATTACH PARTITION tb_day_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE tb_note (pk_note int PRIMARY KEY, fk_user int, words text);
CREATE TABLE tb_note_long (more text) INHERITS (tb_note);
INSERT INTO tb_user SELECT i, md5('u' || i)::uuid, 'user' || i, nullif(i / 2, 0) FROM generate_series(1, 6) AS i;
INSERT INTO tb_post SELECT i, 1 + i % 4, 'post' || i % 5, jsonb_build_object('kind', i % 3), timestamptz '2023-12-30 23:00:00+01' + i * interval '1 hour', ARRAY[i, i % 2], 'x' FROM generate_series(1, 20) AS i;
INSERT INTO tb_tag SELECT i, 'tag' || i FROM generate_series(1, 4) AS i;
INSERT INTO tb_post_tag SELECT i, 1 + i % 3, 0 FROM generate_series(1, 20) AS i;
INSERT INTO tb_note SELECT i, 1 + i % 4, 'words' FROM generate_series(1, 4) AS i;
INSERT INTO tb_note_long SELECT i, 1 + i % 4, 'words', 'more' FROM generate_series(5, 8) AS i;
INSERT INTO tb_day SELECT i, date '2023-12-20' + i, 'note' FROM generate_series(1, 20) AS i;

CREATE VIEW v_post AS
SELECT p.pk_post, p.title, u.name, b.name AS boss, (SELECT jsonb_agg(t.label || pt.weight ORDER BY t.label) FROM tb_post_tag pt JOIN tb_tag t ON t.pk_tag = pt.fk_tag WHERE pt.fk_post = p.pk_post) AS tags
  FROM tb_post p LEFT JOIN tb_user u ON u.pk_user = p.fk_user LEFT JOIN tb_user b ON b.pk_user = u.fk_boss;
CREATE VIEW v_kind AS SELECT p.meta AS kind, p.marks[2] AS mark, string_agg(p.title, ',' ORDER BY p.pk_post) AS titles FROM tb_post p GROUP BY p.meta, p.marks[2];
CREATE VIEW v_hour AS SELECT date_trunc('day', written) AS hour, count(*) AS posts, string_agg(p.title, ',' ORDER BY p.pk_post) AS titles FROM tb_post p GROUP BY 1;
CREATE VIEW v_day AS SELECT d.day, string_agg(d.note, ',' ORDER BY d.id) AS notes, count(u.name) AS users FROM tb_day d LEFT JOIN tb_user u ON u.pk_user = d.id GROUP BY d.day;
CREATE VIEW v_notes AS SELECT u.pk_user, string_agg(n.words, ',' ORDER BY n.pk_note) AS notes FROM tb_user u JOIN tb_note n ON n.fk_user = u.pk_user GROUP BY u.pk_user;
CREATE VIEW v_quotient AS SELECT u.pk_user, count(*) AS posts FROM tb_user u JOIN tb_post p ON p.title <> 'post4' AND u.pk_user = 12 / (p.pk_post - 4) GROUP BY u.pk_user;
CREATE VIEW v_summary AS SELECT u.pk_user, u.name, (SELECT max(title) FROM tb_post) AS last FROM tb_user u;
SET client_min_messages = error;
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('kind', key_columns => '{kind,mark}');
SELECT pg_tviews_create('hour', key_columns => '{hour}');
SELECT pg_tviews_create('day', key_columns => '{day}');
SELECT pg_tviews_create('notes', key_columns => '{pk_user}');
SELECT pg_tviews_create('quotient', key_columns => '{pk_user}');
SELECT pg_tviews_create('summary', key_columns => '{pk_user}');
SET client_min_messages = warning;

-- What a dry run says, and what a change does: the same keys, as many as were refreshed.
CREATE FUNCTION dry_run(entity text, source regclass, keys jsonb, change text) RETURNS TABLE (command text) LANGUAGE plpgsql AS $$
BEGIN
    command := format('CREATE TEMP TABLE dry AS SELECT key FROM pg_tviews_affected(%L, %L, %L)', entity, source, keys); RETURN NEXT;
    command := change; RETURN NEXT;
    command := format('CREATE TEMP TABLE differing AS SELECT key FROM pg_tviews_check(%L)', entity); RETURN NEXT;
    command := 'CALL pg_tviews_drain()'; RETURN NEXT;
    command := format('SELECT %L || ''|'' || %L || ''|'' || %L, (SELECT string_agg(key::text, '' '' ORDER BY key) FROM dry), CASE WHEN (SELECT count(*) FROM dry) = (SELECT keys_refreshed FROM pg_tview_meta_audit WHERE tview_oid = %L::regclass ORDER BY audit_id DESC LIMIT 1) THEN ''as many as refreshed'' ELSE ''WRONG NUMBER'' END, CASE WHEN EXISTS (TABLE differing EXCEPT TABLE dry) THEN ''WRONG: more differ'' ELSE (SELECT count(*) FROM differing) || '' differed'' END, same(%L, %L) || '' left''',
                      entity, source, keys, 'tv_' || entity, 'v_' || entity, 'tv_' || entity); RETURN NEXT;
    command := 'DROP TABLE dry, differing'; RETURN NEXT;
END $$;
SELECT command FROM
    (VALUES (1, 'post', 'tb_user', '[1, 2]', $$UPDATE tb_user SET name = name || '!' WHERE pk_user IN (1, 2)$$),
            (2, 'post', 'tb_user', '[{"pk_user": 3}]', $$UPDATE tb_user SET name = name || '!' WHERE pk_user = 3$$),
            (3, 'post', 'tb_user', '{"name": "user4"}', $$UPDATE tb_user SET name = 'another' WHERE name = 'user4'$$),
            (4, 'post', 'tb_user', '[{"fk_boss": null}, {"fk_boss": 2, "name": "user5"}, 6]', $$UPDATE tb_user SET name = name || '?' WHERE fk_boss IS NULL OR fk_boss = 2 AND name = 'user5' OR pk_user = 6$$),
            (5, 'post', 'tb_tag', '[2]', $$UPDATE tb_tag SET label = 'changed' WHERE pk_tag = 2$$),
            (6, 'post', 'tb_post_tag', '[{"fk_post": 3, "fk_tag": 1}, {"fk_post": 4, "fk_tag": 2}]', $$UPDATE tb_post_tag SET weight = 1 WHERE (fk_post, fk_tag) IN ((3, 1), (4, 2))$$),
            (7, 'post', 'tb_post', '["7", 8]', $$UPDATE tb_post SET title = 'seven or eight' WHERE pk_post IN (7, 8)$$),
            (8, 'kind', 'tb_post', '{"title": "post1"}', $$UPDATE tb_post SET title = 'renamed' WHERE title = 'post1'$$),
            (9, 'hour', 'tb_post', '{"written": "2023-12-31 01:00:00+01"}', $$UPDATE tb_post SET title = 'at night' WHERE written = '2023-12-31 01:00:00+01'$$),
            (10, 'day', 'tb_day', '[{"id": 3}, {"id": 14}]', $$UPDATE tb_day SET note = 'changed' WHERE id IN (3, 14)$$),
            (11, 'day', 'tb_day_2024', '[{"id": 15}]', $$UPDATE tb_day_2024 SET note = 'by its partition' WHERE id = 15$$),
            (12, 'notes', 'tb_note', '[2, 7]', $$UPDATE tb_note SET words = 'one in each table' WHERE pk_note IN (2, 7)$$),
            (13, 'notes', 'tb_note_long', '[{"pk_note": 8}]', $$UPDATE tb_note_long SET words = 'in the one that inherits' WHERE pk_note = 8$$)) AS cases (n, entity, source, keys, change),
    dry_run(entity, source, keys::jsonb, change) WITH ORDINALITY AS run (command, place) ORDER BY n, place
\gexec
-- Rows that are not there affect nothing.
SELECT count(*) FROM pg_tviews_affected('post', 'tb_user', '[99]');
SELECT count(*) FROM pg_tviews_affected('post', 'tb_user', '[]');
-- A source that is recomputed in full: every key, and a notice.
SET client_min_messages = notice;
SELECT key FROM pg_tviews_affected('summary', 'tb_post', '[1]');
-- So does a row that an expression on the way fails for.
SELECT count(*) FROM pg_tviews_affected('quotient', 'tb_post', '[4]');
SELECT count(*) FROM pg_tviews_affected('quotient', 'tb_post', '[7]');
SET client_min_messages = warning;
SELECT key FROM pg_tviews_affected('summary', 'tb_user', '[1]');
-- Nothing is written.
BEGIN READ ONLY;
SELECT count(*) FROM pg_tviews_affected('post', 'tb_user', '[1]');
SELECT pg_current_xact_id_if_assigned() IS NULL;
COMMIT;
SELECT count(*) FROM pg_tview_queue;
-- Another time zone and date style in the session change nothing.
SET TimeZone = 'Pacific/Auckland';
SET DateStyle = 'SQL, DMY';
SELECT count(*) FROM pg_tviews_affected('hour', 'tb_post', '[2]');
SELECT key FROM pg_tviews_affected('day', 'tb_day', '[{"id": 3, "day": "2023-12-23"}]');

DROP SCHEMA affected_rows CASCADE;
