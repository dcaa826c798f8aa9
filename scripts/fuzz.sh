#!/usr/bin/env bash
# Fuzzes one target after the other, and prints for each how much was tried and whether it held.
#
#   scripts/fuzz.sh                          all targets, 10 minutes each
#   scripts/fuzz.sh -t FuzzYAML -t FuzzOpen  only these
#   scripts/fuzz.sh -d 30s                   another time for each
#   scripts/fuzz.sh -l                       their names
#
# An input that fails is written to testdata/fuzz of its package, where the ordinary tests then run it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

time=10m list='' only=()
while getopts t:d:lh option; do
	case $option in
	t) only+=("$OPTARG") ;;
	d) time=$OPTARG ;;
	l) list=1 ;;
	h) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit ;;
	*) exit 2 ;;
	esac
done

# targets prints package and name of each target.
targets() {
	local dir
	for dir in $(grep -rl --include=*_test.go '^func Fuzz' . | xargs -n1 dirname | sort -u); do
		grep -ho '^func Fuzz[A-Za-z0-9]*' "$dir"/*_test.go | sed "s|^func |$dir |" | sort
	done
}

wanted() {
	[ ${#only[@]} -eq 0 ] && return
	local t
	for t in "${only[@]}"; do [ "$t" = "$1" ] && return; done
	return 1
}

# late tells a run that failed by ending at its time, which Go before 1.27 sometimes takes for a failure
# (golang/go#75804): then that is all it says, and no input was written.
late() {
	[ "$(sed -n '/^--- FAIL/,/^FAIL$/p' "$log" | sed '1d;$d')" = '    context deadline exceeded' ] && ! grep -q 'Failing input' "$log"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
found=0 failed=0
while read -r dir target; do
	wanted "$target" || continue
	found=$((found + 1))
	[ -z "$list" ] || { printf '%-30s %s\n' "$dir" "$target"; continue; }
	outcome=held
	go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s -parallel 1 </dev/null >"$log" 2>&1 || late || { outcome=FAILED; failed=$((failed + 1)); }
	tried=$(grep -o 'execs: [0-9]*' "$log" | tail -1 | cut -d' ' -f2) # none where the seeds took all the time
	printf '%-30s %-20s %12s executions  %s\n' "$dir" "$target" "${tried:-0}" $outcome
	[ $outcome = held ] || cat "$log"
done < <(targets)
[ $found -gt 0 ] || die "no such target (scripts/fuzz.sh -l)"
[ $failed -eq 0 ]
