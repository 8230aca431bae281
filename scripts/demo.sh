#!/usr/bin/env bash
# A private cluster with the extension, an example, and tv rows that follow changes. Starts afresh each time.
#   EXAMPLE: a folder of examples (default: blog)   DEMO_SECONDS: how long the load runs (default: 5)
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=${DEMO_DIR:-/tmp/pg_tviews-demo}
example=${EXAMPLE:-blog}
seconds=${DEMO_SECONDS:-5}
folder=examples/$example
[ -f "$folder/tviews.sql" ] || die "there is no example '$example', only: $(cd examples && printf '%s\n' */tviews.sql | xargs -n 1 dirname | xargs)"
connect=("$(psql_program)" -h "$dir" -U postgres)

# Runs files or commands in the database of the example.
run() { "${connect[@]}" -X -q -v ON_ERROR_STOP=1 -d demo "$@"; }

# Clients that write, until they are done; once a second, how far behind the TVIEWs are.
load() {
    local pid
    "$(pg_bin)/pgbench" -h "$dir" -U postgres -n -c 4 -R 200 -T "$seconds" --max-tries=10 -f "$folder/load.sql" demo >/dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        run -f examples/status.sql
    done
    wait "$pid"
}

scripts/install.sh --release
say "starting a private cluster in $dir"
cluster_start "$dir" "shared_preload_libraries='pg_tviews'"
"${connect[@]}" -X -q -d postgres -c 'CREATE DATABASE demo'
run -c 'CREATE EXTENSION pg_tviews'

say "creating the tables of $folder"
run -f "$folder/schema.sql"
say "creating its TVIEWs"
run -f "$folder/tviews.sql" >/dev/null
run -c 'SELECT pg_tviews_wait()' >/dev/null
run -f "$folder/show.sql"
say "load: 200 transactions per second for $seconds seconds"
load
say "comparing tables and views"
run -f examples/check.sql

cat <<END
The cluster keeps running. Try your own changes:

    ${connect[*]} demo

$folder/README.md says what to look at. End the cluster with: make demo-stop
END
