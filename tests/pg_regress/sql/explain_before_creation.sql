-- pg_tviews_explain works on a query or a view before anything exists, and leaves nothing behind.
SET client_min_messages = warning;
CREATE SCHEMA explain_before_creation;
SET search_path = explain_before_creation, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, "By Line" text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one', 'x'), (11, 2, 'two', NULL);
CREATE VIEW relations AS SELECT (SELECT count(*) FROM pg_class) AS relations, (SELECT count(*) FROM pg_trigger) AS triggers,
    (SELECT count(*) FROM pg_tview_meta) AS tviews, (SELECT count(*) FROM pg_tview_meta_audit) AS audited;
SELECT * FROM relations \gset before_

BEGIN READ ONLY;
\x
SELECT * FROM pg_tviews_explain('SELECT p.pk_post, u.name, p.title FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
-- As a script may have it: WITH, a comment, a semicolon. A query without a source has no rows.
SELECT source, key_query FROM pg_tviews_explain($$
    -- posts
    WITH named AS (SELECT pk_post AS id, "By Line" FROM tb_post)
    SELECT * FROM named;
$$);
SELECT * FROM pg_tviews_explain('SELECT column1 AS id FROM (VALUES (1)) AS v');
-- The repeated column collapses, as in pg_tviews_create.
SELECT source, captured_columns, key_query FROM pg_tviews_explain('SELECT pk_post, * FROM tb_post');
\x
-- No locks but those of a reader, no transaction id.
SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation';
SELECT pg_current_xact_id_if_assigned();
COMMIT;
SELECT relations - :before_relations AS relations, triggers - :before_triggers AS triggers, tviews - :before_tviews AS tviews, audited - :before_audited AS audited FROM relations;

-- The key that pg_tviews_create would choose: of an entity with a view; with a table that waits for its view.
CREATE VIEW v_post AS SELECT pk_post, title, fk_user FROM tb_post;
CREATE VIEW v_author AS SELECT p.fk_user AS author, max(p.title) AS title FROM tb_post p GROUP BY p.fk_user;
SELECT source, key_query FROM pg_tviews_explain('post');
SELECT source, key_query FROM pg_tviews_explain('explain_before_creation.tv_post');
SELECT error_of($$SELECT * FROM pg_tviews_explain('author')$$);
CREATE TABLE tv_author (author int PRIMARY KEY, title text);
SELECT source, key_query FROM pg_tviews_explain('author');
-- Another key, of one column or several; also for a TVIEW that has one.
SELECT source, key_query FROM pg_tviews_explain(
    'SELECT p.pk_post, u.pk_user, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user', key_columns => '{pk_user,pk_post}');
SELECT source, strategy, reason FROM pg_tviews_explain('SELECT title, max(pk_post) AS last FROM tb_post GROUP BY title', '{last}');
SELECT source, key_query FROM pg_tviews_explain('SELECT title, max(pk_post) AS last FROM tb_post GROUP BY title', '{title}');
SELECT source, key_query FROM pg_tviews_explain('post', '{pk_post,fk_user}');
-- Each occurrence of a table has a row, in the order of the view.
SELECT source, captured_columns FROM pg_tviews_explain(
    'SELECT p.pk_post, a.name, b.name AS other FROM tb_post p LEFT JOIN tb_user b ON b.name = p.title LEFT JOIN tb_user a ON a.pk_user = p.fk_user');
-- Declared lineage comes last.
CREATE VIEW v_plain AS SELECT pk_post AS id, fk_user FROM tb_post;
SELECT pg_tviews_create('plain');
UPDATE pg_tview_meta SET fk_columns = '{fk_user}' WHERE tview_oid = 'tv_plain'::regclass;
SELECT source, strategy, captured_columns, key_query FROM pg_tviews_explain('plain');
SELECT source, strategy, captured_columns, key_query FROM pg_tviews_explain('plain', '{fk_user}');
SELECT source, strategy, captured_columns, key_query FROM pg_tviews_explain('plain', '{id}');

DROP SCHEMA explain_before_creation CASCADE;
