-- Whether tv table $1 has write guard $2 with arguments $4, and trigger $3: no row if it does not.
SELECT 1
  FROM pg_catalog.pg_trigger t
 WHERE t.tgrelid = $1 AND t.tgname = $2 AND t.tgargs = $4
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger o WHERE o.tgrelid = $1 AND o.tgname = $3)
