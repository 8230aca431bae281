#!/usr/bin/env bash
# Prints the path of a Chromium without a display, for the test that opens the book; nothing, and why, if there is none.
# On Debian it is fetched and unpacked into the cache folder (about half a minute). --find fetches nothing.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TARGET=$CACHE/chromium

find_chromium() {
    local candidate
    for candidate in "${PG_TVIEWS_CHROMIUM:-}" "$TARGET/run" "$(command -v chromium-headless-shell chromium | head -n 1)"; do
        if [ -x "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# The packages that are missing here, without what they recommend.
missing() {
    apt-get install --simulate --no-install-recommends chromium-headless-shell fonts-liberation 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# What the test does not use takes a seventh of the space.
unpack() {
    local package
    for package in "$1"/*.deb; do
        dpkg-deb -x "$package" "$1/files"
    done
    (cd "$1/files" && rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/bug usr/lib/chromium/libVk* usr/lib/chromium/libvk*)
    cat >"$1/files/run" <<'RUN'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu):$(echo "$here"/usr/lib/*-linux-gnu/pulseaudio) exec "$here/usr/lib/chromium/chromium-headless-shell" "$@"
RUN
    chmod 755 "$1/files/run"
    chmod -R a+rX "$1/files"
}

fetch() {
    local folder packages
    folder=$(mktemp -d)
    # apt-get downloads as another user, where it can.
    chmod 777 "$folder"
    packages=$(missing)
    if [ -z "$packages" ]; then
        as_root apt-get update -qq
        packages=$(missing)
    fi
    # shellcheck disable=SC2086 # a list of names
    if [ -n "$packages" ] && (cd "$folder" && apt-get download -qq $packages) && unpack "$folder"; then
        as_root install -d -o "$(id -u)" -m 755 "$CACHE"
        rm -rf "$TARGET"
        mv "$folder/files" "$TARGET"
    fi
    rm -rf "$folder"
}

if find_chromium || [ "${1:-}" = --find ]; then
    exit
fi
if command -v apt-get >/dev/null; then
    say "fetching chromium-headless-shell into $TARGET" >&2
    fetch >&2
fi
find_chromium || say "no chromium: the book is not opened in a browser" >&2
