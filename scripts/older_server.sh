#!/usr/bin/env bash
# Prints the pg_config of a server of version 15 that has the extension, which the test of pg_upgrade starts from; nothing, and why, if
# there is none. It is fetched, not one of the system: pg_upgrade refuses data of a later minor release than its own.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "$PG" -le 15 ]; then
    exit
fi
# Its objects have to be those of this tree, which an installation of the same version may not have yet.
script=$(printf '%s\n' sql/pg_tviews--*--"$(package_version)".sql | tail -n 1)
if ! { installed=$(find_server 15) && cmp -s "$script" "$("$installed" --sharedir)/extension/$(basename "$script")"; }; then
    say "pg_tviews of this tree is not installed in a PostgreSQL 15: run PG=15 make install for the test of pg_upgrade" >&2
    exit
fi
PG=15 scripts/server.sh --fetch >&2
server=$CACHE/postgresql-15/bin/pg_config
if [ "$server" != "$installed" ]; then
    rm -f "$("$server" --pkglibdir)/pg_tviews.so"
    cp "$("$installed" --pkglibdir)/pg_tviews.so" "$("$server" --pkglibdir)/"
    cp "$("$installed" --sharedir)"/extension/pg_tviews* "$("$server" --sharedir)/extension/"
fi
echo "$server"
