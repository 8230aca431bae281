-- Relationships held in arrays and documents: = ANY (array), unnest, jsonb_array_elements, @>.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_arrays_and_documents;
SET search_path = lineage_arrays_and_documents, public;

CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, label text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, tags int[], doc jsonb);
INSERT INTO tb_tag VALUES (1, 'red'), (2, 'blue'), (3, 'green');
INSERT INTO tb_post VALUES (10, '{1,2}', '{"items": [{"tag": 1, "n": 2}, {"tag": 2, "n": 1}]}'), (11, '{}', '{"items": []}'), (12, NULL, NULL), (13, '{3,NULL,3}', '{"items": [{"tag": null}, {"tag": 3, "n": 9}]}');

CREATE VIEW v_any AS SELECT p.pk_post AS id, string_agg(t.label, ',' ORDER BY t.label) AS labels FROM tb_post p LEFT JOIN tb_tag t ON t.pk_tag = ANY (p.tags) GROUP BY p.pk_post;
CREATE VIEW v_tag AS SELECT t.pk_tag, t.label, (SELECT count(*) FROM tb_post p WHERE t.pk_tag = ANY (p.tags)) AS posts FROM tb_tag t;
CREATE VIEW v_unnested AS
SELECT p.pk_post AS id, jsonb_agg(t.label ORDER BY u.position) AS labels FROM tb_post p, unnest(p.tags) WITH ORDINALITY AS u (tag, position) LEFT JOIN tb_tag t ON t.pk_tag = u.tag GROUP BY p.pk_post;
CREATE VIEW v_items AS
SELECT p.pk_post AS id, e.position, e.item ->> 'n' AS n, t.label
  FROM tb_post p CROSS JOIN LATERAL jsonb_array_elements(p.doc -> 'items') WITH ORDINALITY AS e (item, position) LEFT JOIN tb_tag t ON t.pk_tag = (e.item ->> 'tag')::int;
CREATE VIEW v_used AS
SELECT t.pk_tag AS id, t.label, count(*) AS uses FROM tb_tag t JOIN (SELECT unnest(tags) AS tag FROM tb_post) u ON u.tag = t.pk_tag GROUP BY t.pk_tag;
CREATE VIEW v_contains AS SELECT t.pk_tag AS id, count(p.pk_post) AS posts FROM tb_tag t LEFT JOIN tb_post p ON p.tags @> ARRAY[t.pk_tag] GROUP BY t.pk_tag;
CREATE VIEW v_overlap AS SELECT a.pk_post AS id, count(b.pk_post) AS related FROM tb_post a LEFT JOIN tb_post b ON a.tags && b.tags AND a.pk_post <> b.pk_post GROUP BY a.pk_post;
CREATE VIEW v_element AS SELECT DISTINCT unnest(tags) AS tag FROM tb_post WHERE array_position(tags, NULL) IS NULL;
CREATE VIEW v_rows_from AS SELECT p.pk_post AS id, sum(g.n) AS total FROM tb_post p LEFT JOIN LATERAL jsonb_to_recordset(p.doc -> 'items') AS g (tag int, n int) ON true GROUP BY p.pk_post;
SELECT pg_tviews_create(entity, key_columns => CASE entity WHEN 'items' THEN '{id,position}' WHEN 'tag' THEN '{pk_tag}' WHEN 'element' THEN '{tag}' ELSE '{id}' END::text[])
  FROM unnest('{any,tag,unnested,items,used,contains,overlap,element,rows_from}'::text[]) AS entity;

SELECT command FROM run_case('any,tag,unnested,items,used,contains,overlap,element,rows_from',
    $$UPDATE tb_tag SET label = 'crimson' WHERE pk_tag = 1$$,
    $$UPDATE tb_post SET tags = tags || 3 WHERE pk_post = 10$$,
    $$UPDATE tb_post SET tags = '{2}' WHERE pk_post IN (11, 12)$$,
    $$UPDATE tb_post SET doc = jsonb_set(doc, '{items,0,tag}', '3') WHERE pk_post = 10$$,
    $$UPDATE tb_post SET doc = '{"items": [{"tag": 2, "n": 5}]}' WHERE pk_post = 12$$,
    $$UPDATE tb_tag SET pk_tag = 4 WHERE pk_tag = 3$$,
    $$UPDATE tb_post SET tags = array_replace(tags, 3, 4)$$,
    $$INSERT INTO tb_post VALUES (14, '{4,1}', '{"items": [{"tag": 4}]}')$$,
    $$DELETE FROM tb_tag WHERE pk_tag = 2$$,
    $$UPDATE tb_post SET tags = NULL, doc = NULL WHERE pk_post = 10$$,
    $$DELETE FROM tb_post WHERE pk_post > 11$$)
\gexec

DROP SCHEMA lineage_arrays_and_documents CASCADE;
