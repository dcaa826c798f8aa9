#!/usr/bin/env bash
# What is large: rows of thousands of tokens, a model of the size of Llama-3.2-1B (random weights) with every projection
# adapted under a budget, and the same with half as much memory as the model has bytes (a memory cgroup: needs root).
# Prints markdown tables.
#
#   scripts/large.sh
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

need_smollm2
big=$cache/llama-3.2-1b
[ -f "$big/model.safetensors" ] || go run ./scripts/randommodel llama-3.2-1b "$smollm2" "$big"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
gsm8k train.jsonl 1 400 >"$work/rows.jsonl"
python3 -B scripts/large.py "$work" "$smollm2" "$big"
