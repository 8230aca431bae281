#!/usr/bin/env bash
# Unit tests, and the #[pg_test] functions inside a server of their own.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The server must be able to create its folder, and the path of its socket has room for about 100 bytes.
pgdata=/tmp/pg_tviews-unit-$PG-$(id -u)
trap 'as_server rm -rf "$pgdata"' EXIT

remove_library
cargo pgrx test "pg$PG" --runas "$(server_user)" --pgdata "$pgdata"
