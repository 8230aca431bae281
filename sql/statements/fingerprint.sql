-- What the rows of a TVIEW depend on, besides the rows of its sources.
-- Parameters:
-- - 1: its views
-- - 2: the tables that the views read, and the tables below them
-- - 3: the tv table
-- - 4: the views as stored
-- - 5: what the TVIEW takes from the views
-- - 6: how the TVIEW is followed
-- - 7: how many enum labels were known when it was registered
-- - 8: the text search configuration that its rows are computed with
-- Returns five columns:
-- - a checksum of everything that can change a row
-- - a checksum of the enum labels known at registration
-- - a checksum of all enum labels
-- - the number of all enum labels
-- - a checksum of how the TVIEW is followed
-- References are OIDs, so renaming a referenced object changes nothing. A name is included where a value
-- shows that name. Examples are attributes of composite types and labels of enums. All names are included if
-- a value of a type like regclass is shown.
WITH RECURSIVE parameter AS MATERIALIZED (
    SELECT $4 AS image, $4 ~ '(?<!const)type (24|2202|2203|2204|2205|2206|3734|3769|4089|4096|4191)\M' AS shows_names
), default_configuration AS MATERIALIZED (
    -- Found as in refreshes, whose search_path is pg_catalog.
    SELECT c.oid
      FROM parse_ident($8) name(parts)
      JOIN pg_namespace n ON n.nspname = CASE cardinality(name.parts) WHEN 1 THEN 'pg_catalog' ELSE name.parts[1] END
      JOIN pg_ts_config c ON c.cfgnamespace = n.oid AND c.cfgname = name.parts[cardinality(name.parts)]
), read (oid) AS (
    -- Relations that the views name, without relations that are only below a named one.
    SELECT DISTINCT d.refobjid
      FROM pg_rewrite r
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
     WHERE r.ev_class = ANY ($1)
), tree AS (
    SELECT c.oid, c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.reloptions
      FROM pg_class c
     WHERE c.oid = ANY ($1 || $3) OR c.oid IN (SELECT read.oid FROM read)
), policy AS MATERIALIZED (
    -- Policies that hide rows.
    SELECT p.oid, p.polrelid, p.polcmd, p.polpermissive, p.polroles, regexp_replace(p.polqual::text, ' :location -?\d+', '', 'g') AS condition
      FROM tree t
      JOIN pg_policy p ON p.polrelid = t.oid
     WHERE t.relrowsecurity AND p.polcmd IN ('r', '*')
), follow (class, first) AS (
    -- Objects created by initdb do not change. The exception is what an administrator adapts to a language.
    VALUES ('pg_proc'::regclass::oid, 16384::oid), ('pg_operator'::regclass, 16384), ('pg_type'::regclass, 16384), ('pg_cast'::regclass, 16384),
           ('pg_language'::regclass, 16384), ('pg_transform'::regclass, 16384), ('pg_opclass'::regclass, 16384), ('pg_collation'::regclass, 1),
           ('pg_ts_config'::regclass, 1), ('pg_ts_dict'::regclass, 1), ('pg_ts_parser'::regclass, 1), ('pg_ts_template'::regclass, 1)
), reached (class, object) AS (
    SELECT seed.class, seed.object
      FROM (
            SELECT d.refclassid, d.refobjid
              FROM pg_rewrite r
              JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
             WHERE r.ev_class = ANY ($1)
            UNION ALL
            SELECT d.refclassid, d.refobjid
              FROM policy p
              JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
            UNION ALL
            -- The types of values. Dependencies on a type are not recorded for every value of that type.
            SELECT 'pg_type'::regclass::oid, t.oid
              FROM regexp_matches($4 || coalesce((SELECT string_agg(p.condition, ' ') FROM policy p), ''),
                                  '\m\d{5,9}\M|\m[1-4]\d{9}\M', 'g') number(digits)
              JOIN pg_type t ON t.oid = CASE WHEN number.digits[1]::int8 < 4294967296 THEN number.digits[1]::int8::oid END
            UNION ALL
            SELECT 'pg_type'::regclass::oid, a.atttypid
              FROM pg_attribute a
             WHERE a.attrelid = $3 AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT 'pg_ts_config'::regclass::oid, c.oid FROM default_configuration c
           ) seed (class, object)
      JOIN follow f ON f.class = seed.class AND seed.object >= f.first
    UNION
    SELECT next.class, next.object
      FROM reached
     CROSS JOIN LATERAL (
            SELECT d.refclassid, d.refobjid
              FROM pg_depend d
             WHERE d.classid = reached.class AND d.objid = reached.object
            UNION ALL
            SELECT 'pg_type'::regclass::oid, t.oid
              FROM pg_proc p
             CROSS JOIN LATERAL regexp_matches(concat(p.prosqlbody, p.proargdefaults), '\m\d{5,9}\M|\m[1-4]\d{9}\M', 'g') number(digits)
              JOIN pg_type t ON t.oid = CASE WHEN number.digits[1]::int8 < 4294967296 THEN number.digits[1]::int8::oid END
             WHERE reached.class = 'pg_proc'::regclass AND p.oid = reached.object
            UNION ALL
            SELECT 'pg_type'::regclass::oid, unnest(ARRAY[t.typelem, t.typbasetype])
              FROM pg_type t
             WHERE reached.class = 'pg_type'::regclass AND t.oid = reached.object
            UNION ALL
            SELECT 'pg_type'::regclass::oid, a.atttypid
              FROM pg_type t
              JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE reached.class = 'pg_type'::regclass AND t.oid = reached.object
            UNION ALL
            SELECT 'pg_type'::regclass::oid, unnest(ARRAY[g.rngtypid, g.rngsubtype])
              FROM pg_range g
             WHERE reached.class = 'pg_type'::regclass AND reached.object IN (g.rngtypid, g.rngmultitypid)
            UNION ALL
            SELECT d.refclassid, d.refobjid
              FROM pg_constraint c
              JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
             WHERE reached.class = 'pg_type'::regclass AND c.contypid = reached.object
            UNION ALL
            -- How a value is converted to JSON.
            SELECT 'pg_cast'::regclass::oid, c.oid
              FROM pg_cast c
             WHERE reached.class = 'pg_type'::regclass AND c.castsource = reached.object AND c.casttarget = 'json'::regtype
            UNION ALL
            -- How values are compared where no operator is named: in rows, arrays and ranges.
            SELECT 'pg_opclass'::regclass::oid, o.oid
              FROM pg_opclass o
             WHERE reached.class = 'pg_type'::regclass AND o.opcintype = reached.object
            UNION ALL
            SELECT 'pg_proc'::regclass::oid, s.amproc::oid
              FROM pg_opclass o
              JOIN pg_amproc s ON s.amprocfamily = o.opcfamily
             WHERE reached.class = 'pg_opclass'::regclass AND o.oid = reached.object
            UNION ALL
            SELECT 'pg_operator'::regclass::oid, s.amopopr
              FROM pg_opclass o
              JOIN pg_amop s ON s.amopfamily = o.opcfamily
             WHERE reached.class = 'pg_opclass'::regclass AND o.oid = reached.object
            UNION ALL
            SELECT 'pg_proc'::regclass::oid, o.oprcode::oid
              FROM pg_operator o
             WHERE reached.class = 'pg_operator'::regclass AND o.oid = reached.object
           ) next (class, object)
      JOIN follow f ON f.class = next.class AND next.object >= f.first
), object AS MATERIALIZED (
    SELECT class, object AS oid FROM reached
), row_security AS MATERIALIZED (
    SELECT coalesce(bool_or(t.relrowsecurity), false) AS is_on FROM tree t
), label AS MATERIALIZED (
    SELECT e.oid, e.enumtypid, e.enumlabel, e.enumsortorder, row_number() OVER (ORDER BY e.oid) AS place
      FROM object o
      JOIN pg_enum e ON e.enumtypid = o.oid
     WHERE o.class = 'pg_type'::regclass
), fact (text) AS (
    SELECT concat_ws(' ', 'function', p.oid, p.prolang, p.prokind, p.prosecdef, CASE WHEN p.prosecdef THEN p.proowner END, p.proisstrict,
                     p.proretset, p.provolatile, p.provariadic, p.pronargs, p.pronargdefaults, p.prorettype, p.proargtypes,
                     '-', p.proallargtypes, '-', p.proargmodes, '-', p.proargnames, '-', p.protrftypes, '-', p.proconfig, '-', p.prosupport::oid, '-',
                     p.prosrc, '-', p.probin, '-', regexp_replace(concat_ws(' - ', p.proargdefaults, p.prosqlbody), ' :(location|stmt_location|stmt_len) -?\d+', '', 'g'))
      FROM object o
      JOIN pg_proc p ON p.oid = o.oid
     WHERE o.class = 'pg_proc'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'aggregate', a.aggfnoid::oid, a.aggkind, a.aggnumdirectargs, a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid,
                     a.aggserialfn::oid, a.aggdeserialfn::oid, a.aggmtransfn::oid, a.aggminvtransfn::oid, a.aggmfinalfn::oid, a.aggfinalextra,
                     a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify, a.aggsortop, a.aggtranstype, a.aggmtranstype, '-',
                     a.agginitval, '-', a.aggminitval)
      FROM object o
      JOIN pg_aggregate a ON a.aggfnoid = o.oid
     WHERE o.class = 'pg_proc'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'operator', p.oid, p.oprcode::oid)
      FROM object o
      JOIN pg_operator p ON p.oid = o.oid
     WHERE o.class = 'pg_operator'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'type', t.oid, t.typtype, t.typnotnull, t.typelem, t.typbasetype, t.typtypmod, t.typndims, t.typcollation, t.typsubscript::oid,
                     t.typinput::oid, t.typoutput::oid, t.typmodin::oid, t.typmodout::oid)
      FROM object o
      JOIN pg_type t ON t.oid = o.oid
     WHERE o.class = 'pg_type'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'attributes', t.oid, string_agg(concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attcollation), ',' ORDER BY a.attnum))
      FROM object o
      JOIN pg_type t ON t.oid = o.oid
      JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE o.class = 'pg_type'::regclass
     GROUP BY t.oid
    UNION ALL
    SELECT concat_ws(' ', 'range', g.rngtypid, g.rngsubtype, g.rngmultitypid, g.rngcollation, g.rngsubopc, g.rngcanonical::oid, g.rngsubdiff::oid)
      FROM object o
      JOIN pg_range g ON g.rngtypid = o.oid
     WHERE o.class = 'pg_type'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'check', c.contypid, c.oid, regexp_replace(c.conbin::text, ' :location -?\d+', '', 'g'))
      FROM object o
      JOIN pg_constraint c ON c.contypid = o.oid
     WHERE o.class = 'pg_type'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'cast', c.castsource, c.casttarget, c.castfunc, c.castmethod)
      FROM object o
      JOIN pg_cast c ON c.oid = o.oid
     WHERE o.class = 'pg_cast'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'operator class', c.oid, c.opcmethod, c.opcfamily, c.opcintype, c.opckeytype, c.opcdefault)
      FROM object o
      JOIN pg_opclass c ON c.oid = o.oid
     WHERE o.class = 'pg_opclass'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'operator of family', s.amopfamily, s.amoplefttype, s.amoprighttype, s.amopstrategy, s.amoppurpose, s.amopopr, s.amopmethod,
                     s.amopsortfamily)
      FROM object o
      JOIN pg_opclass c ON c.oid = o.oid
      JOIN pg_amop s ON s.amopfamily = c.opcfamily
     WHERE o.class = 'pg_opclass'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'function of family', s.amprocfamily, s.amproclefttype, s.amprocrighttype, s.amprocnum, s.amproc::oid)
      FROM object o
      JOIN pg_opclass c ON c.oid = o.oid
      JOIN pg_amproc s ON s.amprocfamily = c.opcfamily
     WHERE o.class = 'pg_opclass'::regclass
    UNION ALL
    -- The column of the locale has another name from PostgreSQL 17 on, and rules of ICU are new in PostgreSQL 16.
    SELECT concat_ws(' ', 'collation', c.oid, c.collprovider, c.collisdeterministic, c.collencoding, c.collcollate, c.collctype,
                     coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'), c.collversion, to_jsonb(c) ->> 'collicurules')
      FROM object o
      JOIN pg_collation c ON c.oid = o.oid
     WHERE o.class = 'pg_collation'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'language', l.oid, l.lanplcallfoid)
      FROM object o
      JOIN pg_language l ON l.oid = o.oid
     WHERE o.class = 'pg_language'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'transform', t.trftype, t.trflang, t.trffromsql::oid, t.trftosql::oid)
      FROM object o
      JOIN pg_transform t ON t.oid = o.oid
     WHERE o.class = 'pg_transform'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'text search configuration', c.oid, c.cfgparser,
                     (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict), ',' ORDER BY m.maptokentype, m.mapseqno)
                        FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))
      FROM object o
      JOIN pg_ts_config c ON c.oid = o.oid
     WHERE o.class = 'pg_ts_config'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'text search dictionary', d.oid, d.dicttemplate, d.dictinitoption)
      FROM object o
      JOIN pg_ts_dict d ON d.oid = o.oid
     WHERE o.class = 'pg_ts_dict'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'text search parser', p.oid, p.prsstart::oid, p.prstoken::oid, p.prsend::oid, p.prsheadline::oid, p.prslextype::oid)
      FROM object o
      JOIN pg_ts_parser p ON p.oid = o.oid
     WHERE o.class = 'pg_ts_parser'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'text search template', t.oid, t.tmplinit::oid, t.tmpllexize::oid)
      FROM object o
      JOIN pg_ts_template t ON t.oid = o.oid
     WHERE o.class = 'pg_ts_template'::regclass
    UNION ALL
    -- Bytes are converted to text by the conversion that is the default.
    SELECT concat_ws(' ', 'conversion', c.oid, c.conforencoding, c.contoencoding, c.conproc::oid)
      FROM pg_conversion c
     WHERE c.oid >= 16384 AND c.condefault AND c.connamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', 'default text search configuration', c.oid) FROM default_configuration c
    UNION ALL
    SELECT concat_ws(' ', 'relation', t.oid, t.relkind)
      FROM tree t
     WHERE t.oid <> ALL ($1)
    UNION ALL
    -- Whose privileges rows are computed with, and which rows row-level security hides from which owner.
    SELECT concat_ws(' ', 'owner', t.relowner, a.rolname, a.rolsuper)
      FROM tree t
      JOIN pg_authid a ON a.oid = t.relowner
     WHERE t.oid = $3
    UNION ALL
    SELECT concat_ws(' ', 'rights', t.oid, t.relowner, a.rolsuper OR a.rolbypassrls, t.relrowsecurity, t.relforcerowsecurity)
      FROM row_security
     CROSS JOIN tree t
      JOIN pg_authid a ON a.oid = t.relowner
     -- Views are left out. A view created again by the same owner counts as the same view.
     WHERE row_security.is_on AND t.relkind <> 'v'
    UNION ALL
    SELECT concat_ws(' ', 'rights of views', string_agg(concat_ws(' ', a.oid, a.rolsuper OR a.rolbypassrls), ',' ORDER BY v.place))
      FROM row_security
     CROSS JOIN unnest($1) WITH ORDINALITY v(oid, place)
      JOIN tree t ON t.oid = v.oid
      JOIN pg_authid a ON a.oid = t.relowner
     WHERE row_security.is_on
    UNION ALL
    SELECT concat_ws(' ', 'security_invoker', v.place)
      FROM unnest($1) WITH ORDINALITY v(oid, place)
      JOIN tree t ON t.oid = v.oid
     CROSS JOIN LATERAL pg_options_to_table(t.reloptions) option
     WHERE option.option_name = 'security_invoker' AND option.option_value::bool
    UNION ALL
    SELECT concat_ws(' ', 'policy', p.oid, p.polrelid, p.polcmd, p.polpermissive, p.polroles, p.condition) FROM policy p
    UNION ALL
    SELECT DISTINCT concat_ws(' ', 'policy of role', p.oid, a.oid, role.oid, pg_has_role(a.oid, role.oid, 'USAGE'))
      FROM policy p
     CROSS JOIN unnest(p.polroles) role(oid)
     CROSS JOIN tree t
      JOIN pg_authid a ON a.oid = t.relowner
     WHERE role.oid <> 0
    UNION ALL
    -- Labels matter to functions that return the existing labels. Functions with a body given as text may ask
    -- for the labels, too. Otherwise a new label changes nothing.
    SELECT concat_ws(' ', 'labels', l.enumtypid, l.enumsortorder, l.enumlabel)
      FROM parameter p
      JOIN label l ON true
     WHERE p.image ~ '\m(3528|3529|3530|3531)\M'
        OR EXISTS (SELECT 1
                     FROM object o
                     JOIN pg_proc f ON f.oid = o.oid
                     JOIN pg_language g ON g.oid = f.prolang
                    WHERE o.class = 'pg_proc'::regclass
                      AND (f.prosqlbody::text ~ '\m(3528|3529|3530|3531)\M' OR f.prosqlbody IS NULL AND g.lanname NOT IN ('internal', 'c') AND f.prokind <> 'a'))
    UNION ALL
    SELECT concat_ws(' ', 'name', shown.class, shown.oid, shown.name)
      FROM parameter p
     CROSS JOIN LATERAL (
            SELECT 'pg_class'::regclass::oid, c.oid, format('%I.%I', n.nspname, c.relname)
              FROM pg_class c
              JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = ANY ($2)
            UNION ALL
            SELECT o.class, o.oid, (SELECT concat(i.type, ' ', i.identity) FROM pg_identify_object(o.class, o.oid, 0) i) FROM object o
           ) shown (class, oid, name)
     WHERE p.shows_names
)
SELECT encode(sha256(convert_to(concat_ws(E'\n', $4, $5, (SELECT string_agg(f.text, E'\n' ORDER BY f.text COLLATE "C") FROM fact f)),
                                getdatabaseencoding())), 'hex'),
       (SELECT encode(sha256(convert_to(coalesce(string_agg(concat_ws(' ', l.oid, l.enumtypid, l.enumlabel), E'\n' ORDER BY l.place), ''),
                                        getdatabaseencoding())), 'hex')
          FROM label l WHERE l.place <= $7),
       (SELECT encode(sha256(convert_to(coalesce(string_agg(concat_ws(' ', l.oid, l.enumtypid, l.enumlabel), E'\n' ORDER BY l.place), ''),
                                        getdatabaseencoding())), 'hex')
          FROM label l),
       (SELECT count(*) FROM label),
       encode(sha256(convert_to($6, getdatabaseencoding())), 'hex')
