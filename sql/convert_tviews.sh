#!/usr/bin/env bash
# Turns the tv_* tables and the materialized views of a schema into TVIEWs, or shows what would be done. See --help.
set -euo pipefail

usage() {
    cat <<'END'
Usage: convert_tviews.sh -d DB [-s SCHEMA] [--plan] [-h HOST] [-p PORT] [-U USER]

Turns the tv_* tables and the materialized views of a schema into TVIEWs. Running it again is harmless.

  -d, --dbname DB      database
  -s, --schema SCHEMA  schema of the tv_* tables (default: public)
      --plan           show what would be done, change nothing
  -h, --host HOST      server host or socket folder
  -p, --port PORT      server port
  -U, --username USER  database user
      --help           show this text

Exit status: 0 everything is converted (or was before), 1 an error, 2 wrong arguments.
END
}

misuse() {
    printf 'convert_tviews.sh: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

db='' schema=public mode=convert connection=()
while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
        --help) usage && exit 0 ;;
        --plan) mode=plan && continue ;;
        -d | --dbname | -s | --schema | -h | --host | -p | --port | -U | --username)
            if [ -z "${1:-}" ]; then misuse "$option needs a value"; fi
            value=$1
            shift
            ;;
        --dbname=?* | --schema=?* | --host=?* | --port=?* | --username=?*)
            value=${option#*=}
            option=${option%%=*}
            ;;
        *) misuse "unknown option: $option" ;;
    esac
    case $option in
        -d | --dbname) db=$value ;;
        -s | --schema) schema=$value ;;
        -h | --host) connection+=("--host=$value") ;;
        -p | --port) connection+=("--port=$value") ;;
        -U | --username) connection+=("--username=$value") ;;
    esac
done
[ -n "$db" ] || misuse 'which database? (-d DB)'

# Names reach SQL as psql variables, quoted by psql: :'x' is a literal, :"x" an identifier.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=SHOW_CONTEXT=never --set=schema="$schema" --set=mode="$mode" \
    "${connection[@]}" --dbname="$db" --file=- <<'SQL' || exit 1
-- Nothing but PostgreSQL's own functions and operators, whatever schemas of this database are called.
SET search_path = pg_catalog, pg_temp;
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_tviews') AS installed,
       EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema') AS schema_exists,
       :'mode' = 'plan' AS plan_only \gset
\if :installed
\else
    DO $$ BEGIN RAISE 'extension pg_tviews is not installed in this database' USING HINT = 'Run CREATE EXTENSION pg_tviews;'; END $$;
\endif
\if :schema_exists
\else
    \warn schema :schema does not exist
    DO $$ BEGIN RAISE 'nothing was converted'; END $$;
\endif

SELECT n.nspname AS extension_schema
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_tviews' \gset

\if :plan_only
    SELECT entity, action, base_table, backing_view, array_to_string(key_columns, ', ') AS key, reason
    FROM :"extension_schema".pg_tviews_auto_convert_plan(:'schema')
    ORDER BY entity;
\else
    SELECT coalesce(jsonb_agg(r), '[]') AS result,
           coalesce(bool_or(r.status = 'ERROR'), false) AS failed,
           count(*) = 0 AS nothing_found
    FROM :"extension_schema".pg_tviews_auto_convert(:'schema') AS r \gset
    SELECT entity, status, message
    FROM jsonb_to_recordset(:'result') AS r(entity text, status text, message text)
    ORDER BY entity;
    \if :nothing_found
        \echo no tv_* table and no materialized view in schema :schema
    \endif
    \if :failed
        DO $$ BEGIN RAISE 'some tables were not converted'; END $$;
    \endif
\endif
SQL
