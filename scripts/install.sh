#!/usr/bin/env bash
# Builds the extension and installs it into the server of the version PG. Arguments go to cargo pgrx install (--release).
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

remove_library
sudo=()
if ! [ -w "$("$(pg_config)" --pkglibdir)" ]; then
    sudo=(--sudo)
fi
cargo pgrx install --pg-config "$(pg_config)" "${sudo[@]}" "$@"

# The tests of updates create the objects of earlier versions.
folder="$("$(pg_config)" --sharedir)/extension"
for version in $(releases); do
    if [ "$version" != "$(package_version)" ]; then
        script=sql/pg_tviews--$version.sql
        if [ -w "$folder" ]; then cp "$script" "$folder/"; else as_root cp "$script" "$folder/"; fi
    fi
done
