#!/usr/bin/env bash
# Builds a release: an archive for each system and processor, with the program, the licences of all that is linked into
# it, and SHA256SUMS. The same commit, version and Go version give the same bytes on any machine.
#
#   scripts/release.sh VERSION [DIR]      VERSION such as 1.2.0 or v1.2.0; into DIR (dist)
#   scripts/release.sh --twice VERSION    builds into two temporary folders from two copies and compares them
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "release.sh: $*" >&2; exit 1; }

twice=false
if [ "${1:-}" = --twice ]; then
	twice=true
	shift
fi
[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: scripts/release.sh [--twice] VERSION [DIR]"
version=${1#v}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || die "the version is $1, want one such as 1.2.0"
[ -z "$(git status --porcelain)" ] || die "there are changes that are not committed"

if $twice; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	commit=$(git rev-parse HEAD) # which may move on meanwhile
	for copy in one two; do      # of different names, so that no path shows
		git clone --quiet --no-checkout . "$work/$copy/$copy-finetune"
		git -C "$work/$copy/$copy-finetune" checkout --quiet --detach "$commit"
		(cd "$work/$copy/$copy-finetune" && bash scripts/release.sh "$version" "$work/$copy/dist" >"$work/$copy/log")
	done
	cat "$work/one/log"
	diff -r "$work/one/dist" "$work/two/dist" || die "two builds differ"
	echo "built twice: the same bytes"
	exit
fi

dir=${2:-dist}
[ ! -e "$dir" ] || [ -z "$(ls -A "$dir")" ] || die "$dir is not empty"
mkdir -p "$dir"
commit=$(git rev-parse HEAD)
time=$(TZ=UTC git show -s --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ HEAD)
CGO_ENABLED=0 go run ./scripts/release -version "$version" -commit "$commit" -time "$time" -o "$dir"
cat "$dir/SHA256SUMS"
