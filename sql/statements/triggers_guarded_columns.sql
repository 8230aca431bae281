-- The columns named by the write guard (trigger, parameter 2) of the tv table (parameter 1).
SELECT array_agg(a.attname::text)
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE t.tgrelid = $1 AND t.tgname = $2
   AND position('\x00'::bytea || convert_to(a.attname, getdatabaseencoding()) || '\x00'::bytea
                IN '\x00'::bytea || t.tgargs) > 0
