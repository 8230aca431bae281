-- The change keys in parameter 1 in portions of up to a hundred, as text, with the number of keys of each.
SELECT jsonb_path_query_array(log.keys, format('$[%s to %s]', first, first + 99)::jsonpath)::text,
       least(100, jsonb_array_length(log.keys) - first)
  FROM unnest($1) AS log(keys), generate_series(0, jsonb_array_length(log.keys) - 1, 100) AS first
