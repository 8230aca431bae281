-- Materialized views are offered and converted: what the TVIEW takes over, and what stays.
SET client_min_messages = warning;
CREATE SCHEMA auto_convert_materialized;
SET search_path = auto_convert_materialized, public;
CREATE ROLE auto_convert_reader;
CREATE ROLE auto_convert_owner;
GRANT USAGE, CREATE ON SCHEMA auto_convert_materialized TO auto_convert_owner;
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, fk_shop int NOT NULL, day date NOT NULL, amount numeric NOT NULL);
CREATE INDEX ON tb_sale (fk_shop, day);
INSERT INTO tb_shop VALUES (1, 'North'), (2, 'South');
INSERT INTO tb_sale VALUES (1, 1, '2026-01-01', 10), (2, 1, '2026-01-02', 5), (3, 2, '2026-01-01', 7);
-- The key of a unique index; columns with other names than the query's; everything that can be added.
CREATE MATERIALIZED VIEW mv_daily (shop, sold_on, total, sales) WITH (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off) AS
    SELECT fk_shop, day, sum(amount), count(*) FROM tb_sale GROUP BY fk_shop, day;
CREATE UNIQUE INDEX ON mv_daily (sold_on, shop);
CREATE INDEX ON mv_daily (total DESC NULLS LAST) INCLUDE (sales) WHERE total > 3;
CREATE INDEX "by month" ON mv_daily ((date_trunc('month', sold_on::timestamp)));
COMMENT ON MATERIALIZED VIEW mv_daily IS 'what shops''s tills say';
COMMENT ON COLUMN mv_daily.total IS 'in euros';
ALTER MATERIALIZED VIEW mv_daily ALTER COLUMN shop SET STATISTICS 500;
GRANT SELECT ON mv_daily TO auto_convert_reader WITH GRANT OPTION;
GRANT SELECT (shop) ON mv_daily TO PUBLIC;
CREATE VIEW best AS SELECT * FROM mv_daily WHERE total > 9;
-- The conventional key; the name without a prefix; capitals.
CREATE MATERIALIZED VIEW shop AS SELECT pk_shop, name, (SELECT jsonb_agg(amount ORDER BY pk_sale) FROM tb_sale WHERE fk_shop = pk_shop) AS sales FROM tb_shop;
CREATE MATERIALIZED VIEW "mv_Till" AS SELECT pk_sale AS id, amount AS "Amount" FROM tb_sale;
-- Grouped by a primary key, with other columns of its table.
CREATE MATERIALIZED VIEW mv_turnover AS
    SELECT s.name, s.pk_shop AS shop, sum(amount) AS total FROM tb_shop s JOIN tb_sale ON fk_shop = pk_shop GROUP BY s.pk_shop, s.name;
