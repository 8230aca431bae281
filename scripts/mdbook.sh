#!/usr/bin/env bash
# Prints the path of mdbook, which makes the book of docs/; nothing, and why, if it cannot be had. It is compiled once,
# into the cache folder. --find compiles nothing.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MDBOOK=0.5.4
TARGET=$CACHE/mdbook

find_mdbook() {
    local candidate
    for candidate in "${PG_TVIEWS_MDBOOK:-}" "$TARGET/bin/mdbook" "$(command -v mdbook || true)"; do
        if [ -x "$candidate" ] && [ "$("$candidate" --version)" = "mdbook v$MDBOOK" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# To optimize the tool takes longer than it ever saves. Of its features only the search is needed.
compile() {
    local folder
    folder=$(mktemp -d)
    if ! { CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$folder/target cargo install --quiet --locked --debug --no-default-features \
        --features search --root "$folder/made" mdbook --version "$MDBOOK" &&
        as_root install -d -m 755 "$CACHE" "$TARGET/bin" &&
        as_root install -m 755 "$folder/made/bin/mdbook" "$TARGET/bin/mdbook"; }; then
        say "mdbook could not be compiled"
    fi
    rm -rf "$folder"
}

if find_mdbook || [ "${1:-}" = --find ]; then
    exit
fi
say "compiling mdbook $MDBOOK (a minute of processor time, once)" >&2
compile >&2
find_mdbook || say "no mdbook: the book is not made" >&2
