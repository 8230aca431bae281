#!/usr/bin/env bash
# Sets the version everywhere: scripts/version.sh 1.2.3. After a release that comes with the first change of an SQL object.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=${1:-}
check_version "$version"
current=$(package_version)
[ "$(printf '%s\n' "$current" "$version" | sort -V | tail -n 1)" = "$version" ] || die "$version is older than $current"

# The version of pg_tviews itself, not those of its dependencies.
sed -i "0,/^version = \".*\"/s//version = \"$version\"/" Cargo.toml
sed -i "/^name = \"pg_tviews\"$/{n;s/^version = .*/version = \"$version\"/}" Cargo.lock
if [ -f META.json ]; then
    # Not the version of the format.
    sed -i "/meta-spec/!s/\"version\": \"[^\"]*\"/\"version\": \"$version\"/" META.json
fi

# The update from the last release.
released=$(last_release "$version")
update=sql/pg_tviews--$released--$version.sql
if [ -n "$released" ] && [ ! -f "$update" ]; then
    cat >"$update" <<'SQL'
-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Back to the search_path of ALTER EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
SQL
    say "$update is new: each change of an SQL object goes there, too"
fi
say "pg_tviews is of version $version"
