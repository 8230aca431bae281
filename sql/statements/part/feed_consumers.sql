SELECT s.subscription_id, s.names IS NULL AS every, s.entities, newest.position
       FROM @extschema@.pg_tview_subscription s
      CROSS JOIN LATERAL (
            SELECT a.position
              FROM @extschema@.pg_tview_acknowledgement a
             WHERE a.subscription_id BETWEEN s.subscription_id AND s.subscription_id
             ORDER BY a.subscription_id DESC, a.acknowledgement_id DESC
             LIMIT 1) newest
      WHERE NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_lost_consumer l WHERE l.subscription_id = s.subscription_id)
