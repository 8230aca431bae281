-- Changes to the tables, and the documents that follow them. With workers (shared_preload_libraries)
-- nothing else is to be done; pg_tviews_wait() only makes sure that this script does not look too early.

\pset linestyle unicode
\pset footer off

\echo
\echo '--- Before: the documents'
SELECT data ->> 'title' AS post, data #>> '{author,name}' AS author, data -> 'comments' AS comments FROM tv_post ORDER BY pk_post;
SELECT data ->> 'name' AS "user", jsonb_path_query_array(data, '$.posts[*].title') AS posts FROM tv_user ORDER BY pk_user;

\echo '--- A change: one user is renamed, a post gets a comment, a post moves to another author'
\set ECHO queries
UPDATE tb_user SET name = 'Ada Lovelace' WHERE email = 'ada@example.com';
INSERT INTO tb_comment (fk_post, fk_user, text) VALUES (2, 2, 'More, please.');
UPDATE tb_post SET fk_user = 2 WHERE title = 'On numbers';
\set ECHO none

SELECT pg_tviews_wait() AS visible \gset
\if :visible
\else
    \warn 'The changes are not visible after 30 seconds: is pg_tviews in shared_preload_libraries?'
\endif

\echo
\echo '--- After: the same documents'
SELECT data ->> 'title' AS post, data #>> '{author,name}' AS author, data -> 'comments' AS comments FROM tv_post ORDER BY pk_post;
SELECT data ->> 'name' AS "user", jsonb_path_query_array(data, '$.posts[*].title') AS posts FROM tv_user ORDER BY pk_user;

\echo '--- The audit: one row per refresh, with the time from the first commit it absorbed until its rows were written'
SELECT entity_name AS tview, status, changes_read, keys_refreshed, rows_updated,
       round((extract(epoch FROM finished_at - oldest_change_at) * 1000)::numeric, 1) AS commit_to_visible_ms
FROM pg_tview_meta_audit
WHERE oldest_change_at IS NOT NULL
ORDER BY audit_id;
