#!/usr/bin/env bash
# A long run on the demo's model: memory, open files and threads at its end are what they were near its start.
#
#   scripts/soak.sh [STEPS]    5000 steps; Linux. FINETUNE names a program that is built already
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

steps=${1:-5000}
[ -r /proc/self/status ] || die "no /proc here"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
finetune=${FINETUNE:-$work/finetune}
[ -x "$finetune" ] || go build -o "$finetune" ./cmd/finetune

"$finetune" train --model cmd/finetune/demo/model --data cmd/finetune/demo/data -o "$work/out" --max-steps "$steps" --batch-size 2 \
	--max-length 128 --target-modules all-linear --init-samples 4 --eval-samples 4 --eval-steps 100 --save-steps 100 --logging-steps 10 --quiet >"$work/log" 2>&1 &
pid=$!
step() { tail -n 1 "$work/out/metrics.jsonl" 2>/dev/null | sed -n 's/^{"step":\([0-9]*\),.*/\1/p'; }

# sample prints step, resident KB, open files and threads.
sample() {
	local at
	at=$(step)
	printf '%d %d %d %d\n' "${at:-0}" "$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$pid/status)" \
		"$(find /proc/$pid/fd -mindepth 1 2>/dev/null | wc -l)" "$(sed -n 's/^Threads:[^0-9]*//p' /proc/$pid/status)"
}
while kill -0 $pid 2>/dev/null; do
	sample >>"$work/samples" 2>/dev/null || true
	sleep 0.5
done
wait $pid || { cat "$work/log"; die "train failed"; }

# The largest of the second tenth of the run against the largest of the last tenth.
awk -v steps="$steps" '
	$1 >= steps * 0.1 && $1 < steps * 0.2 { n++; for (i = 2; i <= 4; i++) if ($i > early[i]) early[i] = $i }
	$1 >= steps * 0.9 && $2 > 0 { m++; for (i = 2; i <= 4; i++) if ($i > late[i]) late[i] = $i }
	END {
		if (!n || !m) { print "too few samples: more steps"; exit 1 }
		printf "%d steps: %.1f MB, %d open files, %d threads in the second tenth; %.1f MB, %d, %d in the last\n", steps, early[2] / 1000, early[3], early[4], late[2] / 1000, late[3], late[4]
		exit late[2] > early[2] * 1.1 + 1000 || late[3] > early[3] + 2
	}' "$work/samples" || die "it grows"
