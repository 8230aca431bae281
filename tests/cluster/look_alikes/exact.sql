-- In public, for every operator and every function of one or two arguments of pg_catalog: the same for all pairs of common types that
-- PostgreSQL has none for, and would convert. All fail when called.
CREATE FUNCTION called() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'look-alike called'; END$$;
CREATE TABLE common AS
    SELECT oid::regtype AS type
      FROM unnest('{int4,int8,float8,numeric,text,name,oid,regclass,bool,jsonb,timestamptz,interval,xid8,pg_snapshot}'::regtype[]) t (oid);
DO $plant$
DECLARE
    f record;
BEGIN
    SET LOCAL check_function_bodies = off;
    -- Not to be taken in itself.
    SET LOCAL search_path = pg_catalog;
    FOR f IN SELECT n.oprname AS name, l.type AS l, r.type AS r
               FROM (SELECT DISTINCT oprname FROM pg_operator WHERE oprkind = 'b'
                        AND oprname IN ('=', '<>', '<', '<=', '>', '>=', '+', '-', '*', '/', '||', '->', '->>', '~', '~~', '&&', '@>')) n,
                    public.common l, public.common r
              WHERE NOT EXISTS (SELECT FROM pg_operator o
                                 WHERE o.oprname = n.oprname AND o.oprleft = l.type::oid AND o.oprright = r.type::oid) LOOP
        EXECUTE format('CREATE FUNCTION public.%I(%s, %s) RETURNS boolean LANGUAGE sql AS $$SELECT public.called()$$', 'operator ' || f.name, f.l, f.r);
        EXECUTE format('CREATE OPERATOR public.%s (leftarg = %s, rightarg = %s, function = public.%I)', f.name, f.l, f.r, 'operator ' || f.name);
    END LOOP;
    -- Arrays instead of any array, and all other functions of one argument of any type.
    FOR f IN SELECT DISTINCT p.proname AS name, p.proretset, CASE WHEN p.proargtypes[0] = 'anyarray'::regtype THEN c.type || '[]' ELSE c.type::text END AS type
               FROM pg_proc p, public.common c
              WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.pronargs = 1
                AND p.proname IN ('unnest', 'cardinality', 'array_ndims', 'jsonb_array_length', 'md5', 'upper', 'lower', 'length', 'abs', 'to_json',
                                  'to_jsonb', 'pg_snapshot_xmax', 'pg_snapshot_xip', 'current_setting', 'to_regclass', 'quote_ident')
                AND NOT EXISTS (SELECT FROM pg_proc o WHERE o.proname = p.proname AND o.proargtypes::oid[] = ARRAY[c.type::oid]) LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION public.%I(%s) RETURNS %s LANGUAGE sql AS $$SELECT public.called()$$', f.name, f.type,
                       CASE WHEN f.proretset THEN 'SETOF boolean' ELSE 'boolean' END);
    END LOOP;
    -- An aggregate for each.
    FOR f IN SELECT DISTINCT p.proname AS name, c.type
               FROM pg_proc p, public.common c
              WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'a' AND p.pronargs = 1
                AND p.proname IN ('array_agg', 'count', 'sum', 'min', 'max', 'bool_or', 'bool_and', 'jsonb_agg', 'avg')
                AND NOT EXISTS (SELECT FROM pg_proc o WHERE o.proname = p.proname AND o.proargtypes::oid[] = ARRAY[c.type::oid]) LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION public.step(boolean, %s) RETURNS boolean LANGUAGE sql AS $$SELECT public.called()$$', f.type);
        EXECUTE format('CREATE AGGREGATE public.%I(%s) (sfunc = public.step, stype = boolean)', f.name, f.type);
    END LOOP;
END
$plant$;
DROP TABLE public.common;
