-- The change keys in parameter 1 as text, with their number: the keys of a small row of the queue one by one, those of others in
-- portions of up to a hundred.
SELECT CASE size WHEN 1 THEN jsonb_build_array(log.keys -> first)
                 ELSE jsonb_path_query_array(log.keys, format('$[%s to %s]', first, first + size - 1)::jsonpath) END::text,
       least(size, jsonb_array_length(log.keys) - first)
  FROM unnest($1) AS log(keys),
       LATERAL (SELECT CASE WHEN jsonb_array_length(log.keys) <= 100 THEN 1 ELSE 100 END) AS portion(size),
       generate_series(0, jsonb_array_length(log.keys) - 1, size) AS first
