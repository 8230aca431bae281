-- Records how changes of each source of the TVIEW (parameter 1) are followed (parameter 3), unless that is recorded, or the
-- sources (parameter 2) are not those of the definition.
UPDATE @extschema@.pg_tview_definition
   SET strategies = $3
 WHERE tview_oid = $1 AND source_oids::oid[] = $2 AND strategies <> $3
