#!/usr/bin/env bash
# Starts, optimizers and rates compared on GSM8K with SmolLM2-135M: held-out loss per trained token before
# training, after the start, and after training, for every run and seed, as a markdown table.
#
#   scripts/gsm8k.sh [-n STEPS] [-b BATCH] [-s "SEEDS"] [-r ROWS] [-c CHARS] [-v HELDOUT] [-o DIR] [-- FLAG…] [RUN…]
#
# A RUN is init,optimizer,rate[,lambda], such as loraone,scaled-adamw,2e-3,1e-6. Training rows are the first
# ROWS of train.jsonl (all that the steps need) with at most CHARS characters, held-out rows the first of test.jsonl.
# FLAGs (as --name=value) go to finetune train. DIR keeps the runs; one that is there already is not run again.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

steps=60 batch=8 seeds="1 2 3" rows='' chars=0 heldout=100 dir='' flags=()
while getopts n:b:s:r:c:v:o: option; do
	case $option in
	n) steps=$OPTARG ;;
	b) batch=$OPTARG ;;
	s) seeds=$OPTARG ;;
	r) rows=$OPTARG ;;
	c) chars=$OPTARG ;;
	v) heldout=$OPTARG ;;
	o) dir=$OPTARG ;;
	*) die "usage: see the head of scripts/gsm8k.sh" ;;
	esac
done
shift $((OPTIND - 1))
runs=()
for word; do
	case $word in
	-*) flags+=("$word") ;;
	*) runs+=("$word") ;;
	esac
done
[ ${#runs[@]} -gt 0 ] || runs=('lora,adamw,4e-3' 'loraone,adamw,4e-3' 'loraone,preconditioned-adamw,0.0247')

need_smollm2
if [ -z "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi
mkdir -p "$dir/data"
go build -o "$dir/finetune" ./cmd/finetune
gsm8k train.jsonl 1 "${rows:-$((steps * batch))}" "$chars" >"$dir/data/train.jsonl"
gsm8k test.jsonl 1 "$heldout" "$chars" >"$dir/data/valid.jsonl"

for run in "${runs[@]}"; do
	IFS=, read -r init optimizer rate lambda <<<"$run"
	for seed in $seeds; do
		out=$dir/$run-$seed
		[ -f "$out/finetune.json" ] && continue
		"$dir/finetune" train --model "$smollm2" --data "$dir/data" --map prompt=question,completion=answer \
			--output-dir "$out" --overwrite --max-steps "$steps" --batch-size "$batch" --seed "$seed" --eval-samples 0 \
			--init "$init" --optimizer "$optimizer" --learning-rate "$rate" ${lambda:+--precondition-reg "$lambda"} \
			--progress none "${flags[@]}" >"$dir/$run-$seed.out"
		echo "done: $run, seed $seed" >&2
	done
done
printf "SmolLM2-135M-Instruct, GSM8K, %d steps of %d rows, %d held-out rows%s; " "$steps" "$batch" "$heldout" "${flags[*]:+, ${flags[*]}}"
python3 scripts/gsm8k_table.py "$dir" "$seeds" "${runs[@]}"
