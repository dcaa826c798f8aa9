#!/usr/bin/env bash
# Answers against transformers and PEFT: the base and an adapter of a few steps answer held-out GSM8K rows with SmolLM2,
# greedily and in float32, here in batches and there one by one; answers and scores must be the same.
#
#   scripts/answers.sh [-n ROWS] [-t TOKENS]
#
# A row whose answers differ is a failure unless transformers found the two tokens where they part equally likely to
# within rounding.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

rows=50 tokens=48
while getopts n:t: option; do
	case $option in
	n) rows=$OPTARG ;;
	t) tokens=$OPTARG ;;
	*) die "usage: scripts/answers.sh [-n ROWS] [-t TOKENS]" ;;
	esac
done
need_smollm2
need_peer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
map=prompt=question,completion=answer
gsm8k test.jsonl 1 "$rows" >"$work/test.jsonl"
gsm8k train.jsonl 1 40 400 >"$work/train.jsonl"
go build -o "$work/" ./cmd/finetune
"$work/finetune" train --model "$smollm2" --data "$work/train.jsonl" --map $map --output-dir "$work/adapter" \
	--max-steps 5 --val-split 0 --quiet
"$work/finetune" eval --adapter "$work/adapter" --data "$work/test.jsonl" --answers number --max-tokens "$tokens" --json >"$work/eval.json"
"$python" -W ignore scripts/answers.py "$smollm2" "$work/adapter" "$work/test.jsonl" "$work/eval.json" "$tokens"
