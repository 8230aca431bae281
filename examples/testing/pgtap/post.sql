-- A pgTAP test of the documents of examples/blog, which needs sql/pgtap_tviews.sql. Run it with pg_prove, or:
--
--     psql -d blog_test -Xq -f post.sql

\set QUIET 1
\pset format unaligned
\pset tuples_only on
\set ON_ERROR_STOP 1

BEGIN;
SELECT plan(6);

SELECT tview_is_fresh('post');

-- What the test writes is in the documents that it reads.
UPDATE tb_user SET name = 'Ada Lovelace' WHERE email = 'ada@example.com';
SELECT is(data #>> '{author,name}', 'Ada Lovelace', 'a post shows the new name of its author')
FROM tv_post WHERE data ->> 'title' = 'On numbers';

INSERT INTO tb_comment (fk_post, fk_user, text)
SELECT p.pk_post, u.pk_user, 'More, please.' FROM tb_post p, tb_user u WHERE p.title = 'On numbers' AND u.name = 'Grace';
SELECT is(data -> 'comments', '[{"by": "Grace", "text": "More, please."}]', 'a post shows its comments')
FROM tv_post WHERE data ->> 'title' = 'On numbers';

DELETE FROM tb_comment;
DELETE FROM tb_post WHERE title = 'A compiler';
SELECT is_empty($$SELECT FROM tv_post WHERE data ->> 'title' = 'A compiler'$$, 'a post that is deleted has no document');

SELECT tview_equals_view('post');
SELECT tview_equals_view('user', 'users have the posts that are left');

SELECT * FROM finish();
ROLLBACK;
