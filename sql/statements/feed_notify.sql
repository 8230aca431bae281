-- Notifies consumers that rows of these entities (parameter 1) have changed.
SELECT pg_notify('pg_tviews', entity_name) FROM unnest($1) AS e(entity_name)
