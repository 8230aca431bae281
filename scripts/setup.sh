#!/usr/bin/env bash
# Installs what is missing to build, test and run pg_tviews; does nothing when all is there.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUST=1.95
PGRX=0.18.1
PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}

has_cargo_pgrx() { [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $PGRX" ]; }

packages() {
    local package missing=() needed=(postgresql-15 postgresql-server-dev-15 libclang-dev clang sudo)
    command -v apt-get >/dev/null || return 0 # not Debian: the checks below say what is missing
    has_cargo_pgrx || needed+=(pkg-config libssl-dev) # only to compile it
    for package in "${needed[@]}"; do
        # The state field, because a removed package is still known to dpkg.
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
            installed) ;;
            *) missing+=("$package") ;;
        esac
    done
    command -v cc >/dev/null || missing+=(build-essential)
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq
    as_root apt-get install -y -qq "${missing[@]}" >/dev/null
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
    if ! [ -x "$(pg_config 2>/dev/null)" ]; then
        [ -x "$PG_CONFIG" ] || die "no PostgreSQL 15 at $PG_CONFIG: install it, or set PG_CONFIG"
        say "registering $PG_CONFIG with cargo-pgrx"
        cargo pgrx init --pg15 "$PG_CONFIG"
    fi
}

packages
rust
cargo_pgrx
