#!/usr/bin/env bash
# Builds the packages for the server of the version PG, into target/packages: a .deb and its debug symbols, a tar.gz,
# the list of components (SBOM), the source for PGXN, checksums. Needs no rights: files belong to root in the packages.
# With --quick they hold the library that the tests use, the list of components is left out, and the folder is
# target/packages-test.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
umask 022

CYCLONEDX=0.5.9

quick='' compression=-Zxz level=9
case ${1:-} in
    '') ;;
    --quick) quick=yes compression='-Zgzip -z1' level=1 ;;
    *) die "unknown argument: $1" ;;
esac

version=$(package_version)
architecture=$(dpkg --print-architecture)
package=postgresql-$PG-pg-tviews
full_version=$version-1
# Who has built this package; Debian's tools use the same variables.
maintainer="${DEBFULLNAME:-$(git log -1 --format=%an)} <${DEBEMAIL:-$(git log -1 --format=%ae)}>"
# Files have the time of the commit: the same files give the same packages.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

out=$PWD/target/packages${quick:+-test}
work=$out/work-$PG
root=$work/root
symbols=$work/symbols
rm -rf "$work"
mkdir -p "$root/DEBIAN" "$symbols/DEBIAN"
find "$out" -maxdepth 1 -type f ! -name "*$version*" -delete

# What cargo-pgrx installs, in a folder of its own: library, control file, scripts.
build() {
    local profile=(--profile dist) triple
    if [ -n "$quick" ]; then
        profile=(--debug)
    else
        # Paths of this machine are no part of the library. The setting adds to the flags that cargo-pgrx needs.
        triple=$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)
        export CFLAGS="-ffile-prefix-map=$PWD=/usr/src/pg_tviews"
        export "CARGO_TARGET_${triple}_RUSTFLAGS=--remap-path-prefix=$PWD=/usr/src/pg_tviews --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/usr/src/cargo"
    fi
    cargo pgrx package "${profile[@]}" --pg-config "$(pg_config)" --out-dir "$work/built"
}

# Puts the files where Debian's servers look for them, wherever the server that was built for lies.
lay_out() {
    local built=$work/built library=$root/usr/lib/postgresql/$PG/lib share=$root/usr/share/postgresql/$PG
    install -d "$library" "$share/extension" "$share/contrib/pg_tviews" "$doc"
    find "$built" -name pg_tviews.so -exec install -m 644 {} "$library/" \;
    find "$built" \( -name 'pg_tviews*.sql' -o -name pg_tviews.control \) -exec install -m 644 {} "$share/extension/" \;
    install -m 644 sql/auto_convert_tviews.sql sql/pgtap_tviews.sql "$share/contrib/pg_tviews/"
    install -m 755 sql/convert_tviews.sh sql/lint_tviews.sh "$share/contrib/pg_tviews/"
    pages "$doc"
    gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
    changelog | gzip -9n >"$doc/changelog.Debian.gz"
    copyright >"$doc/copyright"
}

# pages FOLDER: what users read. Files that tests or editors have left in these folders are not copied.
pages() { git ls-files -z -- *.md docs examples monitoring | xargs -0 cp --parents --target-directory="$1"; }

