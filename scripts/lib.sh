# shellcheck shell=bash
# What the scripts share. Source it first: it turns on strict mode and goes to the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# A fresh rustup is not in PATH before the next login.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

say() { printf '==> %s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: $*"
    fi
}

# PostgreSQL refuses to run as root: then its clusters belong to the user postgres.
server_user() {
    if [ "$(id -u)" -eq 0 ]; then echo postgres; else id -un; fi
}

# Runs a command as the owner of the clusters, from a folder that every user may enter.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && sudo -u postgres -- "$@")
    else
        (cd / && "$@")
    fi
}

pg_config() { cargo pgrx info pg-config pg15; }
pg_bin() { "$(pg_config)" --bindir; }

# Takes the installed library out of the folder. Copying over it would change it under running servers, which have
# it mapped; a removed file stays whole for them.
remove_library() {
    local library
    library="$("$(pg_config)" --pkglibdir)/pg_tviews.so"
    if [ ! -e "$library" ]; then
        return
    fi
    if [ -w "$(dirname "$library")" ]; then rm -f "$library"; else as_root rm -f "$library"; fi
}

# cluster_start DIR [setting=value ...]: a new cluster in DIR, reached only by the unix socket in DIR.
# Superuser postgres, no password: DIR is closed to other users.
cluster_start() {
    local dir=$1 bin setting
    shift
    bin=$(pg_bin)
    cluster_remove "$dir"
    as_server mkdir -m 700 "$dir"
    as_server touch "$dir/.pg_tviews"
    as_server "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    for setting in "listen_addresses=''" "unix_socket_directories='$dir'" "$@"; do
        printf '%s\n' "$setting"
    done | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
    if ! as_server "$bin/pg_ctl" start -w -D "$dir/data" -l "$dir/server.log" >/dev/null; then
        as_server tail -n 20 "$dir/server.log" >&2
        die "the cluster in $dir did not start"
    fi
}

# cluster_stop DIR: true if a server was running there.
cluster_stop() {
    local bin
    bin=$(pg_bin)
    if ! as_server test -d "$1/data" || ! as_server "$bin/pg_ctl" status -D "$1/data" >/dev/null; then
        return 1
    fi
    as_server "$bin/pg_ctl" stop -w -m fast -D "$1/data" >/dev/null
}

# cluster_remove DIR: stops and deletes; refuses what cluster_start did not make.
cluster_remove() {
    if ! as_server test -e "$1"; then
        return
    fi
    as_server test -f "$1/.pg_tviews" -a -O "$1" || die "$1 exists and is not a cluster made by these scripts"
    cluster_stop "$1" || true
    as_server rm -rf "$1"
}
