#!/usr/bin/env bash
# finetune and the Python client on one fake hub and one cache, both ways: what each fetches the other finds, the
# caches are the same file by file, and so is what they send. Then one download, cut CUTS times and killed now and then.
#
#   scripts/hub.sh [-n CUTS]     200 cuts where none are given
#
# The Python client is installed into FINETUNE_CACHE once; HUGGINGFACE_HUB names another version of it.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

cuts=200
while getopts n: option; do
	case $option in
	n) cuts=$OPTARG ;;
	*) die "usage: scripts/hub.sh [-n CUTS]" ;;
	esac
done
version=${HUGGINGFACE_HUB:-2.4.0}
venv=$cache/huggingface_hub-$version
if [ ! -x "$venv/bin/hf" ]; then
	mkdir -p "$cache"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$version"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
"$venv/bin/python" -B scripts/hub_check.py "$work" cmd/finetune/demo/model "$cuts"
