-- Everything the extension owns; an accidental change of the API is a difference here.
SET client_min_messages = warning;
CREATE SCHEMA api_surface;
SET search_path = api_surface, public;
LOAD 'pg_tviews';

SELECT pg_describe_object(classid, objid, 0) AS object
  FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews')
   AND classid <> 'pg_type'::regclass -- types of rows: members of the extension in later versions of PostgreSQL only
 ORDER BY pg_describe_object(classid, objid, 0) COLLATE "C";
SELECT p.oid::regprocedure AS function, CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
       provolatile AS volatility, proisstrict AS strict, prosecdef AS definer, proparallel AS parallel
  FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
 WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews') ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass AS relation, relkind AS kind, attname AS column, format_type(atttypid, atttypmod) AS type, attnotnull AS required
  FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
 WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews') AND relkind IN ('r', 'v') ORDER BY relname COLLATE "C", attnum;
SELECT indexrelid::regclass AS index, pg_get_indexdef(indexrelid) AS definition FROM pg_index JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = indrelid AND d.deptype = 'e'
 WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews') ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT tgrelid::regclass AS relation, tgname AS trigger, tgenabled AS enabled FROM pg_trigger JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = tgrelid AND d.deptype = 'e'
 WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews') AND NOT tgisinternal ORDER BY 1::text, 2;
SELECT evtname, evtevent, evtenabled FROM pg_event_trigger JOIN pg_depend d ON d.classid = 'pg_event_trigger'::regclass AND d.objid = pg_event_trigger.oid AND d.deptype = 'e' ORDER BY 1;
-- Functions without a comment.
SELECT p.oid::regprocedure AS undocumented FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
 WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews') AND obj_description(p.oid, 'pg_proc') IS NULL ORDER BY 1::text;
SELECT name, unit, context, vartype, min_val, max_val, boot_val, short_desc, extra_desc FROM pg_settings WHERE name LIKE 'pg\_tviews.%' ORDER BY name;
SELECT count(*) FROM (SELECT unnest(extconfig)::regclass FROM pg_extension WHERE extname = 'pg_tviews') AS dumped;
SELECT pg_tviews_version() = extversion AS version_matches FROM pg_extension WHERE extname = 'pg_tviews';
-- The triggers on a source.
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, unread text);
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'tb_user'::regclass ORDER BY 1;

DROP SCHEMA api_surface CASCADE;
