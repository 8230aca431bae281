-- Whether a tv table (parameter 1) has the write guard (2) with the arguments (4), and the trigger (3). No
-- row if not.
SELECT 1
  FROM pg_catalog.pg_trigger t
 WHERE t.tgrelid = $1 AND t.tgname = $2 AND t.tgargs = $4
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger o WHERE o.tgrelid = $1 AND o.tgname = $3)
