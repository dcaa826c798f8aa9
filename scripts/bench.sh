#!/usr/bin/env bash
# finetune against PyTorch + PEFT on this machine, in turn: tokens/s, peak memory, and the time from the start of the
# program to the first step. Prints a markdown table of medians with ratios, a line a job.
#
#   scripts/bench.sh [-k ROUNDS] [-n STEPS] [-b FINETUNE] [JOB…]
#
# A JOB is dense (4 rows of 512 tokens, all trained), gsm8k (8 rows a step through the chat template), prompt (the same
# with one instruction of some 500 tokens before all questions, and about 100 tokens behind it) or start
# (LoRA-One's start from 8 rows of 512 tokens, against that of the method's authors), followed by any of
#   -all     every projection, rank 16, in place of q and v, rank 8
#   -bf16    products in bfloat16
#   -int8    ours in 8-bit integers, the peer in float32
#   -avx2    both without AVX-512
#   -1       one thread
#   -memory  finetune with half the memory it takes otherwise (--memory)
# such as gsm8k-bf16-1. Without any, all that the README shows. finetune and the peer train plain LoRA with AdamW on
# the same rows, without evaluation. With -b another build of finetune takes the peer's place.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

rounds=5 steps=6 other=
while getopts k:n:b: option; do
	case $option in
	k) rounds=$OPTARG ;;
	n) steps=$OPTARG ;;
	b) other=$(realpath "$OPTARG") ;;
	*) die "usage: see the head of scripts/bench.sh" ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- dense dense-bf16 dense-all dense-all-bf16 gsm8k gsm8k-bf16 dense-avx2 gsm8k-avx2 dense-1 dense-memory gsm8k-memory start start-all
need_smollm2
if [ "$other" ]; then python=python3; else need_peer; fi
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # they slow a current PyTorch down
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
gsm8k train.jsonl 1 $(((steps + 1) * 8)) >"$work/gsm8k.jsonl"
"$python" -W ignore scripts/bench.py "$work" "$smollm2" "${other:-$shared/tools/bench_peer.py}" "$rounds" "$steps" "$@"
