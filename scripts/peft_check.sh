#!/usr/bin/env bash
# finetune against PEFT: trains SmolLM2-135M for a few steps (or takes an adapter), then compares token ids,
# masks, logits and losses on held-out GSM8K rows.
#
#   scripts/peft_check.sh [-a ADAPTER] [-n ROWS]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

adapter='' rows=4
while getopts a:n: option; do
	case $option in
	a) adapter=$OPTARG ;;
	n) rows=$OPTARG ;;
	*) die "usage: scripts/peft_check.sh [-a ADAPTER] [-n ROWS]" ;;
	esac
done
need_smollm2
need_peer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

map=prompt=question,completion=answer
if [ -z "$adapter" ]; then
	adapter=$work/adapter
	gsm8k train.jsonl 1 40 400 >"$work/train.jsonl"
	go run ./cmd/finetune train --model "$smollm2" --data "$work/train.jsonl" --map $map --output-dir "$adapter" \
		--max-steps 5 --val-split 0 --target-modules all-linear --progress none
fi
gsm8k test.jsonl 1 "$rows" >"$work/test.jsonl"
go run ./scripts/dumplogits -model "$smollm2" -adapter "$adapter" -data "$work/test.jsonl" -map $map -out "$work/dump.safetensors"
"$python" -W ignore scripts/peft_check.py "$smollm2" "$adapter" "$work/test.jsonl" "$work/dump.safetensors"
