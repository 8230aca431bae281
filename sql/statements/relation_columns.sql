-- The columns of the relation (parameter 1), in order.
SELECT attnum, attname::text, atttypid, atttypmod, attcollation, attgenerated <> '', attidentity = 'a'
  FROM pg_catalog.pg_attribute
 WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
 ORDER BY attnum
