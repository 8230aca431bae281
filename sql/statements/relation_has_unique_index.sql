-- Whether a unique index of a table (parameter 1) covers exactly the columns in parameter 2. No row if no
-- index does. The index of a key WITHOUT OVERLAPS counts as unique, and finds no row by equal values.
SELECT 1
  FROM pg_catalog.pg_index i
 WHERE i.indrelid = $1 AND i.indisunique AND NOT i.indisexclusion AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
   AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text)
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = k.attnum
         WHERE k.place <= i.indnkeyatts)
     = (SELECT array_agg(x ORDER BY x) FROM unnest($2::text[]) x)
