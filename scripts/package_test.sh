#!/usr/bin/env bash
# Installs the .deb into a root of its own, beside a copy of the server, and runs what the guide says with the files
# of the package only. Nothing of this machine's server is changed.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# dpkg gives files to root: a user only pretends.
pretend=()
if [ "$(id -u)" -ne 0 ]; then
    apt_install fakeroot
    pretend=(fakeroot)
fi
apt_install lintian || say "lintian cannot be installed, and is left out"
scripts/package.sh --quick

built_for=$(pg_config)
package=postgresql-$PG-pg-tviews
version=$(package_version)
packages=(target/packages-test/"$package"{,-dbgsym}_"$version"-1_*.deb)
root=$(mktemp -d /tmp/pg_tviews-package.XXXXXX)
cluster=$root/cluster
# The cluster is made here, by another user if this is root.
chmod 755 "$root"
if [ "$(id -u)" -eq 0 ]; then chown "$(server_user)" "$root"; fi
trap 'cluster_remove "$cluster"; rm -rf "$root"' EXIT

# From here on, the server of lib.sh is the copy.
pg_config() { echo "$root/usr/lib/postgresql/$PG/bin/pg_config"; }

# PostgreSQL finds its files from the place of its programs. Where a server has them elsewhere than Debian's, links
# lead to where the package puts them.
copy_server() {
    local kind from to debian
    mkdir -p "$root/usr/lib/postgresql/$PG" "$root/usr/share/postgresql"
    cp -rL "$("$built_for" --bindir)" "$root/usr/lib/postgresql/$PG/bin"
    for kind in libdir pkglibdir sharedir; do
        from=$("$built_for" "--$kind") to=$("$(pg_config)" "--$kind")
        case $kind in
            libdir) debian=$to ;;
            pkglibdir) debian=$root/usr/lib/postgresql/$PG/lib ;;
            sharedir) debian=$root/usr/share/postgresql/$PG ;;
        esac
        # The folder of all of the system's libraries stays where it is.
        [ "$kind" = libdir ] && [[ $from == /usr/lib* ]] && continue
        mkdir -p "$debian"
        cp -r "$from/." "$debian/"
        if [ "$to" != "$debian" ] && [ ! -e "$to" ]; then
            mkdir -p "$(dirname "$to")"
            ln -s "$debian" "$to"
        fi
    done
    find "$root/usr" -name 'pg_tviews*' -prune -exec rm -rf {} +
}

# dpkg as it works on this machine, with a list of installed packages of its own. It lacks the server if that did not
# come as a package.
dpkg_in_root() {
    "${pretend[@]}" dpkg --root="$root" --force-not-root --force-script-chrootless --force-depends --log=/dev/null "$@" >"$root/dpkg.log" 2>&1 ||
        { cat "$root/dpkg.log" >&2; die "dpkg failed"; }
}

install_package() {
    local script file
    mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
    cp /var/lib/dpkg/status "$root/var/lib/dpkg/status"
    dpkg_in_root --install "${packages[@]}"
    (cd "$root" && md5sum --quiet --check "var/lib/dpkg/info/$package.md5sums")
    for script in sql/pg_tviews--*--*.sql; do
        [ -f "$root/usr/share/postgresql/$PG/extension/$(basename "$script")" ] || die "the package lacks $script"
    done
    for script in auto_convert_tviews.sql convert_tviews.sh lint_tviews.sh pgtap_tviews.sql; do
        [ -f "$root/usr/share/postgresql/$PG/contrib/pg_tviews/$script" ] || die "the package lacks sql/$script"
    done
    git ls-files docs examples monitoring | while read -r file; do
        [ -f "$root/usr/share/doc/$package/$file" ] || die "the package lacks $file"
    done
}

# Every link of a page of the package, but those to the web, leads to a file or folder of the package.
check_links() {
    local folder=$root/usr/share/doc/$package page link seen=0
    while read -r page link; do
        [ -e "$(dirname "$page")/$link" ] || die "${page#"$folder/"} links to $link, which the package lacks"
        seen=$((seen + 1))
    done < <(find "$folder" -name '*.md' -exec grep -HoP '\]\(\K(?![a-z]+:)[^)#\s]+' {} + | sed 's/:/ /')
    [ "$seen" -gt 200 ] || die "the pages of the package have only $seen links"
}

# The blocks of a page in one language, each in a file of its own: 01.sql, 02.bash, ...
blocks() {
    awk -v folder="$2" '
        /^```(sql|bash)$/ { file = sprintf("%s/%02d.%s", folder, ++number, substr($0, 4)); next }
        /^```/ { file = ""; next }
        file { print > file }' "$1"
}

# Everything that the guide says to type, in its order, in a folder with the package's scripts.
follow_guide() {
    local file folder=$root/guide
    mkdir "$folder"
    ln -s "$root/usr/share/postgresql/$PG/contrib/pg_tviews" "$folder/sql"
    blocks "$root/usr/share/doc/$package/docs/guide.md" "$folder"
    [ "$(find "$folder" -name '*.sql' | wc -l)" -ge 10 ] || die "the guide has hardly any examples"
    for file in "$folder"/*.sql "$folder"/*.bash; do printf '%s\n' "$file"; done | sort | while read -r file; do
        case $file in
            *.sql) psql -X -q -v ON_ERROR_STOP=1 -d mydb -f "$file" ;;
            *.bash) (cd "$folder" && bash -e "$file") ;;
        esac >"$root/guide.log" 2>&1 || { cat "$file" "$root/guide.log" >&2; die "the guide failed at $file"; }
    done
}

# answers SQL EXPECTED
answers() {
    local answer
    answer=$(psql -X -q -A -t -d mydb -c "$1")
    [ "$answer" = "$2" ] || die "$1 answers '$answer' instead of '$2'"
}

say "the package, by lintian"
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error "${packages[0]}"
fi

say "installing into $root"
copy_server
install_package
check_links
export PGHOST=$cluster PGUSER=postgres
PATH=$(pg_bin):$PATH
cluster_start "$cluster" "shared_preload_libraries='pg_tviews'" fsync=off
psql -X -q -d postgres -c 'CREATE DATABASE mydb'
answers "SELECT setting FROM pg_config WHERE name = 'BINDIR'" "$(pg_bin)"

say "following the guide"
follow_guide
answers "SELECT pg_tviews_wait()" t
answers "SELECT extversion FROM pg_extension WHERE extname = 'pg_tviews'" "$version"
answers "SELECT string_agg(entity_name, ',' ORDER BY entity_name) FROM pg_tview_meta" post,recent,user
answers "SELECT count(*) FROM pg_tview_meta, LATERAL pg_tviews_check(entity_name)" 0
answers "SELECT string_agg(component || ': ' || message, '; ') FROM pg_tviews_health_check() WHERE status = 'ERROR'" ''

say "removing the package"
psql -X -q -d mydb -c 'DROP EXTENSION pg_tviews CASCADE' 2>/dev/null
cluster_stop "$cluster"
dpkg_in_root --purge "$package-dbgsym" "$package"
left=$(find "$root/usr" -name '*pg[-_]tviews*')
[ -z "$left" ] || die "the package leaves $left"
say "the package is fine"
