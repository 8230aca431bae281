-- The same as subscription_lock.sql without waiting. No row if another session has the lock.
SELECT 1 FROM @extschema@.pg_tview_subscription WHERE consumer = $1 FOR UPDATE SKIP LOCKED
