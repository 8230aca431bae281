-- Triggers of the extension itself that are missing or do not fire when they should, with what to do about
-- each.
WITH expected (relation, name, enabled, mode) AS (
    VALUES (NULL, 'pg_tviews_ddl_happened', 'A', 'ALWAYS'),
           (NULL, 'pg_tviews_objects_dropped', 'A', 'ALWAYS'),
           ('@extschema@.pg_tview_meta'::regclass, 'pg_tviews_written', 'O', ''),
           ('@extschema@.pg_tview_definition'::regclass, 'pg_tviews_added', 'A', 'ALWAYS')
), installed AS (
    SELECT NULL::regclass AS relation, e.evtname AS name, e.evtenabled AS enabled FROM pg_catalog.pg_event_trigger e
    UNION ALL
    SELECT t.tgrelid, t.tgname, t.tgenabled FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
)
SELECT format('the %strigger %s is missing, or not enabled as it should be',
              CASE WHEN expected.relation IS NULL THEN 'event ' END, concat(expected.name, ' of ' || expected.relation::text)),
       CASE WHEN installed.name IS NULL THEN 'ALTER EXTENSION pg_tviews UPDATE; or drop and create the extension.'
            WHEN expected.relation IS NULL THEN format('ALTER EVENT TRIGGER %s ENABLE %s;', expected.name, expected.mode)
            ELSE replace(format('ALTER TABLE %s ENABLE %s TRIGGER %s;', expected.relation, expected.mode, expected.name), '  ', ' ')
       END
  FROM expected
  LEFT JOIN installed ON installed.name = expected.name AND installed.relation IS NOT DISTINCT FROM expected.relation
 WHERE installed.enabled IS DISTINCT FROM expected.enabled
 ORDER BY 1
