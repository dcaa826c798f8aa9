#!/usr/bin/env bash
# finetune against PyTorch + PEFT on this machine, the two in turn: tokens/s, peak memory, and the time from the
# start of the program to the first step. Prints a markdown table of medians with ratios.
#
#   scripts/bench.sh [-k ROUNDS] [-n STEPS] [-b BATCH] [-t qv|all] [-d fp32|bf16] [-s TOKENS] [-j THREADS]
#
# Rows are GSM8K through the chat template; with -s each has exactly TOKENS tokens, all trained. -d is the peer's
# dtype (finetune computes in float32). The same rows, plain LoRA and AdamW for both, no evaluation.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

rounds=3 steps=6 batch=4 targets=qv dtype=fp32 tokens=0 threads=$(getconf _NPROCESSORS_ONLN)
while getopts k:n:b:t:d:s:j: option; do
	case $option in
	k) rounds=$OPTARG ;;
	n) steps=$OPTARG ;;
	b) batch=$OPTARG ;;
	t) targets=$OPTARG ;;
	d) dtype=$OPTARG ;;
	s) tokens=$OPTARG ;;
	j) threads=$OPTARG ;;
	*) die "usage: see the head of scripts/bench.sh" ;;
	esac
done
need_smollm2
need_peer
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # they slow a current PyTorch down
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
gsm8k train.jsonl 1 $(((steps + 1) * batch)) >"$work/rows.jsonl"
"$python" -W ignore scripts/bench.py --work "$work" --model "$smollm2" --peer "$shared/tools/bench_peer.py" --rounds "$rounds" \
	--steps "$steps" --batch "$batch" --targets "$targets" --dtype "$dtype" --tokens "$tokens" --threads "$threads"
