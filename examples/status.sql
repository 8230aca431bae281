-- One line: how far behind the TVIEWs are at this moment.
\pset format unaligned
\pset tuples_only on
SELECT '    ' || string_agg(format('%s: %s pending, %s ms late', entity_name, pending_changes, coalesce(round(extract(epoch FROM lag) * 1000), 0)),
                            '; ' ORDER BY entity_name)
  FROM pg_tview_status;
