#!/usr/bin/env bash
# Ends the demo cluster and removes its folder.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=${DEMO_DIR:-/tmp/pg_tviews-demo}
if as_server test -e "$dir"; then
    cluster_remove "$dir"
    say "the demo cluster is gone"
else
    say "there is no demo cluster"
fi
