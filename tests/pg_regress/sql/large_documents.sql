-- Documents over 1 MB that do not compress, also when a column is left unfetched by the update.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA large_documents;
SET search_path = large_documents, public;

CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, title text, body text);
CREATE TABLE tb_part (pk_part int PRIMARY KEY, fk_doc int, body text);
INSERT INTO tb_doc SELECT d, 'doc' || d, string_agg(md5(d * 100000 + i || 'x'), '') FROM generate_series(1, 2) AS d, generate_series(1, 40000) AS i GROUP BY d;
INSERT INTO tb_part SELECT p, 1, string_agg(md5(p * 100000 + i || 'p'), '') FROM generate_series(1, 5) AS p, generate_series(1, 10000) AS i GROUP BY p;

CREATE VIEW v_doc AS
SELECT d.pk_doc, jsonb_build_object('title', d.title, 'body', d.body, 'parts', (SELECT jsonb_agg(p.body ORDER BY p.pk_part) FROM tb_part p WHERE p.fk_doc = d.pk_doc)) AS data
  FROM tb_doc d;
SELECT pg_tviews_create('doc');
CALL pg_tviews_drain();
SELECT pk_doc, length(data::text) > 1000000 AS over_1_mb FROM tv_doc ORDER BY pk_doc;

SELECT command FROM run_case('doc',
    $$UPDATE tb_doc SET title = 'new title' WHERE pk_doc = 1$$,
    $$UPDATE tb_doc SET body = body || 'x' WHERE pk_doc = 2$$,
    $$UPDATE tb_part SET body = overlay(body PLACING 'X' FROM 100000 FOR 1) WHERE pk_part = 3$$,
    $$UPDATE tb_part SET fk_doc = 2 WHERE pk_part > 3$$,
    $$DELETE FROM tb_part WHERE fk_doc = 1$$,
    $$DELETE FROM tb_doc WHERE pk_doc = 2$$)
\gexec

DROP SCHEMA large_documents CASCADE;
