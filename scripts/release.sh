#!/usr/bin/env bash
# Checks that nothing is missing for a release, and makes the files those of the release: scripts/release.sh 1.2.3. The commit
# and the tag are yours.
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=${1:-}
check_version "$version"

# The lines of a section of the changelog, without empty ones.
section() {
    awk -v heading="## [$1]" 'index($0, "## [") == 1 { inside = index($0, heading) == 1; next } inside && NF' CHANGELOG.md
}

released=$(last_release "$version")
update=sql/pg_tviews--$released--$version.sql
if [ -n "$released" ] && [ ! -f "$update" ]; then
    die "$update is missing: scripts/version.sh $version makes an empty one, for every changed SQL object"
fi
if [ -z "$(section "$version")" ]; then
    [ -n "$(section Unreleased)" ] || die "CHANGELOG.md has neither a section for $version nor lines under [Unreleased]"
elif [ -n "$(section Unreleased)" ]; then
    die "CHANGELOG.md has a section for $version, and lines under [Unreleased]"
fi

scripts/version.sh "$version"
if [ -z "$(section "$version")" ]; then
    sed -i "s/^## \\[Unreleased\\]$/&\\n\\n## [$version] - $(date +%F)/" CHANGELOG.md
fi

# What later versions are updated from.
kept=sql/pg_tviews--$version.sql
if [ ! -f "$kept" ]; then
    cargo pgrx schema --no-default-features --features "pg$PG" --pg-config "$(pg_config)" --out "$PWD/$kept" >/dev/null
fi
grep -q "pg_tviews_create" "$kept" || die "$kept is no installation script"

say "ready: look at git diff, run make test-all, commit, and tag it v$version"
