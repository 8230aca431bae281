#!/usr/bin/env bash
# Installs what is missing to build, test and run pg_tviews; does nothing when all is there.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUST=1.95
PGRX=0.18.1

has_cargo_pgrx() { [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $PGRX" ]; }

packages() {
    apt_install libclang-dev clang sudo
    scripts/server.sh
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
    say "compiling cargo-pgrx $PGRX, about 280 crates (two minutes on two cores, once)"
    # The tool copies files and writes an SQL script: to optimize it takes longer than that ever saves. Without its
    # default features it needs no OpenSSL.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug --no-default-features cargo-pgrx --version "$PGRX"
}

# On a fresh machine the packages come while the tool is compiled, which needs no more than a C compiler.
packages_and_cargo_pgrx() {
    local coming
    if has_cargo_pgrx; then
        packages
        return
    fi
    # Asks for the password before the output of both is mixed.
    if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null; then sudo -v || true; fi
    packages &
    coming=$!
    cargo_pgrx
    wait "$coming" || die "the packages could not be installed: see above"
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

command -v cc >/dev/null || apt_install build-essential
rust
packages_and_cargo_pgrx
register
