-- Records what the consumer (its id is parameter 1) has acknowledged: what a snapshot (2) sees; of another
-- snapshot (3), all up to a place (4 to 6).
INSERT INTO @extschema@.pg_tview_acknowledgement
    (subscription_id, position, upto, upto_xid, upto_change_id, upto_key, acknowledged_at)
VALUES ($1, $2::pg_snapshot, $3::pg_snapshot, $4::xid8, $5, $6, clock_timestamp())
