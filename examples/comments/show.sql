-- Changes to the tables, and the documents that follow them.

\pset linestyle unicode
\pset footer off

\echo
\echo '--- Before: a comment, the beginning of its thread, and a board'
SELECT jsonb_pretty(data) AS comment FROM tv_comment WHERE pk_comment = 102;
SELECT repeat('    ', (c ->> 'depth')::int - 1) || (c ->> 'text') || ', by ' || (c ->> 'by') AS thread
  FROM tv_thread, jsonb_array_elements(data -> 'comments') WITH ORDINALITY AS e(c, place) WHERE pk_thread = 2 ORDER BY place LIMIT 20;
SELECT pk_board, array_to_string(path, ' > ') AS board FROM tv_board WHERE pk_board = 20;

\echo '--- Changes: an answer, a user with another name, a board with another name'
\set ECHO queries
INSERT INTO tb_comment (fk_thread, fk_parent, fk_user, text) VALUES (2, 102, 5, 'I do not think so.');
UPDATE tb_user SET name = 'Ada' WHERE pk_user = (SELECT fk_user FROM tb_comment WHERE pk_comment = 2);
UPDATE tb_board SET name = 'General' WHERE pk_board = 2;
\set ECHO none

SELECT pg_tviews_wait() AS visible \gset
\if :visible
\else
    \warn 'The changes are not visible after 30 seconds: is pg_tviews in shared_preload_libraries?'
\endif

\echo
\echo '--- After: the same'
SELECT jsonb_pretty(data) AS comment FROM tv_comment WHERE pk_comment = 102;
SELECT repeat('    ', (c ->> 'depth')::int - 1) || (c ->> 'text') || ', by ' || (c ->> 'by') AS thread
  FROM tv_thread, jsonb_array_elements(data -> 'comments') WITH ORDINALITY AS e(c, place) WHERE pk_thread = 2 ORDER BY place LIMIT 20;
SELECT pk_board, array_to_string(path, ' > ') AS board FROM tv_board WHERE pk_board = 20;

\echo '--- How changes are followed: by key, but for the recursive query'
SELECT t.entity_name AS tview, e.source, e.strategy, e.reason FROM pg_tview_meta t, pg_tviews_explain(t.entity_name) e ORDER BY 1, 2;
