#!/usr/bin/env bash
# Installs what is missing to build, test and run pg_tviews; does nothing when all is there.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUST=1.95
PGRX=0.18.1

has_cargo_pgrx() { [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $PGRX" ]; }

packages() {
    local needed=(libclang-dev clang sudo)
    has_cargo_pgrx || needed+=(pkg-config libssl-dev) # only to compile it
    command -v cc >/dev/null || needed+=(build-essential)
    apt_install "${needed[@]}"
}

rust() {
    command -v cargo >/dev/null || die "Rust $RUST or newer is needed: install it with rustup, then run this again"
    local version
    version=$(rustc --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n' "$RUST" "$version" | sort -V | head -n 1)" != "$RUST" ]; then
        die "Rust $RUST or newer is needed, found $version: run 'rustup default $RUST'"
    fi
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        say "installing rustfmt and clippy"
        rustup component add rustfmt clippy
    fi
}

cargo_pgrx() {
    if ! has_cargo_pgrx; then
        say "installing cargo-pgrx $PGRX (some minutes, once)"
        cargo install --locked cargo-pgrx --version "$PGRX"
    fi
}

# Tells cargo-pgrx of all servers that are here: its list is written anew each time.
register() {
    local version server servers=()
    if [ "$(pg_config 2>/dev/null)" = "$(find_server "$PG")" ]; then
        return
    fi
    for version in "${VERSIONS[@]}"; do
        if server=$(find_server "$version"); then
            servers+=("--pg$version" "$server")
        fi
    done
    say "registering with cargo-pgrx: ${servers[*]}"
    cargo pgrx init "${servers[@]}"
}

packages
rust
scripts/server.sh
cargo_pgrx
register
