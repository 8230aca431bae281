-- Composite keys whose columns come from one relation or from several.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_composite_keys;
SET search_path = lineage_composite_keys, public;

CREATE TABLE tb_tenant (tenant int PRIMARY KEY, name text);
CREATE TABLE tb_doc (tenant int, doc text, title text, PRIMARY KEY (tenant, doc));
CREATE TABLE tb_line (tenant int, doc text, line int, body text, PRIMARY KEY (tenant, doc, line));
INSERT INTO tb_tenant VALUES (1, 'one'), (2, 'two');
INSERT INTO tb_doc VALUES (1, 'a', 'A1'), (1, 'b', 'B1'), (2, 'a', 'A2');
INSERT INTO tb_line VALUES (1, 'a', 1, 'x'), (1, 'a', 2, 'y'), (2, 'a', 1, 'z');

CREATE VIEW v_doc AS
SELECT d.tenant, d.doc, d.title, t.name, (SELECT array_agg(l.body ORDER BY l.line) FROM tb_line l WHERE l.tenant = d.tenant AND l.doc = d.doc) AS lines
  FROM tb_doc d JOIN tb_tenant t ON t.tenant = d.tenant;
CREATE VIEW v_line AS
SELECT l.tenant, l.doc, l.line, l.body, d.title FROM tb_line l LEFT JOIN tb_doc d ON (d.tenant, d.doc) = (l.tenant, l.doc);
CREATE VIEW v_cell AS
SELECT t.tenant AS tenant, d.doc AS doc, count(l.line) AS lines
  FROM tb_tenant t CROSS JOIN (SELECT DISTINCT doc FROM tb_doc) d LEFT JOIN tb_line l ON l.tenant = t.tenant AND l.doc = d.doc GROUP BY t.tenant, d.doc;
SELECT pg_tviews_create('doc', key_columns => '{tenant,doc}');
SELECT pg_tviews_create('line', key_columns => '{tenant,doc,line}');
SELECT pg_tviews_create('cell', key_columns => '{doc,tenant}');

SELECT command FROM run_case('doc,line,cell',
    $$UPDATE tb_doc SET title = 'new' WHERE doc = 'a'$$,
    $$UPDATE tb_line SET doc = 'b' WHERE tenant = 1 AND line = 2$$,
    $$UPDATE tb_line SET tenant = 2 WHERE doc = 'b'$$,
    $$UPDATE tb_doc SET tenant = 2 WHERE doc = 'b'$$,
    $$UPDATE tb_tenant SET name = 'renamed' WHERE tenant = 2$$,
    $$INSERT INTO tb_tenant VALUES (3, 'three')$$,
    $$INSERT INTO tb_doc VALUES (3, 'c', 'C3')$$,
    $$UPDATE tb_doc SET doc = 'd' WHERE doc = 'c'$$,
    $$DELETE FROM tb_doc WHERE doc = 'a'$$,
    $$DELETE FROM tb_tenant WHERE tenant = 2$$,
    $$DELETE FROM tb_line$$)
\gexec

DROP SCHEMA lineage_composite_keys CASCADE;