-- A materialized view over the view of the same query, or of that name.
CREATE VIEW v_same AS SELECT pk_shop AS id, name FROM tb_shop;
CREATE MATERIALIZED VIEW mv_same AS SELECT * FROM v_same;
CREATE VIEW v_other AS SELECT pk_shop AS id, upper(name) AS name FROM tb_shop;
CREATE MATERIALIZED VIEW mv_other AS SELECT pk_shop AS id, name FROM tb_shop;
-- Of a role that has few rights.
CREATE MATERIALIZED VIEW mv_owned AS SELECT pk_shop AS id, name FROM tb_shop;
GRANT SELECT, TRIGGER ON tb_shop TO auto_convert_owner;
ALTER MATERIALIZED VIEW mv_owned OWNER TO auto_convert_owner;
-- Those that cannot become TVIEWs.
CREATE MATERIALIZED VIEW mv_empty AS SELECT pk_shop AS id FROM tb_shop WITH NO DATA;
CREATE MATERIALIZED VIEW mv_no_key AS SELECT name FROM tb_shop;
CREATE MATERIALIZED VIEW mv_partial AS SELECT name AS label FROM tb_shop;
CREATE UNIQUE INDEX ON mv_partial (label) WHERE label > '';
CREATE UNIQUE INDEX ON mv_partial (upper(label));
CREATE MATERIALIZED VIEW mv_volatile AS SELECT pk_shop AS id, random() AS r FROM tb_shop;
CREATE MATERIALIZED VIEW mv_recent AS SELECT pk_sale AS id FROM tb_sale WHERE day > now() - interval '30 days';
CREATE MATERIALIZED VIEW mv_upon AS SELECT shop AS id FROM mv_turnover;
CREATE FOREIGN DATA WRAPPER auto_convert_wrapper;
CREATE SERVER auto_convert_server FOREIGN DATA WRAPPER auto_convert_wrapper;
CREATE FOREIGN TABLE elsewhere (id int) SERVER auto_convert_server;
CREATE MATERIALIZED VIEW mv_foreign AS SELECT id FROM elsewhere WITH NO DATA;
UPDATE pg_class SET relispopulated = true WHERE relname = 'mv_foreign';
CREATE MATERIALIZED VIEW mv_catalog AS SELECT oid AS id, relname FROM pg_class WITH NO DATA;
UPDATE pg_class SET relispopulated = true WHERE relname = 'mv_catalog';
CREATE MATERIALIZED VIEW mv_limited AS SELECT pk_sale AS id FROM tb_sale ORDER BY amount LIMIT 2;
CREATE MATERIALIZED VIEW mv_total AS SELECT count(*) AS n FROM tb_sale;
CREATE MATERIALIZED VIEW v_view AS SELECT pk_shop AS id FROM tb_shop;
CREATE MATERIALIZED VIEW tv_named AS SELECT pk_shop AS id FROM tb_shop;
CREATE MATERIALIZED VIEW mv_pair AS SELECT pk_shop AS id FROM tb_shop;
CREATE MATERIALIZED VIEW pair AS SELECT pk_shop AS id FROM tb_shop;
CREATE MATERIALIZED VIEW mv_twice AS SELECT fk_shop AS id FROM tb_sale;
CREATE MATERIALIZED VIEW mv_of_extension AS SELECT pk_shop AS id FROM tb_shop;
ALTER EXTENSION pg_tviews ADD MATERIALIZED VIEW mv_of_extension;
CREATE MATERIALIZED VIEW mv_a23456789012345678901234567890123456789012345678901234567890 AS SELECT pk_shop AS id FROM tb_shop;
CREATE MATERIALIZED VIEW a234567890123456789012345678901234567890123456789012345678901 AS SELECT pk_shop AS id FROM tb_shop;

SELECT entity, base_table, key_columns, action, reason FROM pg_tviews_auto_convert_plan() ORDER BY entity COLLATE "C", reason COLLATE "C";
SELECT * FROM traces ORDER BY 1, 2;
-- The plan locks nothing that its end does not release.
BEGIN;
SELECT count(*) FROM pg_tviews_auto_convert_plan();
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384 AND relation::regclass::text !~ 'pg_tview' ORDER BY 1, 2;
COMMIT;
-- As a role that owns one of them.
SET ROLE auto_convert_owner;
SELECT entity, action, reason FROM pg_tviews_auto_convert_plan() WHERE entity IN ('owned', 'other', 'daily') ORDER BY 1;
RESET ROLE;
ALTER DEFAULT PRIVILEGES IN SCHEMA auto_convert_materialized GRANT INSERT ON TABLES TO PUBLIC;
SELECT entity, status, message FROM pg_tviews_auto_convert() WHERE status <> 'SKIP' ORDER BY entity COLLATE "C";
CALL pg_tviews_drain();
SELECT entity_name, key_columns, state, pg_get_userbyid(relowner) = 'auto_convert_owner' AS of_owner FROM pg_tview_meta m JOIN pg_class c ON c.oid = m.tview_oid
 WHERE relnamespace = current_schema()::regnamespace ORDER BY 1;
