-- The table that the running CREATE TABLE AS or SELECT INTO has created. No row if the table existed before, or if
-- it is temporary.
SELECT c.object_identity
  FROM pg_catalog.pg_event_trigger_ddl_commands() c
 WHERE c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.command_tag IN ('CREATE TABLE AS', 'SELECT INTO')
   AND c.schema_name IS DISTINCT FROM 'pg_temp'
