-- Sources renamed, moved, rewritten and with columns added, renamed, retyped and dropped.
SET client_min_messages = warning;
CREATE SCHEMA source_altered;
SET search_path = source_altered, public;

CREATE SCHEMA source_altered_2;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, spare text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, spare int DEFAULT 1);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');
CREATE VIEW v_post AS SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
CREATE FUNCTION step(what text, VARIADIC commands text[]) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT * FROM unnest(commands)
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT %L AS step, same(''v_post'', ''tv_post''), (SELECT count(*) FROM pg_tview_queue) AS queued', what)
$$;
SELECT step('column added', 'ALTER TABLE tb_user ADD COLUMN more text DEFAULT ''x''', 'UPDATE tb_user SET name = ''a''') \gexec
SELECT step('unread column dropped', 'ALTER TABLE tb_user DROP COLUMN spare', 'UPDATE tb_user SET name = ''b''') \gexec
SELECT step('column renamed', 'ALTER TABLE tb_user RENAME COLUMN name TO label', 'UPDATE tb_user SET label = ''c'' WHERE pk_user = 1') \gexec
SELECT step('join column renamed', 'ALTER TABLE tb_post RENAME COLUMN fk_user TO author', 'UPDATE tb_post SET author = 1', 'UPDATE tb_user SET label = ''d''') \gexec
SELECT step('key renamed', 'ALTER TABLE tb_post RENAME COLUMN pk_post TO nr', 'UPDATE tb_post SET title = ''d''', 'INSERT INTO tb_post (nr, author, title) VALUES (12, 2, ''three'')') \gexec
SELECT step('table renamed', 'ALTER TABLE tb_user RENAME TO tb_person', 'UPDATE tb_person SET label = ''e''') \gexec
SELECT step('table moved', 'ALTER TABLE tb_person SET SCHEMA source_altered_2', 'UPDATE source_altered_2.tb_person SET label = ''f''') \gexec
SELECT step('table rewritten', 'ALTER TABLE tb_post ALTER COLUMN spare TYPE text', 'UPDATE tb_post SET title = ''g'' WHERE nr = 10') \gexec
SELECT step('rewritten only', 'ALTER TABLE tb_post ADD COLUMN stamp timestamptz DEFAULT clock_timestamp()') \gexec
SELECT step('clustered', 'CREATE INDEX ON tb_post (author)', 'CLUSTER tb_post USING tb_post_pkey', 'DELETE FROM tb_post WHERE nr = 11') \gexec
SELECT step('triggers disabled and enabled', 'ALTER TABLE tb_post DISABLE TRIGGER USER', 'ALTER TABLE tb_post ENABLE TRIGGER USER', 'UPDATE tb_post SET title = ''h''') \gexec
SELECT step('column added to the tv table', 'ALTER TABLE tv_post ADD COLUMN mine int', 'UPDATE tb_post SET title = ''i''') \gexec
SELECT step('view renamed and back', 'ALTER VIEW v_post RENAME TO v_away', 'ALTER VIEW v_away RENAME TO v_post', 'UPDATE tb_post SET title = ''j''') \gexec
DROP SCHEMA source_altered_2 CASCADE;

DROP SCHEMA source_altered CASCADE;
