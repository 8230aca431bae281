-- Code behind a TVIEW that is not bound when the code is defined. Such code looks up names while it runs, or
-- asks the session for a value. Parameters: 1 the backing view, 2 the tv table. Returns the relations,
-- domains and functions that were searched, and the first finding.
WITH RECURSIVE reached (class, object) AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid, unnest(ARRAY[$1, $2])
 UNION
    SELECT step.class, step.object
      FROM reached r
     CROSS JOIN LATERAL (
           SELECT d.refclassid, d.refobjid FROM pg_depend d
            WHERE d.classid = r.class AND d.objid = r.object
              AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_class'::regclass,
                                   'pg_opclass'::regclass)
       UNION ALL
           -- For a relation: the queries of views, policies, expressions of indexes and statistics that the
           -- planner reads, partitions.
           SELECT part.class, part.object
             FROM (SELECT 'pg_rewrite'::regclass::oid, w.oid FROM pg_rewrite w WHERE w.ev_class = r.object
              UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p WHERE p.polrelid = r.object
              UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i WHERE i.indrelid = r.object
              UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s WHERE s.stxrelid = r.object
              UNION ALL SELECT 'pg_class'::regclass, c.inhrelid FROM pg_inherits c WHERE c.inhparent = r.object
                  ) AS part (class, object)
            WHERE r.class = 'pg_class'::regclass
       UNION ALL
           -- For the table that is written, also constraints, triggers, defaults and generated columns.
           SELECT part.class, part.object
             FROM (SELECT 'pg_constraint'::regclass::oid, c.oid FROM pg_constraint c WHERE c.conrelid = $2
              UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t WHERE t.tgrelid = $2
              UNION ALL SELECT 'pg_attrdef'::regclass, a.oid FROM pg_attrdef a WHERE a.adrelid = $2
                  ) AS part (class, object)
            WHERE r.class = 'pg_class'::regclass AND r.object = $2
       UNION ALL
           -- A composite type has its columns in a relation that depends on the type.
           SELECT 'pg_class'::regclass, y.typrelid FROM pg_type y
            WHERE r.class = 'pg_type'::regclass AND y.oid = r.object AND y.typrelid <> 0
       UNION ALL
           SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c
            WHERE r.class = 'pg_type'::regclass AND c.contypid = r.object AND c.conrelid = 0
           ) AS step (class, object)
), trees (class, object, tree) AS (
    SELECT r.class, r.object, tree
      FROM reached r
     CROSS JOIN LATERAL (
           SELECT w.ev_action::text FROM pg_rewrite w WHERE r.class = 'pg_rewrite'::regclass AND w.oid = r.object
 UNION ALL SELECT p.prosqlbody::text FROM pg_proc p WHERE r.class = 'pg_proc'::regclass AND p.oid = r.object
 UNION ALL SELECT concat(p.polqual, p.polwithcheck) FROM pg_policy p WHERE r.class = 'pg_policy'::regclass AND p.oid = r.object
 UNION ALL SELECT concat(i.indexprs, i.indpred) FROM pg_index i WHERE r.class = 'pg_class'::regclass AND i.indexrelid = r.object
 UNION ALL SELECT p.partexprs::text FROM pg_partitioned_table p WHERE r.class = 'pg_class'::regclass AND p.partrelid = r.object
 UNION ALL SELECT s.stxexprs::text FROM pg_statistic_ext s WHERE r.class = 'pg_statistic_ext'::regclass AND s.oid = r.object
 UNION ALL SELECT c.conbin::text FROM pg_constraint c WHERE r.class = 'pg_constraint'::regclass AND c.oid = r.object
 UNION ALL SELECT t.tgqual::text FROM pg_trigger t WHERE r.class = 'pg_trigger'::regclass AND t.oid = r.object
 UNION ALL SELECT a.adbin::text FROM pg_attrdef a WHERE r.class = 'pg_attrdef'::regclass AND a.oid = r.object
 UNION ALL SELECT y.typdefaultbin::text FROM pg_type y WHERE r.class = 'pg_type'::regclass AND y.oid = r.object
           ) AS node (tree)
     WHERE tree <> ''
), families (family) AS (
    -- Operator families that indexes, ranges and partitions compare with. Also those of sorting and grouping,
    -- found by their operator.
    SELECT c.opcfamily FROM reached r JOIN pg_opclass c ON c.oid = r.object WHERE r.class = 'pg_opclass'::regclass
 UNION
    SELECT a.amopfamily FROM trees, regexp_matches(tree, ':(?:sortop|eqop|opno) (\d+)', 'g') AS found
      JOIN pg_amop a ON a.amopopr = found[1]::oid JOIN pg_am m ON m.oid = a.amopmethod
     WHERE m.amname IN ('btree', 'hash')
), called (function) AS (
    SELECT r.object FROM reached r WHERE r.class = 'pg_proc'::regclass
 UNION
    SELECT s.amproc FROM families JOIN pg_amproc s ON s.amprocfamily = family
 UNION
    SELECT o.oprcode FROM families JOIN pg_amop a ON a.amopfamily = family JOIN pg_operator o ON o.oid = a.amopopr
 UNION
    SELECT o.oprcode FROM reached r JOIN pg_operator o ON o.oid = r.object WHERE r.class = 'pg_operator'::regclass
 UNION
    -- Dependencies on functions of PostgreSQL itself are not recorded.
    SELECT found[1]::oid FROM trees, regexp_matches(tree, ':(?:funcid|aggfnoid|winfnoid) (\d+)', 'g') AS found
 UNION
    SELECT t.tgfoid FROM pg_trigger t WHERE t.tgrelid = $2
 UNION
    -- Looked up by the type of a value: casts to json, and how values are compared.
    SELECT c.castfunc FROM reached r JOIN pg_cast c ON c.castsource = r.object WHERE r.class = 'pg_type'::regclass AND c.castfunc <> 0
 UNION
    SELECT s.amproc FROM reached r JOIN pg_amproc s ON r.object IN (s.amproclefttype, s.amprocrighttype) WHERE r.class = 'pg_type'::regclass
 UNION
    SELECT o.oprcode FROM reached r JOIN pg_amop s ON r.object IN (s.amoplefttype, s.amoprighttype) JOIN pg_operator o ON o.oid = s.amopopr
     WHERE r.class = 'pg_type'::regclass
), aggregates (function) AS (
    SELECT function FROM called
 UNION
    SELECT part FROM called JOIN pg_aggregate a ON a.aggfnoid = called.function
     CROSS JOIN unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
                             a.aggmfinalfn]::oid[]) AS part
), found (place, what) AS (
    SELECT 2, format('the function %s is written in %s', p.oid::regprocedure,
                  CASE l.lanname WHEN 'sql' THEN 'SQL as a string' ELSE l.lanname END)
      FROM aggregates JOIN pg_proc p ON p.oid = function JOIN pg_language l ON l.oid = p.prolang
     WHERE CASE l.lanname
               -- Aggregates are internal, too. Their functions are checked instead.
               WHEN 'internal' THEN false
               WHEN 'c' THEN false
               WHEN 'sql' THEN p.prosqlbody IS NULL
               ELSE true
           END
 UNION ALL
    SELECT 1, format('the function %s looks up names, or asks the session, while it runs', p.oid::regprocedure)
      FROM aggregates JOIN pg_proc p ON p.oid = function JOIN pg_language l ON l.oid = p.prolang
     WHERE l.lanname IN ('internal', 'c') AND p.prokind <> 'a' AND p.provolatile <> 'i'
       -- Only PostgreSQL itself or aggregates call these functions.
       AND NOT 'pg_catalog.internal'::regtype = ANY (p.proargtypes)
       AND CASE
               WHEN p.prorettype = 'pg_catalog.trigger'::regtype
                   THEN NOT (p.proname IN ('RI_FKey_check_ins', 'RI_FKey_check_upd', 'RI_FKey_noaction_del', 'RI_FKey_noaction_upd',
                                           'RI_FKey_restrict_del', 'RI_FKey_restrict_upd', 'unique_key_recheck',
                                           'suppress_redundant_updates_trigger') AND p.oid < 16384
                             OR EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                                         WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                                           AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'pg_tviews'))
               WHEN p.oid >= 16384 THEN true
               WHEN p.provolatile = 'v' THEN p.proname NOT IN ('clock_timestamp', 'timeofday', 'gen_random_uuid', 'nextval')
               ELSE p.proname ~ '^(query|cursor|table|schema|database)_to_xml|^pg_stat_get_|^txid_|^pg_current_|^inet_(client|server)_'
                 OR p.proname IN ('current_setting', 'session_user', 'system_user', 'currval', 'lastval', 'pg_backend_pid', 'pg_my_temp_schema',
                                  'pg_is_other_temp_schema', 'pg_trigger_depth', 'pg_listening_channels', 'pg_prepared_statement',
                                  'pg_cursor', 'pg_show_all_settings', 'pg_client_encoding', 'pg_lock_status', 'ts_stat',
                                  'pg_input_is_valid', 'pg_input_error_info')
                 OR p.proname = 'ts_rewrite' AND p.proargtypes[1] = 'pg_catalog.text'::regtype
           END
 UNION ALL
    SELECT 3, format('%s writes', pg_describe_object(class, object, 0)) FROM trees WHERE tree ~ ':commandType [^1]'
 UNION ALL
    SELECT 4, 'SESSION_USER is asked for' FROM trees WHERE tree ~ '\{SQLVALUEFUNCTION :op 12 '
 UNION ALL
    SELECT 5, format('%s is a foreign table', c.oid::regclass) FROM reached r JOIN pg_class c ON c.oid = r.object
     WHERE r.class = 'pg_class'::regclass AND c.relkind = 'f'
)
SELECT array(SELECT object FROM reached WHERE class = 'pg_class'::regclass),
       array(SELECT t.oid FROM reached JOIN pg_type t ON t.oid = object WHERE class = 'pg_type'::regclass AND t.typtype = 'd'),
       array(SELECT object FROM reached WHERE class = 'pg_proc'::regclass),
       (SELECT what FROM found ORDER BY place, what LIMIT 1)
