#!/usr/bin/env bash
# Makes sure that the programs are here that some cluster tests run beside the server: pgbouncer, pgTAP, Python
# with its modules, and other extensions. What cannot be had is said: its tests then say that they test nothing.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# fetch NAME PACKAGE...: unpacks Debian packages into the folder NAME of the cache, and installs nothing: it would
# start services on this machine, and change its servers. False if one cannot be had.
fetch() {
    local folder name=$1
    shift
    command -v apt-get >/dev/null || return 1
    apt-cache show "$@" >/dev/null 2>&1 || as_root apt-get update -qq
    say "fetching $* into $CACHE"
    mkdir -p "$CACHE"
    folder=$(mktemp -d "$CACHE/fetch.XXXXXX")
    if (cd "$folder" && apt-get download -qq "$@" >/dev/null 2>&1); then
        for package in "$folder"/*.deb; do dpkg -x "$package" "$folder/files"; done
        chmod -R a+rX "$folder/files"
        rm -rf "${CACHE:?}/$name"
        mv "$folder/files" "$CACHE/$name"
    fi
    rm -rf "$folder"
    [ -d "$CACHE/$name" ]
}

pgbouncer() {
    local libraries
    [ -x "$CACHE/pgbouncer/run" ] || [ -x /usr/sbin/pgbouncer ] && return
    command -v apt-get >/dev/null || return 1
    apt-cache show pgbouncer >/dev/null 2>&1 || as_root apt-get update -qq
    # Ubuntu and later releases have renamed libraries.
    libraries=$(apt-cache depends pgbouncer | sed -n 's/^ *Depends: \(libc-ares.*\|libevent.*\)/\1/p')
    # shellcheck disable=SC2086 # several words
    fetch pgbouncer pgbouncer $libraries || return 1
    cat >"$CACHE/pgbouncer/run" <<'RUN'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/sbin/pgbouncer" "$@"
RUN
    chmod 755 "$CACHE/pgbouncer/run"
}

# A script of plain SQL, the same for every version: the package is named after the version that this Debian has.
pgtap() {
    local package script
    [ -f "$CACHE/pgtap/pgtap.sql" ] && return
    command -v apt-get >/dev/null || return 1
    [ -n "$(apt-cache search --names-only '^postgresql-[0-9]+-pgtap$')" ] || as_root apt-get update -qq
    package=$(apt-cache search --names-only '^postgresql-[0-9]+-pgtap$' | cut -d ' ' -f 1 | sort -V | tail -n 1)
    [ -n "$package" ] && fetch pgtap "$package" || return 1
    script=$(find "$CACHE/pgtap/usr" -name pgtap.sql)
    cp "$script" "$CACHE/pgtap/"
}

# python MODULE...: a Python that has them, or the system's with its packages of these names.
python() {
    local python modules
    modules=$(printf ', %s' "$@")
    for python in /usr/bin/python3 python3; do
        "$python" -c "import ${modules#, }" 2>/dev/null && return
    done
    apt_install python3 "${@/#/python3-}"
    /usr/bin/python3 -c "import ${modules#, }" 2>/dev/null
}

# extensions NAME EXTENSION...: extensions that change tables of others, copied to the server as ours is. Only for the
# version that this Debian has.
extensions() {
    local folder name=$1-$PG
    shift
    folder=$CACHE/$name
    if ! [ -d "$folder" ]; then
        command -v apt-get >/dev/null || return 1
        [ -n "$(apt-cache search --names-only "^postgresql-[0-9]+-$1\$")" ] || as_root apt-get update -qq
        [ -n "$(apt-cache search --names-only "^postgresql-$PG-$1\$")" ] || return 1
        fetch "$name" "${@/#/postgresql-$PG-}" || return 1
    fi
    copy_missing "$("$(pg_config)" --pkglibdir)" "$folder"/usr/lib/postgresql/*/lib/*.so
    copy_missing "$("$(pg_config)" --sharedir)/extension" "$folder"/usr/share/postgresql/*/extension/*
}

# copy_missing TARGET FILE...: the files that the folder of a server lacks.
copy_missing() {
    local file target=$1
    shift
    for file in "$@"; do
        if ! [ -e "$target/$(basename "$file")" ]; then
            if [ -w "$target" ]; then cp "$file" "$target/"; else as_root cp "$file" "$target/"; fi
        fi
    done
}

pgbouncer || say "pgbouncer cannot be had here"
pgtap || say "pgTAP cannot be had here"
python psycopg2 || say "Python with psycopg2 cannot be had here"
python psycopg2 pytest sqlalchemy alembic django || say "Python with pytest, SQLAlchemy, Alembic and Django cannot be had here"
extensions neighbours partman repack || say "pg_partman and pg_repack cannot be had here for PostgreSQL $PG"
extensions jobs cron || say "pg_cron cannot be had here for PostgreSQL $PG"
