#!/usr/bin/env bash
# Checks the definitions of TVIEWs, for continuous integration. See --help.
set -euo pipefail

usage() {
    cat <<'END'
Usage: lint_tviews.sh -d DB [-s SCHEMA] [--format FORMAT] [--fail-on SEVERITY] [-h HOST] [-p PORT] [-U USER]

Shows what in the definitions of TVIEWs will be slow, late, or not followed. Changes nothing.

  -d, --dbname DB      database
  -s, --schema SCHEMA  schema of the tv_* tables (default: all schemas)
      --format FORMAT  text (default), json, or github: annotations of a workflow
      --fail-on SEVERITY  the least severity that counts: error, warning (default), info
  -h, --host HOST      server host or socket folder
  -p, --port PORT      server port
  -U, --username USER  database user
      --help           show this text

Exit status: 0 nothing that counts was found, 1 something was, 2 wrong arguments, 3 the check could not be made.
END
}

misuse() {
    printf 'lint_tviews.sh: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

db='' schema='' format=text fail_on=warning connection=()
while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
        --help) usage && exit 0 ;;
        --dbname=?* | --schema=?* | --format=?* | --fail-on=?* | --host=?* | --port=?* | --username=?*)
            value=${option#*=}
            option=${option%%=*}
            ;;
        -d | --dbname | -s | --schema | --format | --fail-on | -h | --host | -p | --port | -U | --username)
            if [ -z "${1:-}" ]; then misuse "$option needs a value"; fi
            value=$1
            shift
            ;;
        *) misuse "unknown option: $option" ;;
    esac
    case $option in
        -d | --dbname) db=$value ;;
        -s | --schema) schema=$value ;;
        --format) format=$value ;;
        --fail-on) fail_on=$value ;;
        -h | --host) connection+=("--host=$value") ;;
        -p | --port) connection+=("--port=$value") ;;
        -U | --username) connection+=("--username=$value") ;;
    esac
done
[ -n "$db" ] || misuse 'which database? (-d DB)'
case $format in text | json | github) ;; *) misuse "unknown format: $format" ;; esac
case $fail_on in error | warning | info) ;; *) misuse "unknown severity: $fail_on" ;; esac

# Names reach SQL as psql variables, quoted by psql: :'x' is a literal, :"x" an identifier.
# The last line is the number of findings that count.
if ! output=$(psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --set=SHOW_CONTEXT=never \
    --set=schema="$schema" --set=format="$format" --set=fail_on="$fail_on" \
    "${connection[@]}" --dbname="$db" --file=- <<'SQL'
-- Nothing but PostgreSQL's own functions and operators, whatever schemas of this database are called.
SET search_path = pg_catalog, pg_temp;
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_tviews') AS installed,
       :'format' = 'json' AS as_json, :'format' = 'github' AS as_github \gset
\if :installed
\else
    DO $$ BEGIN RAISE 'extension pg_tviews is not installed in this database' USING HINT = 'Run CREATE EXTENSION pg_tviews;'; END $$;
\endif
SELECT n.nspname AS extension_schema
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_tviews' \gset

SELECT coalesce(jsonb_agg(jsonb_build_object(
           'tview', l.tview_oid::text, 'rule', l.rule, 'severity', l.severity, 'source', l.source::text,
           'message', l.message, 'hint', l.hint)), '[]') AS found
FROM :"extension_schema".pg_tviews_lint(nullif(:'schema', '')::name) AS l \gset

\if :as_json
    SELECT jsonb_pretty(:'found');
\elif :as_github
    -- A line break and a percent sign would end the annotation or be read as an escape.
    SELECT format('::%s title=%s %s::%s', CASE f.severity WHEN 'info' THEN 'notice' ELSE f.severity END, f.rule,
                  replace(replace(replace(f.tview, '%', '%25'), ':', '%3A'), ',', '%2C'),
                  replace(replace(replace(concat_ws(E'\n', f.message, f.hint), '%', '%25'), E'\r', '%0D'), E'\n', '%0A'))
    FROM jsonb_to_recordset(:'found') AS f(tview text, rule text, severity text, source text, message text, hint text);
\else
    SELECT concat_ws(E'\n', format('%s: %s: %s (%s)', f.tview, f.severity, f.message, f.rule), '    ' || f.hint)
    FROM jsonb_to_recordset(:'found') AS f(tview text, rule text, severity text, source text, message text, hint text);
\endif
SELECT count(*)
FROM jsonb_to_recordset(:'found') AS f(severity text)
WHERE f.severity = 'error' OR f.severity = 'warning' AND :'fail_on' <> 'error' OR :'fail_on' = 'info';
SQL
); then
    exit 3
fi
count=${output##*$'\n'}
if [ "$output" != "$count" ]; then
    printf '%s\n' "${output%$'\n'*}"
fi
[ "$count" -eq 0 ]
