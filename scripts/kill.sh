#!/usr/bin/env bash
# Power cuts: kill -9 at random moments of runs on the demo's model, in their start, their middle and their end, each
# time followed by `finetune train -o DIR --resume`. Every run must end with the bytes of one that was left alone.
#
#   scripts/kill.sh [KILLS [THREADS]]     10 kills, 2 threads; GODEBUG chooses the kernels (cpu.avx512f=off)
#
# Every second run replaces an adapter that must be whole until the new one is there. KILL_SEED repeats a choice of
# moments (as far as the machine does), KILL_STEPS is the length of a run (150), FINETUNE a program that is built already. KILL_DATA names other data,
# and KILL_BATCH rows of a step: rows that share their beginnings do so within one.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

kills=${1:-10} threads=${2:-2} steps=${KILL_STEPS:-150}
RANDOM=${KILL_SEED:=$RANDOM}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
finetune=${FINETUNE:-$work/finetune}
[ -x "$finetune" ] || go build -o "$finetune" ./cmd/finetune
demo=$root/cmd/finetune/demo
cd "$work"
flags=(--model "$demo/model" --data "${KILL_DATA:-$demo/data}" --max-steps "$steps" --batch-size "${KILL_BATCH:-1}" --max-length 64 --lora-r 4
	--init-samples 2 --eval-samples 2 --eval-steps 20 --save-steps 3 --progress none --log-level error)

now() { echo $((${EPOCHREALTIME/./} / 1000)); } # milliseconds

# lines FILE prints what a run reported, without what depends on the clock.
lines() { sed -E 's/,"(tokens_per_second|seconds)":[^,}]*//g' "$1/metrics.jsonl"; }

# compare DIR WHAT fails unless DIR holds the run that was left alone, and nothing else.
compare() {
	cmp "$1/adapter_model.safetensors" whole/adapter_model.safetensors || die "$2: another adapter (KILL_SEED=$KILL_SEED)"
	cmp "$1/adapter_config.json" whole/adapter_config.json || die "$2: another configuration (KILL_SEED=$KILL_SEED)"
	cmp <(lines "$1") <(lines whole) || die "$2: other lines in metrics.jsonl (KILL_SEED=$KILL_SEED)"
	diff <(cd "$1" && find . ! -name .lock | sort) <(cd whole && find . | sort) || die "$2: other files in its folder (KILL_SEED=$KILL_SEED)"
}

start=$(now)
env -u GODEBUG "$finetune" train "${flags[@]}" --threads 1 -o whole >log 2>&1 || { cat log; die "train failed"; }
run=$(($(now) - start))
start=$(now)
cp -r whole end
rm end/adapter_* end/finetune.json
"$finetune" train -o end --resume --threads "$threads" >log 2>&1 || { cat log; die "resume failed"; }
finish=$(($(now) - start))
compare end "resumed at its end"
"$finetune" train "${flags[@]}" --seed 7 -o other >log 2>&1 || { cat log; die "train failed"; }

total=0 runs=0 in_start=0 in_middle=0 in_end=0

# attempt LIMIT ARG… starts a run, kills it within LIMIT milliseconds, and returns 0 if it had ended before. After the
# last kill it lets runs end.
attempt() {
	local limit=$1 pid status=0
	shift
	"$finetune" train "$@" --threads "$threads" >log 2>&1 &
	pid=$!
	if [ $total -lt "$kills" ]; then
		sleep "$(awk "BEGIN { print $RANDOM / 32768 * $limit / 1000 }")"
		kill -9 "$pid" 2>/dev/null || true
	fi
	wait "$pid" 2>/dev/null || status=$?
	[ $status -eq 0 ] && return
	[ $status -eq 137 ] || { cat log; die "exit code $status (KILL_SEED=$KILL_SEED)"; }
	total=$((total + 1))
	if [ -d "$dir/checkpoints/step-$(printf %06d "$steps")" ]; then
		in_end=$((in_end + 1))
	elif compgen -G "$dir/checkpoints/step-*" >/dev/null; then
		in_middle=$((in_middle + 1))
	else
		in_start=$((in_start + 1))
	fi
	return 1
}

# whole_adapter fails unless an adapter that is being replaced is the old one or the new one.
whole_adapter() {
	local weights=$dir/adapter_model.safetensors
	[ "$1" = other ] && [ -f "$dir/adapter_config.json" ] || return 0
	cmp -s "$weights" other/adapter_model.safetensors || cmp -s "$weights" whole/adapter_model.safetensors ||
		die "the adapter of the earlier run is damaged (KILL_SEED=$KILL_SEED)"
}

while [ $total -lt "$kills" ]; do
	dir=run-$runs
	over='' first=("${flags[@]}")
	if [ $((runs % 2)) -eq 1 ]; then
		over=other
		cp -r other "$dir"
		first+=(--overwrite)
		# It is begun once the folder is its own: before, the old run is all there is.
		until attempt $((finish * 2)) "${first[@]}" -o "$dir" || grep -q '^seed: 42' "$dir/run.yaml" "$dir/.run.yaml.new" 2>/dev/null; do whole_adapter "$over"; done
	else
		attempt $((finish * 2)) "${first[@]}" -o "$dir" || true
	fi
	for _ in 1 2; do # its start, mostly
		attempt "$finish" "${flags[@]}" -o "$dir" --resume && break
		whole_adapter "$over"
	done
	more=("${flags[@]}")
	until attempt $((run / 3 + 50)) "${more[@]}" -o "$dir" --resume; do
		whole_adapter "$over"
		more=()
		[ -f "$dir/run.yaml" ] || [ -f "$dir/.run.yaml.new" ] || more=("${flags[@]}")
	done
	compare "$dir" "run $runs"
	rm -f "$dir"/adapter_config.json
	for _ in 1 2 3; do # its end alone
		attempt "$finish" -o "$dir" --resume && break
	done
	"$finetune" train -o "$dir" --resume --threads "$threads" >log 2>&1 || { cat log; die "resume failed"; }
	compare "$dir" "run $runs, its end"
	rm -rf "$dir"
	runs=$((runs + 1))
done

printf '%d kills in %d runs of %d steps (%d in the start, %d in the middle, %d in the end), %s thread(s), %s: every adapter is %s\n' \
	"$total" "$runs" "$steps" $in_start $in_middle $in_end "$threads" "$("$finetune" version | sed -n 's/^kernels //p')" \
	"$(sha256 whole/adapter_model.safetensors | cut -c1-16)"
