#!/usr/bin/env bash
# Decoding against llama.cpp on SmolLM2: tokens per second of 1 and of 8 texts of 200 tokens that go on together, with the
# same threads, in turn; of weights in bf16 here (products in f32 and in bf16), and in bf16, f16 and q8_0 there. The best
# of ROUNDS rounds is shown: a busy machine only slows.
#
#   scripts/decode.sh [-n ROUNDS]
#
# llama-cpp-python is that of scripts/exports.sh --install; its CPU code uses what the machine has.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

rounds=3
while getopts n: option; do
	case $option in
	n) rounds=$OPTARG ;;
	*) die "usage: scripts/decode.sh [-n ROUNDS]" ;;
	esac
done
need_smollm2
llama=$cache/consumers/llama/bin/python
[ -x "$llama" ] || die "no llama-cpp-python in $cache/consumers: scripts/exports.sh --install makes it"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/" ./cmd/finetune
go test -c -o "$work/model.test" ./model
gsm8k train.jsonl 1 2 400 >"$work/train.jsonl"
"$work/finetune" train --model "$smollm2" --data "$work/train.jsonl" --map prompt=question,completion=answer --init lora \
	--output-dir "$work/adapter" --max-steps 1 --val-split 0 --quiet >/dev/null
for type in bf16 f16 q8_0; do
	"$work/finetune" export --to gguf --merged --adapter "$work/adapter" --type $type -o "$work/$type.gguf" --quiet >/dev/null
done
for _ in $(seq "$rounds"); do
	(cd model && "$work/model.test" -test.run '^$' -test.bench 'Decoding/.*/texts=(1|8)$' -test.benchtime 1s) |
		sed -n 's|^BenchmarkDecoding/\([a-z0-9]*\)/texts=\([0-9]*\).* \([0-9.]*\) tokens/s.*|finetune,\1 \2 \3|p'
	for type in bf16 f16 q8_0; do
		"$llama" scripts/decode.py "$work/$type.gguf" "$type" 1 8
	done
done | awk '$3 > best[$1 " " $2] { best[$1 " " $2] = $3; name[$1] = 1 }
	END { print "| | 1 text | 8 texts | |\n|---|---|---|---|"
		for (n in name) printf "| %s | %.0f | %.0f | %.1f × |\n", n, best[n " 1"], best[n " 8"], best[n " 8"] / best[n " 1"] }' | sed 's/,/ /'
