#!/usr/bin/env bash
# Runs cargo for the server's version: scripts/cargo.sh COMMAND ARGUMENTS.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

exec cargo "$1" --no-default-features --features "pg$PG" "${@:2}"
