#!/usr/bin/env bash
# What the plan says a run allocates against what it does (resident memory that is not a mapped file), for models of
# several sizes under several budgets; with tokens/s. Prints a markdown table.
#
#   scripts/memory.sh [MODEL:BUDGET,BUDGET,… …]
#
# A MODEL is smollm2 (the real one) or a shape of scripts/randommodel; a BUDGET is what --memory takes, or none.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

[ $# -gt 0 ] || set -- smollm2:none,350MB,200MB smollm2-360m:none,600MB,400MB llama-3.2-1b:none,1GB,700MB
need_smollm2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
gsm8k train.jsonl 1 12 >"$work/rows.jsonl"
for arg; do
	name=${arg%%:*} model=$smollm2
	if [ "$name" != smollm2 ]; then
		model=$cache/$name
		[ -f "$model/model.safetensors" ] || go run ./scripts/randommodel "$name" "$smollm2" "$model"
	fi
	printf '%s\t%s\t%s\n' "$name" "$model" "${arg#*:}"
done >"$work/jobs"
python3 -B scripts/memory.py "$work" <"$work/jobs"
