-- Adds a consumer (parameter 1) of a role (2), with the TVIEWs that it names (3 names, 4 entities, 5 OIDs) and
-- its position (6). No row if the name is taken.
WITH added AS (
    INSERT INTO @extschema@.pg_tview_subscription (subscription_id, consumer, owner, names, entities, tviews, subscribed_at)
    VALUES (floor(random() * 9007199254740992)::bigint, $1, $2, $3, $4, $5, clock_timestamp())
        ON CONFLICT (consumer) DO NOTHING
    RETURNING subscription_id),
     started AS (
    INSERT INTO @extschema@.pg_tview_acknowledgement (subscription_id, position, acknowledged_at)
    SELECT subscription_id, $6::pg_snapshot, clock_timestamp() FROM added)
SELECT subscription_id FROM added
