#!/usr/bin/env bash
# The tests in tests/pg_regress, by PostgreSQL's pg_regress. The same as `cargo pgrx regress`, which cannot start its
# server when called by root. Arguments: names of tests to run instead of all.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

input=$PWD/tests/pg_regress
output=$PWD/target/pg_regress/$PG
dir=/tmp/pg_tviews-regress-$PG-$(id -u)
pg_regress=$(dirname "$("$(pg_config)" --pgxs)")/../test/regress/pg_regress

scripts/install.sh
trap 'cluster_remove "$dir"' EXIT
# Small tables are filled at creation, however slow the machine is: the tests show rows directly after it.
cluster_start "$dir" client_min_messages=warning fsync=off max_prepared_transactions=10 pg_tviews.fill_limit=60s
"$(psql_program)" -X -q -h "$dir" -U postgres -d postgres -c 'CREATE DATABASE pg_tviews_regress'

mkdir -p "$output"
# pg_regress calls psql through this: error reports without positions and details, as cargo pgrx regress does.
printf '#!/bin/sh\nexec "$@" -v VERBOSITY=terse\n' >"$output/psql-terse"
chmod +x "$output/psql-terse"

tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
    for file in "$input"/sql/*.sql; do
        name=$(basename "$file" .sql)
        case $name in
            setup) ;;
            # Of something that older servers do not have.
            since_*) [ "$(cut -d _ -f 2 <<<"$name")" -gt "$PG" ] || tests+=("$name") ;;
            *) tests+=("$name") ;;
        esac
    done
fi
if [ -f "$input/sql/setup.sql" ]; then
    tests=(setup "${tests[@]}")
fi

if ! "$pg_regress" --bindir="$(pg_bin)" --host="$dir" --user=postgres --use-existing --dbname=pg_tviews_regress \
    --launcher="$output/psql-terse" --inputdir="$input" --outputdir="$output" "${tests[@]}"; then
    cat "$output/regression.diffs" || true
    exit 1
fi
