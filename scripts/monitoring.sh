#!/usr/bin/env bash
# Prints the folder with Prometheus, promtool and postgres_exporter, for the test of monitoring/; nothing, and why, if there is none.
# On Debian they are fetched and unpacked: nothing is installed, so no service starts. --find fetches nothing.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PROGRAMS=(prometheus promtool prometheus-postgres-exporter)
TARGET=$CACHE/prometheus

# has_all FOLDER: whether the programs are there.
has_all() {
    local program
    for program in "${PROGRAMS[@]}"; do
        [ -x "$1/$program" ] || return 1
    done
}

# find_programs: the folder; false if there is none.
find_programs() {
    local folder
    for folder in "${PG_TVIEWS_PROMETHEUS:-}" "$TARGET/usr/bin" "$(dirname "$(command -v prometheus || echo /usr/bin/none)")"; do
        if [ -n "$folder" ] && has_all "$folder"; then
            echo "$folder"
            return
        fi
    done
    return 1
}

fetch() {
    local folder package
    folder=$(mktemp -d)
    # apt-get downloads as another user, where it can.
    chmod 777 "$folder"
    download() { (cd "$folder" && apt-get download -qq prometheus prometheus-postgres-exporter); }
    if ! download 2>/dev/null; then
        as_root apt-get update -qq && download || return 1
    fi
    as_root install -d -o "$(id -u)" -m 755 "$CACHE" "$TARGET"
    for package in "$folder"/*.deb; do
        dpkg-deb -x "$package" "$TARGET"
    done
    rm -rf "$folder"
}

if find_programs || [ "${1:-}" = --find ]; then
    exit
fi
if command -v apt-get >/dev/null; then
    say "fetching prometheus and prometheus-postgres-exporter into $TARGET" >&2
    fetch >&2 || say "they could not be fetched" >&2
fi
find_programs || say "no ${PROGRAMS[*]}: the alerts of monitoring/ are not tested" >&2
