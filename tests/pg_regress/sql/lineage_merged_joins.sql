-- USING and NATURAL, outer and chained: the merged column takes turns in being each side's.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_merged_joins;
SET search_path = lineage_merged_joins, public;

CREATE TABLE tb_plan (day date, region text, planned int);
CREATE TABLE tb_sale (day date, region text, sold int);
CREATE TABLE tb_return (day date, region text, returned int);
CREATE TABLE tb_holiday (day date PRIMARY KEY, name text);
INSERT INTO tb_plan VALUES ('2024-01-01', 'n', 10), ('2024-01-02', 'n', 20), ('2024-01-02', 's', 5);
INSERT INTO tb_sale VALUES ('2024-01-02', 'n', 7), ('2024-01-02', 'n', 8), ('2024-01-03', 's', 1);
INSERT INTO tb_return VALUES ('2024-01-02', 'n', 1), ('2024-01-03', 's', 1), ('2024-01-04', 'e', 2);
INSERT INTO tb_holiday VALUES ('2024-01-01', 'new year'), ('2024-01-04', 'other');

-- One, two and three FULL JOINs, with other joins on what they merge.
CREATE VIEW v_day AS
SELECT day, p.planned, s.sold, r.returned, h.name
  FROM (SELECT day, sum(planned) AS planned FROM tb_plan GROUP BY day) p
  FULL JOIN (SELECT day, sum(sold) AS sold FROM tb_sale GROUP BY day) s USING (day)
  NATURAL FULL JOIN (SELECT day, sum(returned) AS returned FROM tb_return GROUP BY day) r
  LEFT JOIN tb_holiday h USING (day)
 WHERE day IS NOT NULL;
CREATE VIEW v_cell AS
SELECT day, region, sum(planned) AS planned, sum(sold) AS sold, count(returned) AS returns
  FROM tb_plan FULL JOIN tb_sale USING (day, region) FULL JOIN tb_return USING (day, region)
 WHERE day IS NOT NULL AND region IS NOT NULL
 GROUP BY day, region;
CREATE VIEW v_label AS
SELECT 'day ' || coalesce(p.day, s.day, h.day)::text AS label, count(*) AS n, max(h.name) AS name
  FROM tb_plan p FULL JOIN tb_sale s ON s.day = p.day FULL JOIN tb_holiday h ON h.day = coalesce(p.day, s.day)
 GROUP BY 1;
CREATE VIEW v_between AS
SELECT coalesce(p.day, s.day) AS day, count(h.day) AS holidays
  FROM tb_plan p FULL JOIN tb_sale s USING (day, region)
  LEFT JOIN tb_holiday h ON h.day BETWEEN coalesce(p.day, s.day) - 1 AND coalesce(s.day, p.day)
 GROUP BY 1 HAVING count(*) > 0;
SELECT pg_tviews_create('day', key_columns => '{day}');
SELECT pg_tviews_create('cell', key_columns => '{day,region}');
SELECT pg_tviews_create('label', key_columns => '{label}');
SELECT pg_tviews_create('between', key_columns => '{day}');

SELECT command FROM run_case('day,cell,label,between',
    $$UPDATE tb_plan SET planned = 11 WHERE day = '2024-01-01'$$,
    $$DELETE FROM tb_plan WHERE day = '2024-01-02' AND region = 'n'$$,
    $$UPDATE tb_sale SET day = '2024-01-01' WHERE sold = 7; UPDATE tb_return SET day = '2024-01-01' WHERE region = 'n'$$,
    $$UPDATE tb_plan SET day = '2024-01-05' WHERE region = 'n'; UPDATE tb_sale SET day = '2024-01-05'; DELETE FROM tb_return WHERE region = 's'$$,
    $$INSERT INTO tb_return VALUES (NULL, 'x', 9), ('2024-01-05', NULL, 9), ('2024-01-06', 's', 3)$$,
    $$UPDATE tb_return SET day = '2024-01-06' WHERE day IS NULL; UPDATE tb_return SET region = 'x' WHERE region IS NULL$$,
    $$INSERT INTO tb_sale VALUES ('2024-01-06', 's', 3)$$,
    $$INSERT INTO tb_holiday VALUES ('2024-01-05', 'fifth'), ('2024-01-07', 'last')$$,
    $$UPDATE tb_holiday SET day = day + 10; UPDATE tb_plan SET day = day + 1$$,
    $$DELETE FROM tb_sale; DELETE FROM tb_holiday$$,
    $$DELETE FROM tb_return$$)
\gexec

DROP SCHEMA lineage_merged_joins CASCADE;
