#!/usr/bin/env bash
# Every family through the program: a small random model of each (scripts/golden_families.py) with the demo's tokenizer is
# checked, planned, trained for some steps and made to write; then its adapter's logits are compared with PEFT's. gemma3
# is a whole model, whose vision part stays as it is.
#
#   scripts/families.sh [CASE ...]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh
need_peer

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/" ./cmd/finetune ./scripts/dumplogits
gsm8k train.jsonl 1 16 200 >"$work/train.jsonl"
head -4 "$work/train.jsonl" >"$work/some.jsonl"
map=prompt=question,completion=answer
[ $# -gt 0 ] || read -ra cases <<<"$("$python" -W ignore scripts/golden_families.py "$shared/tools/golden.py" list | tr '\n' ' ') gemma3"

quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; die "$*"; }; }

for case in "${@:-${cases[@]}}"; do
	model=$work/$case adapter=$work/$case-adapter
	quietly "$python" -W ignore scripts/families_check.py make "$case" "$model"
	rm -f "$model/generation_config.json"
	cp cmd/finetune/demo/model/tokenizer*.json "$model/"
	settings=(--model "$model" --data "$work/train.jsonl" --map "$map" --val-split 0 --max-length 300)
	quietly "$work/finetune" check --model "$model" --data "$work/train.jsonl" --map "$map"
	quietly "$work/finetune" plan "${settings[@]}" --output-dir "$adapter"
	quietly "$work/finetune" train "${settings[@]}" --output-dir "$adapter" --max-steps 5 --batch-size 4 --target-modules all-linear --quiet
	quietly "$work/finetune" generate --model "$model" --adapter "$adapter" --prompt "Once" --max-tokens 40
	"$work/dumplogits" -model "$model" -adapter "$adapter" -data "$work/some.jsonl" -map "$map" -out "$work/dump.safetensors"
	printf '%-14s ' "$case"
	"$python" -W ignore scripts/families_check.py compare "$model" "$adapter" "$work/dump.safetensors" 2>"$work/log" ||
		{ cat "$work/log" >&2; die "$case"; }
	if [ "$case" = gemma3 ]; then
		quietly "$work/finetune" merge --model "$model" --adapter "$adapter" --output-dir "$work/merged"
		"$python" -W ignore scripts/families_check.py merged "$model" "$work/merged"
	fi
done