changelog() {
    printf 'pg-tviews (%s) unstable; urgency=medium\n\n  * Built from the source of version %s: see changelog.gz.\n\n -- %s  %s\n' \
        "$full_version" "$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

# The licence, and those of the crates that are linked into the library.
copyright() {
    local crate number licence file
    printf 'pg_tviews %s\n\n' "$version"
    cat LICENSE
    printf '\nThe library contains code of the Rust standard library (MIT OR Apache-2.0) and of these crates:\n\n'
    linked_crates | sed -E 's/^(\S+) v(\S+) (.*)/  \1 \2: \3/'
    printf '\nThe Apache licence 2.0 is in /usr/share/common-licenses/Apache-2.0 on Debian. The other texts:\n'
    linked_crates | while read -r crate number licence; do
        for file in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-${number#v}"/{LICENSE,LICENCE,COPYING,COPYRIGHT,NOTICE}*; do
            if [ -f "$file" ] && ! grep -q 'Version 2.0, January 2004' "$file"; then
                printf '\n%s %s (%s), %s\n\n' "$crate" "${number#v}" "$licence" "$(basename "$file")"
                cat "$file"
            fi
        done
    done
}

linked_crates() {
    cargo tree --locked --quiet --no-default-features --features "pg$PG" --edges normal,no-proc-macro --prefix none \
        --format '{p} {l}' | grep -v '^pg_tviews ' | sed 's/ (\*)$//' | sort -u
}

# Debug symbols go into a file named after the identity of the library, where debuggers look for them.
split_symbols() {
    local library=$root/usr/lib/postgresql/$PG/lib/pg_tviews.so file
    build_id=$(readelf -n "$library" | sed -n 's/.*Build ID: //p')
    [ -n "$build_id" ] || die "the linker has given no build ID to $library"
    file=$symbols/usr/lib/debug/.build-id/${build_id:0:2}/${build_id:2}.debug
    install -d "$(dirname "$file")"
    objcopy --only-keep-debug --compress-debug-sections "$library" "$file"
    chmod 644 "$file"
    strip --strip-unneeded --remove-section=.comment "$library"
}

# The libraries that the extension is linked with, as a list of packages.
shared_libraries() {
    local folder=$work/shlibs
    mkdir -p "$folder/debian"
    printf 'Source: pg-tviews\n\nPackage: %s\nArchitecture: any\n' "$package" >"$folder/debian/control"
    (cd "$folder" && dpkg-shlibdeps -O "$root/usr/lib/postgresql/$PG/lib/pg_tviews.so") |
        sed -n 's/^shlibs:Depends=//p'
}

# write_control FOLDER PACKAGE: the control file's lines come from standard input, with those that both packages have.
write_control() {
    local folder=$1
    {
        printf 'Package: %s\nSource: pg-tviews\nVersion: %s\nArchitecture: %s\nMaintainer: %s\n' \
            "$2" "$full_version" "$architecture" "$maintainer"
        printf 'Installed-Size: %s\n' "$(du -k -s --apparent-size --exclude=DEBIAN "$folder" | cut -f 1)"
        cat
    } >"$folder/DEBIAN/control"
    (cd "$folder" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$folder/DEBIAN/md5sums"
    find "$folder" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
    # shellcheck disable=SC2086 # one word or two
    dpkg-deb --build --root-owner-group $compression "$folder" "$out/$2_${full_version}_$architecture.deb" >/dev/null
}

debian_packages() {
    local libraries
    libraries=$(shared_libraries)
    [ -n "$libraries" ] || die "dpkg-shlibdeps did not find what the library is linked with"
    write_control "$root" "$package" <<END
Depends: postgresql-$PG, $libraries
Section: database
Priority: optional
Description: read-model tables that follow views, for PostgreSQL $PG
 pg_tviews keeps tables (tv_*) equal to views (v_*) over an application's
 tables. A change adds one row to a queue in the writer's transaction.
 Background workers compute exactly the rows it affects, shortly after commit.
 .
 The workers need shared_preload_libraries = 'pg_tviews' in postgresql.conf.
END
    install -d "$symbols/usr/share/doc"
    ln -s "$package" "$symbols/usr/share/doc/$package-dbgsym"
    write_control "$symbols" "$package-dbgsym" <<END
Depends: $package (= $full_version)
Section: debug
Priority: optional
Auto-Built-Package: debug-symbols
Build-Ids: $build_id
Description: debug symbols for $package
END
}

# The same files for any Linux with the same or a newer C library.
archive() {
    local name=pg_tviews-$version-pg$PG-linux-$architecture folder=$work/archive
    install -d "$folder/$name"
    cp -r "$root/usr/lib/postgresql/$PG/lib" "$root/usr/share/postgresql/$PG/extension" \
        "$root/usr/share/postgresql/$PG/contrib/pg_tviews" "$folder/$name/"
    mv "$folder/$name/pg_tviews" "$folder/$name/sql"
    pages "$folder/$name"
    cp "$doc/copyright" "$folder/$name/"
    (cd "$folder/$name" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum) >"$work/sums"
    mv "$work/sums" "$folder/$name/SHA256SUMS"
    tar --create --directory "$folder" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" |
        gzip -"$level"n >"$out/$name.tar.gz"
}

# The components that the library is built from, as CycloneDX writes them down.
components() {
    local name=pg_tviews-$version-pg$PG.cdx
    if [ "$(cargo cyclonedx --version 2>/dev/null)" != "cargo-cyclonedx-cyclonedx $CYCLONEDX" ]; then
        say "compiling cargo-cyclonedx $CYCLONEDX, about 120 crates (a minute on two cores, once)"
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug cargo-cyclonedx --version "$CYCLONEDX"
    fi
    cargo cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --no-default-features --features "pg$PG" \
        --override-filename "$name"
    sed "s|$PWD|/usr/src/pg_tviews|g" "$name.json" >"$out/$name.json"
    rm "$name.json"
}

# The source as PGXN takes it: a zip with META.json.
source_archive() {
    [ "$(sed -n 's/^    *"version": "\(.*\)",\{0,1\}$/\1/p' META.json | sort -u)" = "$version" ] ||
        die "META.json and Cargo.toml differ in the version"
    git archive --format=zip --prefix="pg_tviews-$version/" --output="$out/pg_tviews-$version.zip" HEAD
}

doc=$root/usr/share/doc/$package
build_id=
build
lay_out
split_symbols
debian_packages
archive
source_archive
if [ -z "$quick" ]; then
    components
fi
# The sums of an earlier run are no part of the list.
# shellcheck disable=SC2094
(cd "$out" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS)
rm -rf "$work"
say "in ${out#"$PWD/"}:"
ls -l "$out"