SELECT table_created, view_created FROM pg_tview_definition WHERE view_name IN ('v_daily', 'v_same') ORDER BY view_name;
\d tv_daily
SELECT reloptions, obj_description(oid, 'pg_class'), col_description(oid, 3) FROM pg_class WHERE oid = 'tv_daily'::regclass;
SELECT reloptions FROM pg_class WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'tv_daily'::regclass);
SELECT attname, attstattarget FROM pg_attribute WHERE attrelid = 'tv_daily'::regclass AND attstattarget > 0;
SELECT grantee, privilege_type, is_grantable FROM information_schema.role_table_grants
 WHERE table_schema = current_schema() AND table_name = 'tv_daily' AND grantee LIKE 'auto%' ORDER BY 1, 2;
SELECT has_column_privilege('auto_convert_owner', 'tv_daily', 'shop', 'SELECT'), has_table_privilege('auto_convert_owner', 'tv_daily', 'SELECT');
-- The default privileges of the superuser are not those of the owner.
SELECT relname, pg_get_userbyid(relowner), acl.grantee::regrole, acl.privilege_type
  FROM pg_class LEFT JOIN LATERAL aclexplode(relacl) acl ON acl.grantee <> relowner
 WHERE relname IN ('v_owned', 'tv_owned') AND relnamespace = current_schema()::regnamespace ORDER BY 1;
-- A function in the search_path that fits better than PostgreSQL's own does not come into an index.
CREATE MATERIALIZED VIEW mv_list AS SELECT pk_shop AS id, ARRAY[pk_shop] AS list FROM tb_shop;
CREATE INDEX ON mv_list (array_length(list, 1));
CREATE FUNCTION array_length(int[], int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
SELECT status FROM pg_tviews_auto_convert() WHERE entity = 'list';
DROP FUNCTION array_length(int[], int);
-- Its owner drops it while a superuser converts it: nothing runs with the rights of the superuser.
SET ROLE auto_convert_owner;
CREATE MATERIALIZED VIEW mv_gone AS SELECT pk_shop AS id, name FROM tb_shop;
RESET ROLE;
CREATE FUNCTION drops() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN DROP MATERIALIZED VIEW auto_convert_materialized.mv_gone; END';
CREATE EVENT TRIGGER auto_convert_drops ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION drops();
SELECT status FROM pg_tviews_auto_convert() WHERE entity = 'gone';
DROP EVENT TRIGGER auto_convert_drops;
SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('v_gone', 'tv_gone', 'mv_gone') ORDER BY 1;
-- The tables follow, the materialized views are as they were.
INSERT INTO tb_sale VALUES (4, 2, '2026-01-01', 1);
DELETE FROM tb_sale WHERE pk_sale = 2;
UPDATE tb_shop SET name = 'East' WHERE pk_shop = 2;
CALL pg_tviews_drain();
SELECT entity_name, same(format('v_%I', entity_name), format('tv_%I', entity_name)) FROM (VALUES ('daily'), ('shop'), ('turnover'), ('same'), ('owned'), ('pair')) AS e(entity_name);
TABLE tv_daily ORDER BY 1, 2;
TABLE mv_daily ORDER BY 1, 2;
TABLE tv_turnover ORDER BY shop;
TABLE "tv_Till" ORDER BY id;
TABLE best;
-- Again: harmless.
SELECT entity, status, message FROM pg_tviews_auto_convert() WHERE entity IN ('daily', 'twice', 'shop') ORDER BY 1;
-- The name is given to the TVIEW.
BEGIN;
DROP MATERIALIZED VIEW mv_daily CASCADE;
CREATE VIEW mv_daily AS SELECT * FROM tv_daily;
COMMIT;
TABLE mv_daily ORDER BY 1, 2;
DROP VIEW mv_daily;
-- Dropped, what the conversion made goes, what was there stays.
SELECT pg_tviews_drop(entity) FROM unnest('{daily,same,owned}'::text[]) AS entity;
SELECT to_regclass('v_daily'), to_regclass('tv_daily'), to_regclass('v_same'), to_regclass('mv_same'), to_regclass('v_owned');
ALTER EXTENSION pg_tviews DROP MATERIALIZED VIEW mv_of_extension;
DROP SCHEMA auto_convert_materialized CASCADE;
DROP FOREIGN DATA WRAPPER auto_convert_wrapper CASCADE;
DROP ROLE auto_convert_reader, auto_convert_owner;
