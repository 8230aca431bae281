-- Tables whose capture trigger or guard the running command has renamed.
SELECT t.tgrelid
  FROM pg_catalog.pg_event_trigger_ddl_commands() c
  JOIN pg_catalog.pg_trigger t ON t.oid = c.objid
 WHERE c.command_tag = 'ALTER TRIGGER'
   AND t.tgfoid IN ('@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure,
                    '@extschema@.pg_tviews_guard()'::pg_catalog.regprocedure)
   AND t.tgname NOT LIKE 'pg\_tviews\_%'
