-- A consumer (parameter 1): its id, role, TVIEWs, whether it has missed changes, what it has acknowledged, whether
-- that was more than a minute ago, and the id of the transaction, or subtransaction, that did.
SELECT s.subscription_id, s.owner, s.names, s.entities, s.tviews,
       EXISTS (SELECT 1 FROM @extschema@.pg_tview_lost_consumer l WHERE l.subscription_id = s.subscription_id),
       a.position::text, a.upto::text, a.upto_xid::text, a.upto_change_id, a.upto_key,
       a.acknowledged_at < clock_timestamp() - interval '1 minute', a.by::text
  FROM @extschema@.pg_tview_subscription s
 CROSS JOIN LATERAL (
        SELECT newest.*, newest.xmin AS by
          FROM @extschema@.pg_tview_acknowledgement newest
         WHERE newest.subscription_id BETWEEN s.subscription_id AND s.subscription_id
         ORDER BY newest.subscription_id DESC, newest.acknowledgement_id DESC
         LIMIT 1) a
 WHERE s.consumer = $1
