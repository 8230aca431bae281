-- The columns of each unique index of a materialized view (parameter 1) that can be a key: of all rows, and of columns
-- alone. The index with the fewest columns comes first.
SELECT array_agg(a.attname::text ORDER BY k.place)
  FROM pg_catalog.pg_index i
 CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
       AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
 GROUP BY i.indexrelid, i.indnkeyatts
 ORDER BY i.indnkeyatts, i.indexrelid
