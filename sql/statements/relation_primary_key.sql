-- The columns of the primary key of the table (parameter 1), in key order.
SELECT array_agg(a.attname::text ORDER BY k.place)
  FROM pg_catalog.pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum
 WHERE i.indrelid = $1 AND a.attrelid = $1 AND i.indisprimary AND k.place <= i.indnkeyatts
