-- Tags of the running command and of its subcommands, if the command may affect a TVIEW. Temporary objects do
-- not affect a TVIEW. Neither do commands that create, rename or describe objects that no view reads.
SELECT array_agg(DISTINCT c.command_tag)
  FROM pg_catalog.pg_event_trigger_ddl_commands() c
 WHERE c.schema_name IS DISTINCT FROM 'pg_temp'
   AND c.command_tag <> ALL ('{COMMENT,SECURITY LABEL,CREATE INDEX,ALTER INDEX,CREATE STATISTICS,ALTER STATISTICS,CREATE SEQUENCE,ALTER SEQUENCE,
                               CREATE TABLE AS,SELECT INTO,CREATE MATERIALIZED VIEW,ALTER MATERIALIZED VIEW,REFRESH MATERIALIZED VIEW,
                               CREATE PUBLICATION,ALTER PUBLICATION,ALTER LARGE OBJECT}'::text[])
