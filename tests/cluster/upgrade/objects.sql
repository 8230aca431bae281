-- Everything about the objects of the extension that an update must leave as a new installation makes it: a line for each fact.
WITH member AS (
    SELECT d.classid, d.objid, d.objsubid
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_tviews'
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
), relation AS (
    SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
), fact (line) AS (
    SELECT concat_ws(' ', 'extension', e.extversion, e.extnamespace::regnamespace, e.extrelocatable, e.extcondition,
                     (SELECT array_agg(config.oid::regclass ORDER BY config.place) FROM unnest(e.extconfig) WITH ORDINALITY config(oid, place)))
      FROM pg_extension e WHERE e.extname = 'pg_tviews'
 UNION ALL
    SELECT concat_ws(' ', 'member', pg_describe_object(classid, objid, objsubid), '-', obj_description(objid, classid::regclass::name)) FROM member
 UNION ALL
    SELECT concat_ws(' ', 'initial privileges', pg_describe_object(i.classoid, i.objoid, i.objsubid), i.initprivs)
      FROM pg_init_privs i
      JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid
 UNION ALL
    SELECT concat_ws(' ', 'function', pg_get_functiondef(p.oid), p.proacl, p.proleakproof, p.procost, p.prorows, p.proparallel, p.prosupport, p.probin)
      FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
 UNION ALL
    SELECT concat_ws(' ', 'relation', c.oid::regclass, c.relkind, c.relpersistence, c.reloptions, c.relreplident, c.relrowsecurity,
                     c.relforcerowsecurity, c.relacl, pg_get_viewdef(c.oid))
      FROM relation c
 UNION ALL
    SELECT concat_ws(' ', 'column', c.oid::regclass, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
                     format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attstattarget,
                     a.attcollation::regcollation, a.attacl,
                     (SELECT array_agg(option) FROM unnest(a.attoptions) option WHERE option LIKE 'n\_distinct%'), pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
      FROM relation c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), i.indisprimary, i.indisreplident, i.indisvalid)
      FROM pg_index i JOIN relation c ON c.oid = i.indrelid
 UNION ALL
    SELECT concat_ws(' ', 'constraint', r.conrelid::regclass, r.conname, pg_get_constraintdef(r.oid), r.convalidated)
      FROM pg_constraint r JOIN relation c ON c.oid = r.conrelid
 UNION ALL
    SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled) FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid
 UNION ALL
    SELECT concat_ws(' ', 'rule', pg_get_ruledef(r.oid), r.ev_enabled) FROM pg_rewrite r JOIN relation c ON c.oid = r.ev_class
 UNION ALL
    SELECT concat_ws(' ', 'policy', p.polname, p.polrelid::regclass, p.polcmd, p.polpermissive, p.polroles,
                     pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
      FROM pg_policy p JOIN relation c ON c.oid = p.polrelid
 UNION ALL
    SELECT concat_ws(' ', 'event trigger', t.evtname, t.evtevent, t.evtenabled, t.evttags, t.evtfoid::regprocedure)
      FROM pg_event_trigger t JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid
 UNION ALL
    SELECT concat_ws(' ', 'sequence', s.seqrelid::regclass, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle)
      FROM pg_sequence s
      JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype IN ('a', 'i')
      JOIN relation c ON c.oid = d.refobjid
)
SELECT regexp_replace(line, '\s+', ' ', 'g') FROM fact ORDER BY 1
