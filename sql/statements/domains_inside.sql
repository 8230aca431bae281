-- Whether any of the types in parameter 1 contains a domain, as an element, a column or the subtype of a
-- range. Reading a value of such a type checks the constraints of the domain.
WITH RECURSIVE inside (type) AS (
    SELECT unnest($1)
 UNION
    SELECT part.type
      FROM inside
      JOIN pg_catalog.pg_type t ON t.oid = inside.type
     CROSS JOIN LATERAL (
           SELECT unnest(ARRAY[t.typelem, t.typbasetype])
        UNION ALL
           SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
           SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
           ) part (type)
)
SELECT EXISTS (SELECT FROM inside JOIN pg_catalog.pg_type t ON t.oid = inside.type WHERE t.typtype = 'd')
