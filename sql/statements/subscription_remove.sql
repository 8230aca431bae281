-- Removes a consumer (its id is parameter 1).
WITH acknowledged AS (DELETE FROM @extschema@.pg_tview_acknowledgement WHERE subscription_id = $1),
     lost AS (DELETE FROM @extschema@.pg_tview_lost_consumer WHERE subscription_id = $1)
DELETE FROM @extschema@.pg_tview_subscription WHERE subscription_id = $1
