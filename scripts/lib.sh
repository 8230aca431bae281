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

apt_install() {
    local package missing=()
    command -v apt-get >/dev/null || return 0 # not Debian: what is missing shows where it is needed
    for package in "$@"; do
        # The state field, because a removed package is still known to dpkg.
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
            installed) ;;
            *) missing+=("$package") ;;
        esac
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o APT::Status-Fd=1 "${missing[@]}" |
        apt_progress
}

# Shows how far apt-get is, from its status lines: pmstatus:PACKAGE:PERCENT:TEXT.
apt_progress() {
    local kind percent stage='' shown=''
    while IFS=: read -r kind _ percent _; do
        percent=${percent%%.*}
        case $kind in
            dlstatus) kind=fetching ;;
            pmstatus) kind=unpacking ;;
            *) continue ;;
        esac
        if [ "$kind ${percent%?}" != "$stage $shown" ]; then
            stage=$kind shown=${percent%?}
            printf '    %s: %s %%\n' "$stage" "$percent"
        fi
    done
}

# The version in Cargo.toml.
package_version() { sed -n '0,/^version = /s/^version = "\(.*\)"/\1/p' Cargo.toml; }

# The released versions: those whose installation scripts are kept.
releases() { printf '%s\n' sql/* | sed -nE 's/^sql\/pg_tviews--([0-9.]+)\.sql$/\1/p' | sort -V; }

# Whether an argument is a version.
check_version() { [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "a version is three numbers, such as 1.2.3: '$1'"; }

# last_release VERSION: the last release before a version; nothing for the first.
last_release() {
    releases | while read -r release; do
        [ "$release" = "$1" ] || [ "$(printf '%s\n' "$release" "$1" | sort -V | head -n 1)" != "$release" ] || echo "$release"
    done | tail -n 1
}

# The versions of PostgreSQL that pg_tviews is for.
VERSIONS=(15 16 17 18)

# What was fetched. Servers run as the user postgres if the caller is root, whose home is closed to others.
if [ "$(id -u)" -eq 0 ]; then
    CACHE=${PG_TVIEWS_CACHE:-/var/cache/pg_tviews}
else
    CACHE=${PG_TVIEWS_CACHE:-$HOME/.cache/pg_tviews}
fi

# The version of a server by its pg_config; nothing if programs or headers are missing.
server_version() {
    if [ -x "$("$1" --bindir 2>/dev/null)/postgres" ] && [ -f "$("$1" --includedir-server)/postgres.h" ]; then
        "$1" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'
    fi
}

# find_server VERSION: the pg_config of a server of that version; false if there is none.
find_server() {
    local candidate
    for candidate in "${PG_CONFIG:-}" "/usr/lib/postgresql/$1/bin/pg_config" "$CACHE/postgresql-$1/bin/pg_config"; do
        if [ -x "$candidate" ] && [ "$(server_version "$candidate")" = "$1" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# The version to work with: PG, else that of PG_CONFIG, else the newest installed one, else 15.
choose_version() {
    local version
    if [ -n "${PG_CONFIG:-}" ]; then
        server_version "$PG_CONFIG"
        return
    fi
    for version in $(printf '%s\n' "${VERSIONS[@]}" | sort -rn); do
        if [ -x "/usr/lib/postgresql/$version/bin/postgres" ]; then
            echo "$version"
            return
        fi
    done
    echo 15
}

export PG=${PG:-$(choose_version)}
[[ " ${VERSIONS[*]} " == *" $PG "* ]] || die "PG is '$PG', not one of ${VERSIONS[*]}"

pg_config() { cargo pgrx info pg-config "pg$PG"; }
pg_bin() { "$(pg_config)" --bindir; }
# The system's psql, or that of a server that was fetched.
psql_program() { command -v psql || echo "$(pg_bin)/psql"; }

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
