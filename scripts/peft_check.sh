#!/usr/bin/env bash
# finetune against PEFT: trains SmolLM2-135M for a few steps (or takes an adapter), then compares token ids,
# masks, logits and losses on held-out GSM8K rows.
#
#   scripts/peft_check.sh [-i "METHOD ..."] [-a ADAPTER] [-n ROWS]
#
# METHODs are values of --init (default: loraone), each trained with its own optimizer.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

adapter='' rows=4 methods=loraone
while getopts a:i:n: option; do
	case $option in
	a) adapter=$OPTARG ;;
	i) methods=$OPTARG ;;
	n) rows=$OPTARG ;;
	*) die "usage: scripts/peft_check.sh [-i METHODS] [-a ADAPTER] [-n ROWS]" ;;
	esac
done
need_smollm2
need_peer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
map=prompt=question,completion=answer
gsm8k test.jsonl 1 "$rows" >"$work/test.jsonl"
go build -o "$work/" ./cmd/finetune ./scripts/dumplogits

check() { # ADAPTER
	"$work/dumplogits" -model "$smollm2" -adapter "$1" -data "$work/test.jsonl" -map $map -out "$work/dump.safetensors"
	"$python" -W ignore scripts/peft_check.py "$smollm2" "$1" "$work/test.jsonl" "$work/dump.safetensors"
}

if [ -n "$adapter" ]; then
	check "$adapter"
	exit
fi
gsm8k train.jsonl 1 40 400 >"$work/train.jsonl"
for method in $methods; do
	echo "$method:"
	"$work/finetune" train --model "$smollm2" --data "$work/train.jsonl" --map $map --output-dir "$work/of-$method" \
		--init "$method" --max-steps 5 --val-split 0 --target-modules all-linear --progress none
	check "$work/of-$method"
done
