#!/usr/bin/env bash
# A private cluster with the extension, an example, and tv rows that follow changes. Starts afresh each time.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=${DEMO_DIR:-/tmp/pg_tviews-demo}
connect=("$(psql_program)" -h "$dir" -U postgres)

scripts/install.sh --release
say "starting a private cluster in $dir"
cluster_start "$dir" "shared_preload_libraries='pg_tviews'"
"${connect[@]}" -X -q -d postgres -c 'CREATE DATABASE demo'

say "loading examples/blog.sql"
"${connect[@]}" -X -q -v ON_ERROR_STOP=1 -d demo -f examples/blog.sql
"${connect[@]}" -X -q -v ON_ERROR_STOP=1 -d demo -f examples/blog_changes.sql

cat <<END
The cluster keeps running. Try your own changes:

    ${connect[*]} demo

End it with: make demo-stop
END
