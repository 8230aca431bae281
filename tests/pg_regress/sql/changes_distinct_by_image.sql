-- Captured values that are equal and not the same, or cannot be compared, where the key is made of their text: no change is
-- taken for another.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA changes_distinct_by_image;
SET search_path = changes_distinct_by_image, public;

CREATE TYPE mix AS (j json, n int);
CREATE TABLE tb_ev (pk_ev int PRIMARY KEY, payload json, x xml, p point, n numeric, f float8, iv interval, d jsonb, js json[], m mix, bp bpchar);
INSERT INTO tb_ev VALUES
    (1, '{"k": "a", "b": 1}', '<a/>', '(1,2)', 1.0, 0, '1 day', '{"n": 1.0}', ARRAY['[1]'::json], '("[1]",1)', 'a'),
    (2, '{"b":1,"k":"a"}', '<a></a>', '(1,2)', 1.00, '-0', '24:00', '{"n": 1.00}', ARRAY['[ 1]'::json], '("[ 1]",1)', 'a '),
    (3, '{"k": "\u00e9 1e400", "k": "b"}', '<b>x</b>', '(0,-0)', 2, 0.1, '0', '"s"', NULL, NULL, 'b'),
    (4, 'null', NULL, NULL, NULL, NULL, NULL, 'null', NULL, NULL, NULL);

CREATE VIEW v_k AS SELECT coalesce(payload->>'b', 'none') AS id, count(*) AS n FROM tb_ev GROUP BY coalesce(payload->>'b', 'none');
CREATE VIEW v_payload AS SELECT payload::text AS id, count(*) AS n FROM tb_ev WHERE payload IS NOT NULL GROUP BY payload::text;
CREATE VIEW v_xml AS SELECT x::text AS id, count(*) AS n FROM tb_ev WHERE x IS NOT NULL GROUP BY x::text;
CREATE VIEW v_point AS SELECT p::text AS id, count(*) AS n FROM tb_ev WHERE p IS NOT NULL GROUP BY p::text;
CREATE VIEW v_num AS SELECT n::text AS id, count(*) AS n FROM tb_ev WHERE n IS NOT NULL GROUP BY n::text;
CREATE VIEW v_float AS SELECT f::text AS id, count(*) AS n FROM tb_ev WHERE f IS NOT NULL GROUP BY f::text;
CREATE VIEW v_interval AS SELECT iv::text AS id, count(*) AS n FROM tb_ev WHERE iv IS NOT NULL GROUP BY iv::text;
CREATE VIEW v_doc AS SELECT d::text AS id, count(*) AS n FROM tb_ev WHERE d IS NOT NULL GROUP BY d::text;
CREATE VIEW v_array AS SELECT js::text AS id, count(*) AS n FROM tb_ev WHERE js IS NOT NULL GROUP BY js::text;
CREATE VIEW v_row AS SELECT m::text AS id, count(*) AS n FROM tb_ev WHERE m IS NOT NULL GROUP BY m::text;
CREATE VIEW v_padded AS SELECT bp || '.' AS id, octet_length(bp) AS length, count(*) AS n FROM tb_ev WHERE bp IS NOT NULL GROUP BY bp || '.', octet_length(bp);
SELECT pg_tviews_create(name) FROM unnest('{k,payload,xml,point,num,float,interval,doc,array,row}'::text[]) name;
SELECT pg_tviews_create('padded', key_columns => '{id,length}');

-- All are followed by key.
SELECT string_agg(DISTINCT name || ' ' || e.strategy, ', ') FROM unnest('{k,payload,xml,point,num,float,interval,doc,array,row,padded}'::text[]) name, pg_tviews_explain(name) e WHERE e.strategy <> 'keyed';

SELECT command FROM run_case('k,payload,xml,point,num,float,interval,doc,array,row,padded',
    $$UPDATE tb_ev SET (payload, x, p, n, f, iv, d, js, m, bp) = (SELECT o.payload, o.x, o.p, o.n, o.f, o.iv, o.d, o.js, o.m, o.bp FROM tb_ev o WHERE o.pk_ev = 3 - tb_ev.pk_ev) WHERE pk_ev < 3$$,
    $$UPDATE tb_ev SET (payload, x, p, n, f, iv, d, js, m, bp) = (SELECT o.payload, o.x, o.p, o.n, o.f, o.iv, o.d, o.js, o.m, o.bp FROM tb_ev o WHERE o.pk_ev = 2) WHERE pk_ev = 1$$,
    $$INSERT INTO tb_ev SELECT 5, payload, x, p, 1.000, f, iv, '{"n": 1.000}', js, m, 'a   ' FROM tb_ev WHERE pk_ev = 2$$,
    $$DELETE FROM tb_ev WHERE pk_ev IN (2, 5)$$,
    $$UPDATE tb_ev SET payload = ('[' || payload || ']')::json, d = jsonb_build_array(d)$$,
    $$DELETE FROM tb_ev$$)
\gexec

DROP SCHEMA changes_distinct_by_image CASCADE;
