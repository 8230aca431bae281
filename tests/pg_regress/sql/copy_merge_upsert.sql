-- Rows written by COPY, MERGE and INSERT ... ON CONFLICT, and with OVERRIDING and generated columns.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA copy_merge_upsert;
SET search_path = copy_merge_upsert, public;

CREATE TABLE tb_user (pk_user int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, shout text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user OVERRIDING SYSTEM VALUE VALUES (101, 'Ann'), (102, 'Bob');
INSERT INTO tb_post VALUES (10, 101, 'one'), (11, 102, 'two');

CREATE VIEW v_user AS
SELECT u.pk_user, u.shout, jsonb_agg(p.title ORDER BY p.pk_post) AS titles FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.pk_user;
SELECT pg_tviews_create('user');

SELECT command FROM run_case('user',
    $$COPY tb_post FROM PROGRAM 'printf "12,101,copied\n13,102,copied\n14,9,orphan\n"' WITH (FORMAT csv)$$,
    $$COPY tb_post (title, fk_user, pk_post) FROM PROGRAM 'printf "x,102,15\n"' WITH (FORMAT csv)$$,
    $$INSERT INTO tb_user (name) VALUES ('Ann') ON CONFLICT (name) DO NOTHING$$,
    $$INSERT INTO tb_user (name) VALUES ('Ann'), ('Cid') ON CONFLICT (name) DO UPDATE SET name = excluded.name || '2'$$,
    $$INSERT INTO tb_post VALUES (10, 102, 'upserted'), (20, 102, 'inserted') ON CONFLICT (pk_post) DO UPDATE SET fk_user = excluded.fk_user, title = excluded.title$$,
    $$MERGE INTO tb_post p USING (VALUES (11, 101, 'merged'), (12, NULL, 'gone'), (30, 101, 'new')) AS s (pk_post, fk_user, title) ON p.pk_post = s.pk_post
      WHEN MATCHED AND s.fk_user IS NULL THEN DELETE
      WHEN MATCHED THEN UPDATE SET fk_user = s.fk_user, title = s.title
      WHEN NOT MATCHED THEN INSERT VALUES (s.pk_post, s.fk_user, s.title)$$,
    $$UPDATE tb_post SET title = u.name FROM tb_user u WHERE u.pk_user = fk_user$$,
    $$DELETE FROM tb_post USING tb_user u WHERE u.pk_user = fk_user AND u.name LIKE 'B%'$$)
\gexec

DROP SCHEMA copy_merge_upsert CASCADE;
