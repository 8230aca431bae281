-- Deletes acknowledgements that are not the newest of their consumer, and those of consumers that were removed
-- meanwhile.
DELETE FROM @extschema@.pg_tview_acknowledgement a
 WHERE a.acknowledgement_id < (
    SELECT newest.acknowledgement_id
      FROM @extschema@.pg_tview_acknowledgement newest
     WHERE newest.subscription_id BETWEEN a.subscription_id AND a.subscription_id
     ORDER BY newest.subscription_id DESC, newest.acknowledgement_id DESC
     LIMIT 1)
    OR NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_subscription s WHERE s.subscription_id = a.subscription_id)
