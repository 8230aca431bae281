-- Keys that are expressions of one relation's columns.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_expression_keys;
SET search_path = lineage_expression_keys, public;

CREATE TABLE tb_event (pk_event int PRIMARY KEY, at timestamp, kind text, alt text, amount int);
CREATE TABLE tb_kind (kind text PRIMARY KEY, label text);
INSERT INTO tb_event VALUES (1, '2024-01-01 10:00', 'a', NULL, 1), (2, '2024-01-01 23:59', 'B', 'x', 2), (3, '2024-02-01 00:00', NULL, 'x', 4);
INSERT INTO tb_kind VALUES ('a', 'first'), ('b', 'second');

CREATE VIEW v_prefixed AS SELECT 'event-' || e.pk_event AS id, e.kind, k.label FROM tb_event e LEFT JOIN tb_kind k ON k.kind = lower(e.kind);
CREATE VIEW v_day AS SELECT date_trunc('day', at) AS day, sum(amount) AS amount FROM tb_event GROUP BY date_trunc('day', at);
CREATE VIEW v_month AS SELECT extract(year FROM at)::int AS y, extract(month FROM at)::int AS m, count(*) AS n, max(label) AS label
  FROM tb_event LEFT JOIN tb_kind ON tb_kind.kind = lower(tb_event.kind) GROUP BY 1, 2;
CREATE VIEW v_coalesced AS SELECT coalesce(kind, alt, '?') AS id, sum(amount) AS amount FROM tb_event GROUP BY coalesce(kind, alt, '?');
CREATE VIEW v_cased AS SELECT CASE WHEN amount > 1 THEN 'big' ELSE 'small' END AS id, count(*) AS n FROM tb_event GROUP BY 1;
CREATE VIEW v_cast AS SELECT pk_event::text AS id, amount FROM tb_event;
CREATE VIEW v_md5 AS SELECT md5('e' || pk_event)::uuid AS id, jsonb_build_object('amount', amount) AS data FROM tb_event;
CREATE VIEW v_two_relations AS SELECT e.pk_event || '/' || k.kind AS id, e.amount, k.label FROM tb_event e JOIN tb_kind k ON k.kind = lower(e.kind);
SELECT pg_tviews_create('prefixed');
SELECT pg_tviews_create('day', key_columns => '{day}');
SELECT pg_tviews_create('month', key_columns => '{y,m}');
SELECT pg_tviews_create(entity) FROM unnest('{coalesced,cased,cast,md5,two_relations}'::text[]) AS entity;

SELECT command FROM run_case('prefixed,day,month,coalesced,cased,cast,md5,two_relations',
    $$UPDATE tb_event SET amount = 10 WHERE pk_event = 1$$,
    $$UPDATE tb_event SET at = at + interval '1 day' WHERE pk_event = 2$$,
    $$UPDATE tb_event SET kind = 'c', alt = NULL WHERE pk_event = 3$$,
    $$UPDATE tb_kind SET kind = 'c' WHERE kind = 'b'$$,
    $$UPDATE tb_kind SET label = upper(label)$$,
    $$UPDATE tb_event SET kind = NULL, alt = NULL WHERE pk_event = 1$$,
    $$UPDATE tb_event SET pk_event = pk_event * 10$$,
    $$INSERT INTO tb_event VALUES (4, '2025-01-01', 'A', 'x', 0)$$,
    $$DELETE FROM tb_event WHERE amount > 1$$,
    $$DELETE FROM tb_kind$$)
\gexec

DROP SCHEMA lineage_expression_keys CASCADE;
