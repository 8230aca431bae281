-- Many transactions that change the same rows: what such a row leads to is looked up once, however many changes are pending.
SET client_min_messages = warning;
CREATE SCHEMA changes_repeated;
SET search_path = changes_repeated, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user SELECT i, 'old' FROM generate_series(1, 1000) AS i;
INSERT INTO tb_post SELECT i, 1 + i % 1000, 'post' FROM generate_series(1, 5000) AS i;
CREATE INDEX ON tb_post (fk_user);
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
CALL pg_tviews_drain();
SET synchronous_commit = off;
SELECT pg_tviews_pause('post');
-- Each transaction changes the same user, and one or two of a hundred others.
DO $$BEGIN
    FOR i IN 1..7000 LOOP
        UPDATE tb_user SET name = 'new ' || i WHERE pk_user IN (1, 2 + i % 100, CASE WHEN i % 2 = 0 THEN 2 + i % 10 END);
        COMMIT;
    END LOOP;
END$$;
-- Many of one transaction come on top.
UPDATE tb_user SET name = 'newest' WHERE pk_user > 500;
SELECT pg_tviews_resume('post');
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');
-- 101 and 500 users of five posts each.
SELECT changes_read > 14000 AS many, keys_refreshed, source ->> 2 AS keys_found
  FROM pg_tview_meta_audit, jsonb_array_elements(details -> 'sources') AS source
 WHERE entity_name = 'post' AND operation = 'refresh' AND changes_read > 0 ORDER BY audit_id DESC LIMIT 1;
DROP SCHEMA changes_repeated CASCADE;
