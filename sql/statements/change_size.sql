-- Whether there are any changes, and whether the table is larger than parameter 1 bytes.
SELECT EXISTS (SELECT 1 FROM @extschema@.pg_tview_change),
       pg_total_relation_size('@extschema@.pg_tview_change') > $1
