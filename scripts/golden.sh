#!/usr/bin/env bash
# The golden tests on fresh models: draws the cases that no testdata holds (and, with more
# seeds, all of them), computes their numbers with PyTorch, and runs the tests on them.
#
#   scripts/golden.sh                qwen3, llama-linear and odd, seed 7
#   scripts/golden.sh 11 12          every case at seeds 11 and 12
#
# GOLDEN_DIR keeps what was computed; a case that is there already is not computed again.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh
need_peer

dir=${GOLDEN_DIR:-$(mktemp -d)}
[ -n "${GOLDEN_DIR:-}" ] || trap 'rm -rf "$dir"' EXIT

golden() { # CASE SEED
	local out=$dir/$2/$1
	[ -f "$out/expected.json" ] && return
	"$python" -W ignore "$shared/tools/golden.py" "$1" "$out.part" --seed "$2" >"$out.log" 2>&1 ||
		{ cat "$out.log" >&2; die "golden.py $1 --seed $2"; }
	mv "$out.part" "$out"
}

folders=
for seed in "${@:-7}"; do
	mkdir -p "$dir/$seed"
	cases="qwen3 llama-linear odd"
	[ $# -eq 0 ] || cases=$("$python" "$shared/tools/golden.py" list -)
	for case in $cases; do
		golden "$case" "$seed"
		echo "computed: $case, seed $seed"
	done
	folders=$folders${folders:+:}$dir/$seed
done
tests=$(grep -ho '^func Test[A-Za-z0-9_]*' {model,loraone,train}/golden_test.go | cut -c6- | paste -sd'|')
FINETUNE_GOLDEN=$folders go test -count=1 -run "^($tests)\$" ./model ./loraone ./train
