#!/usr/bin/env bash
# Makes the book: the pages of docs/ and what they link to, as a site with a search, in target/book (or the folder that is given).
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$(realpath -m "${1:-target/book}")
mdbook=$(scripts/mdbook.sh)
[ -n "$mdbook" ] || die "there is no mdbook"

# The sources have the folders of the repository, so that every link between pages holds in both.
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
mkdir "$source/src"
cp -r --parents ./*.md docs examples monitoring "$source/src"
sed -E 's,\]\((\.\./)?,](\1docs/,; s,\]\(\.\./docs/,](,' docs/SUMMARY.md >"$source/src/SUMMARY.md"
rm "$source/src/docs/SUMMARY.md"
cp book.toml "$source"

"$mdbook" build --dest-dir "$target" "$source"
say "the book is in $target/index.html"
