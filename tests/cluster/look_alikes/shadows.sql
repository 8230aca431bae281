-- The schema evil: for every function, aggregate and operator of pg_catalog one with the same arguments, which says in the server log that
-- it was called, and fails. With evil before pg_catalog in search_path each call by an unqualified name is a call of these.
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
SET check_function_bodies = off;
-- Names that cannot have one: no language takes what they take or return.
CREATE TABLE evil.unshadowed (name name, why text);
GRANT SELECT ON evil.unshadowed TO PUBLIC;

CREATE FUNCTION evil.code(called text) RETURNS text LANGUAGE sql AS $$
    SELECT format('BEGIN RAISE LOG %1$L; RAISE EXCEPTION %1$L; END', 'look-alike called: ' || replace(called, '%', '%%'))
$$;

-- "any" in a signature: what takes arguments of any type and mixes them.
CREATE FUNCTION evil.arguments(types oidvector, variadic_type oid) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(
               CASE WHEN a.place = cardinality(types::oid[]) AND variadic_type <> 0 THEN 'VARIADIC ' ELSE '' END
               || CASE WHEN a.type <> '"any"'::regtype THEN a.type::regtype::text
                       WHEN a.place = cardinality(types::oid[]) AND variadic_type <> 0 THEN 'anycompatiblearray'
                       ELSE 'anycompatible' END ORDER BY a.place), '{}')
      FROM unnest(types::oid[]) WITH ORDINALITY a (type, place)
$$;

DO $plant$
DECLARE
    f record;
    arguments text[];
    signature text;
BEGIN
    FOR f IN SELECT p.*, coalesce(a.aggkind, 'n') AS aggkind, coalesce(a.aggnumdirectargs, 0) AS direct
               FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
              WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a', 'w')
                -- What types and indexes are made of, and is called by its number.
                AND NOT '{internal,cstring}'::regtype[]::oid[] && p.proargtypes::oid[] LOOP
        arguments := evil.arguments(f.proargtypes, f.provariadic);
        signature := format('%I(%s)', f.proname, array_to_string(arguments, ', '));
        BEGIN
            IF f.prokind = 'a' THEN
                EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', 'aggregate ' || f.oid,
                               array_to_string(ARRAY['text'] || arguments[f.direct + 1:], ', '), evil.code(signature));
                EXECUTE format('CREATE AGGREGATE evil.%I(%s%s) (sfunc = evil.%I, stype = text)', f.proname,
                               array_to_string(CASE WHEN f.aggkind = 'n' THEN NULL ELSE arguments[:f.direct] END, ', '),
                               CASE WHEN f.aggkind <> 'n' THEN ' ORDER BY ' || array_to_string(arguments[f.direct + 1:], ', ')
                                    WHEN arguments = '{}' THEN '*' ELSE array_to_string(arguments, ', ') END,
                               'aggregate ' || f.oid);
            ELSE
                EXECUTE format('CREATE FUNCTION evil.%s RETURNS %s%s LANGUAGE plpgsql AS %L', signature,
                               CASE WHEN f.proretset THEN 'SETOF ' ELSE '' END, f.prorettype::regtype, evil.code(signature));
            END IF;
        EXCEPTION WHEN OTHERS THEN
            INSERT INTO evil.unshadowed VALUES (f.proname, SQLERRM);
        END;
    END LOOP;
    FOR f IN SELECT o.* FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprcode <> 0 LOOP
        signature := format('%s(%s, %s)', f.oprname, f.oprleft::regtype, f.oprright::regtype);
        BEGIN
            EXECUTE format('CREATE FUNCTION evil.%I(%s%s) RETURNS %s LANGUAGE plpgsql AS %L', 'operator ' || f.oid,
                           CASE WHEN f.oprleft <> 0 THEN f.oprleft::regtype || ', ' ELSE '' END, f.oprright::regtype,
                           f.oprresult::regtype, evil.code(signature));
            EXECUTE format('CREATE OPERATOR evil.%s (%srightarg = %s, function = evil.%I)', f.oprname,
                           CASE WHEN f.oprleft <> 0 THEN format('leftarg = %s, ', f.oprleft::regtype) ELSE '' END,
                           f.oprright::regtype, 'operator ' || f.oid);
        EXCEPTION WHEN OTHERS THEN
            INSERT INTO evil.unshadowed VALUES (f.oprname, SQLERRM);
        END;
    END LOOP;
END
$plant$;

-- Types and relations by the same names, too.
CREATE FUNCTION evil.used(name text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN RAISE LOG 'look-alike used: %', name; RAISE EXCEPTION 'look-alike used: %', name; END
$$;
DO $plant$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT typname FROM pg_type
              WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r') AND typcategory <> 'A' LOOP
        EXECUTE format('CREATE DOMAIN evil.%1$I AS pg_catalog.%1$I CHECK (evil.used(%1$L))', t.typname);
    END LOOP;
    -- A view cannot have columns that hold values of any type.
    FOR t IN SELECT c.relname, string_agg(CASE WHEN a.atttypid::regtype::text IN ('anyarray', 'pg_statistic[]') THEN 'NULL AS ' ELSE '' END
                                          || quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
              WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v') GROUP BY c.relname LOOP
        EXECUTE format('CREATE VIEW evil.%1$I AS SELECT %2$s FROM pg_catalog.%1$I WHERE evil.used(%1$L)', t.relname, t.columns);
    END LOOP;
END
$plant$;
