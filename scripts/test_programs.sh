#!/usr/bin/env bash
# Makes sure that the programs are here that some cluster tests run beside the server: pgbouncer, and Python with
# psycopg2. What cannot be had is said: its tests then say that they test nothing.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The package would start a service on this machine. Its files are unpacked into the cache folder instead, with the
# libraries that it needs.
pgbouncer() {
    local folder packages=(pgbouncer libc-ares2 libevent-2.1-7)
    [ -x "$CACHE/pgbouncer/run" ] || [ -x /usr/sbin/pgbouncer ] && return
    command -v apt-get >/dev/null || return 1
    apt-cache show "${packages[@]}" >/dev/null 2>&1 || as_root apt-get update -qq
    # Ubuntu and later releases have renamed libraries.
    packages=(pgbouncer $(apt-cache depends pgbouncer | sed -n 's/^ *Depends: \(libc-ares.*\|libevent.*\)/\1/p'))
    say "fetching ${packages[*]} into $CACHE"
    mkdir -p "$CACHE"
    folder=$(mktemp -d "$CACHE/fetch.XXXXXX")
    if (cd "$folder" && apt-get download -qq "${packages[@]}" >/dev/null 2>&1); then
        for package in "$folder"/*.deb; do dpkg -x "$package" "$folder/files"; done
        cat >"$folder/files/run" <<'RUN'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/sbin/pgbouncer" "$@"
RUN
        chmod -R a+rX "$folder/files"
        chmod 755 "$folder/files/run"
        rm -rf "$CACHE/pgbouncer"
        mv "$folder/files" "$CACHE/pgbouncer"
    fi
    rm -rf "$folder"
    [ -x "$CACHE/pgbouncer/run" ]
}

psycopg2() {
    local python
    for python in /usr/bin/python3 python3; do
        "$python" -c 'import psycopg2' 2>/dev/null && return
    done
    apt_install python3 python3-psycopg2
    /usr/bin/python3 -c 'import psycopg2' 2>/dev/null
}

pgbouncer || say "pgbouncer cannot be had here"
psycopg2 || say "Python with psycopg2 cannot be had here"
