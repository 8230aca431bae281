-- Portions of change keys (parameter 1) as key queries get them.
SELECT array_agg(portion::jsonb) FROM unnest($1) AS given(portion)
