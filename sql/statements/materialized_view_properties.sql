-- Statements that give a table (parameter 2) what was added to a materialized view (parameter 1): tablespace, storage
-- parameters, properties of columns, indexes, comments and the right to read. An index on the key (parameter 3) alone is
-- left out: the table has it as its primary key.
WITH made (place, number, statement) AS (
    SELECT 1, 0, format('ALTER TABLE %s SET TABLESPACE %I', $2, t.spcname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
     WHERE c.oid = $1
    UNION ALL
    SELECT 2, 0, format('ALTER TABLE %s SET (%s)', $2, string_agg(format('%s%I = %L', o.prefix, o.name, o.value), ', '))
      FROM (SELECT '', option_name, option_value FROM pg_catalog.pg_class c, pg_options_to_table(c.reloptions)
             WHERE c.oid = $1
            UNION ALL
            SELECT 'toast.', option_name, option_value
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid,
                   pg_options_to_table(t.reloptions)
             WHERE c.oid = $1) AS o(prefix, name, value)
    HAVING count(*) > 0
    UNION ALL
    SELECT 3, a.attnum, format('ALTER TABLE %s ALTER COLUMN %I %s', $2, a.attname, change)
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     CROSS JOIN LATERAL (VALUES
           (CASE WHEN a.attstattarget >= 0 THEN format('SET STATISTICS %s', a.attstattarget) END),
           (CASE WHEN a.attstorage <> t.typstorage
                 THEN 'SET STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                                                          WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
           (CASE a.attcompression WHEN 'p' THEN 'SET COMPRESSION pglz' WHEN 'l' THEN 'SET COMPRESSION lz4' END),
           ((SELECT format('SET (%s)', string_agg(format('%I = %L', option_name, option_value), ', '))
               FROM pg_options_to_table(a.attoptions) HAVING count(*) > 0))) AS changes(change)
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND change IS NOT NULL
    UNION ALL
    SELECT 4, 0, format('CREATE %sINDEX ON %s%s', named.kind, $2, substr(definition, length(start) + 1))
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (SELECT CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, pg_get_indexdef(i.indexrelid))
           AS named(kind, definition)
     CROSS JOIN LATERAL format('CREATE %sINDEX %I ON %I.%I', named.kind, x.relname, n.nspname, c.relname) AS start
     WHERE i.indrelid = $1 AND i.indisvalid AND starts_with(definition, start)
           AND NOT (i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
                    AND 0 = ALL (i.indoption::int2[])
                    AND $3 = ARRAY(SELECT a.attname::text
                                     FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
                                     JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = k.attnum
                                    ORDER BY k.place))
    UNION ALL
    SELECT 5, d.objsubid,
           CASE WHEN d.objsubid = 0 THEN format('COMMENT ON TABLE %s IS %L', $2, d.description)
                ELSE format('COMMENT ON COLUMN %s.%I IS %L', $2, a.attname, d.description) END
      FROM pg_catalog.pg_description d
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
     WHERE d.classoid = 'pg_class'::regclass AND d.objoid = $1
    UNION ALL
    SELECT 6, granted.attnum,
           format('GRANT SELECT%s ON %s TO %s%s', granted.columns, $2,
                  CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END,
                  CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM (SELECT 0, '', c.relacl FROM pg_catalog.pg_class c WHERE c.oid = $1
            UNION ALL
            SELECT a.attnum, format(' (%I)', a.attname), a.attacl
              FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND NOT a.attisdropped)
           AS granted(attnum, columns, acl)
     CROSS JOIN aclexplode(granted.acl) AS r
     WHERE r.privilege_type = 'SELECT'
           AND r.grantee <> (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = $1)
)
SELECT statement FROM made ORDER BY place, number, statement
