#!/usr/bin/env bash
# Faults while a run, a merge or an export writes: kills and errors at chosen system calls, full and read-only folders,
# damaged files. After each a run goes on (`--resume`) and must end with the bytes of one that was left alone; a merge or an
# export leaves the whole result or nothing. Prints a table: what was done, how often, what came of it. Exits 1 where work
# was lost. Linux; strace and root for most of it, what cannot run is said.
#
#   scripts/faults.sh          a few minutes; FINETUNE names a program that is built already
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

work=$(mktemp -d)
chmod 755 "$work"
small='' # a mounted file system
trap '[ -z "$small" ] || umount "$small"; rm -rf "$work"' EXIT
finetune=${FINETUNE:-$work/finetune}
[ -x "$finetune" ] || go build -o "$finetune" ./cmd/finetune
cp -r cmd/finetune/demo "$work"
cd "$work"
flags=(--model demo/model --data demo/data --max-steps 4 --batch-size 1 --max-length 64 --lora-r 2 --init-samples 2
	--eval-samples 2 --eval-steps 2 --save-steps 1 --progress none --log-level warn --threads 1)
slow=("${flags[@]}" --max-steps 40 --batch-size 4 --save-steps 5 --eval-steps 20)

declare -A times said
order=()
lost=0

# note KIND OUTCOME counts one fault.
note() {
	[ -n "${times[$1]:-}" ] || order+=("$1")
	times[$1]=$((${times[$1]:-0} + 1))
	said[$1|$2]=$((${said[$1|$2]:-0} + 1))
}

# train ARG… sets $status; what it says is in the file log.
train() { status=0; "$@" >log 2>&1 || status=$?; }

# outcome says how a run ended that met a fault: killed, refused with a message, or done.
outcome() {
	case $status in
	0) echo "went on" ;;
	137) echo "killed" ;;
	*) grep -q '^finetune: error: ' log && echo "said so" || echo "LOST: exit $status without an error" ;;
	esac
}

# settle KIND DIR REFERENCE resumes the run in DIR and notes what came of the fault. An adapter of the run in other
# stays whole until then.
settle() {
	local kind=$1 dir=$2 reference=$3 first
	first=$(outcome)
	if [ -f "$dir/adapter_config.json" ] && [ -f "$dir/adapter_model.safetensors" ]; then
		cmp -s "$dir/adapter_model.safetensors" other/adapter_model.safetensors ||
			cmp -s "$dir/adapter_model.safetensors" "$reference/adapter_model.safetensors" || first="LOST: a broken adapter"
	fi
	local again=(--resume) # where the folder is still another run's, the fault came before everything
	grep -q '^seed: 42' "$dir/run.yaml" "$dir/.run.yaml.new" 2>/dev/null || again=("${flags[@]}" --overwrite)
	train "$finetune" train -o "$dir" "${again[@]}"
	if [ $status -ne 0 ] || ! cmp -s "$dir/adapter_model.safetensors" "$reference/adapter_model.safetensors"; then
		cat log
		first="LOST: $first, then exit $status"
	elif ! diff <(cd "$dir" && find . ! -name .lock | sort) <(cd "$reference" && find . | sort); then # a lock may stay
		first="LOST: other files"
	fi
	case $first in LOST*) lost=$((lost + 1)) ;; esac
	note "$kind" "$first"
}

# inject KIND CALL FAULT STEP [other] does FAULT at the STEPth, 2·STEPth … system call of a kind, in a new folder or over
# a finished run's.
inject() {
	local kind=$1 call=$2 fault=$3 step=$4 over=${5:-} n
	command -v strace >/dev/null || { skipped+=("$kind: no strace"); return; }
	for ((n = step; n < 400; n += step)); do
		rm -rf out
		[ -z "$over" ] || cp -r other out
		train strace -f -o trace -e "trace=$call" -e "inject=$call:$fault:when=$n" "$finetune" train "${flags[@]}" -o out ${over:+--overwrite}
		grep -Eq 'INJECTED|killed by SIGKILL' trace || break
		settle "$kind" out whole
	done
	[ "$n" -gt "$step" ] || die "$kind: no such call, or no ptrace"
}

skipped=()
train "$finetune" train "${flags[@]}" -o whole
[ $status -eq 0 ] || { cat log; die "train failed"; }
train "$finetune" train "${flags[@]}" --seed 7 -o other
train "$finetune" train "${slow[@]}" -o long

for over in '' other; do
	inject "killed at a rename${over:+, overwriting}" renameat signal=SIGKILL 1 $over
	inject "killed at a flush${over:+, overwriting}" fsync signal=SIGKILL 3 $over
	inject "killed at a removal${over:+, overwriting}" unlinkat signal=SIGKILL 4 $over
	inject "killed at a new folder${over:+, overwriting}" mkdirat signal=SIGKILL 1 $over
	inject "disk error at a flush${over:+, overwriting}" fsync error=EIO 5 $over
	inject "disk error at a rename${over:+, overwriting}" renameat error=EIO 3 $over
	inject "quota reached at a write${over:+, overwriting}" write error=EDQUOT 23 $over
	inject "no permission at an open${over:+, overwriting}" openat error=EACCES 7 $over
done

if [ "$(id -u)" = 0 ] && mkdir disk && mount -t tmpfs -o size=1m tmpfs disk 2>/dev/null; then
	small=$work/disk
	for size in 8 16 24 32 40 48 56 64 80 96 112 128; do
		rm -rf disk/out
		mount -o remount,size=${size}k disk
		train "$finetune" train "${flags[@]}" -o disk/out
		mount -o remount,size=1m disk
		settle "a full disk" disk/out whole
	done
	rm -rf disk/out
	for words in 'merge -o' 'export --to gguf --merged -o' 'export --to ollama -o' 'export --to mlx -o' 'export --to peft -o'; do
		read -ra words <<<"$words"
		for size in 4 8 16 64 256 512 1024; do # what they write has 8 kB to 2 MB
			mount -o remount,size=${size}k disk
			train "$finetune" "${words[@]}" disk/new --adapter whole
			first=$(outcome)
			[ $status -eq 0 ] || [ -z "$(ls -A disk)" ] || first="LOST: it left $(ls -A disk)"
			case $first in LOST*) lost=$((lost + 1)) ;; esac
			note "a full disk under ${words[0]}" "$first"
			rm -rf disk/new
		done
	done
	mount -o remount,size=16m disk
	cp -r demo disk
	nobody() { (cd disk && HOME=/ setpriv --reuid 65534 --regid 65534 --clear-groups "$@"); }
	for when in start middle; do
		mkdir -p disk/mine && chmod 777 disk/mine && chmod 755 disk
		[ $when = middle ] || chmod 555 disk/mine
		(
			until grep -q '"step":12,' disk/mine/metrics.jsonl 2>/dev/null || [ -f over ]; do sleep 0.02; done
			chmod 555 disk/mine disk/mine/checkpoints 2>/dev/null
		) &
		train nobody "$finetune" train "${slow[@]}" -o mine
		touch over
		wait
		rm over
		chmod -R 777 disk/mine
		if [ $when = start ]; then rm -rf disk/mine; flags=("${slow[@]}"); fi
		settle "a read-only folder from the $when on" disk/mine long
		rm -rf disk/mine
	done
else
	skipped+=("a full disk, a read-only folder: needs root and tmpfs")
fi

# under KIND COMMAND does something to the weights or the folder in the middle of a run, and puts the weights back.
under() {
	rm -rf out && cp demo/model/model.safetensors weights
	(
		until grep -q '"step":12,' out/metrics.jsonl 2>/dev/null; do sleep 0.02; done
		eval "$2"
	) &
	train "$finetune" train "${slow[@]}" -o out
	wait
	mv weights demo/model/model.safetensors
	settle "$1" out long
}
flags=("${slow[@]}")
for n in 0 4096 100000 1000000; do under "weights cut under the run" "truncate -s $n demo/model/model.safetensors"; done
under "weights overwritten under the run" "dd if=/dev/zero of=demo/model/model.safetensors bs=1000 seek=500 count=1 conv=notrunc status=none"
under "weights replaced under the run" "echo no model >new && mv new demo/model/model.safetensors"
under "weights removed under the run" "rm demo/model/model.safetensors"
under "a second run in the folder" "'$finetune' train -o out --resume >second 2>&1; grep -q 'is in use by process' second || touch out/NOT-REFUSED"

# stopped leaves a run in out that was interrupted after step 12.
stopped() {
	rm -rf out
	"$finetune" train "${slow[@]}" -o out >log 2>&1 &
	local pid=$!
	until grep -q '"step":12,' out/metrics.jsonl 2>/dev/null; do sleep 0.02; done
	kill -INT $pid
	wait $pid || true
}

# flip FILE changes a random bit.
flip() {
	python3 - "$1" $RANDOM$RANDOM <<'PY'
import sys
path, n = sys.argv[1], int(sys.argv[2])
data = bytearray(open(path, "rb").read())
data[n % len(data)] ^= 1 << (n // 7 % 8)
open(path, "wb").write(data)
PY
}

# spoil KIND COMMAND harms the folder of an interrupted run.
spoil() {
	rm -rf out && cp -r half out
	eval "$2"
	status=0
	settle "$1" out long
}
stopped
mv out half
newest() { find out/checkpoints -name 'step-*' | sort | tail -1; }
for _ in 1 2 3; do
	for file in state.safetensors state.json manifest.json; do
		spoil "a bit of the newest checkpoint" "flip \$(newest)/$file"
		grep -q 'warning: skipped: checkpoint: ' log || { note "a bit of the newest checkpoint" "LOST: no warning"; lost=$((lost + 1)); }
	done
done
for file in state.safetensors state.json manifest.json; do
	spoil "the newest checkpoint cut short" "truncate -s 40 \$(newest)/$file"
	spoil "a file of the newest checkpoint gone" "rm \$(newest)/$file"
done
spoil "every checkpoint damaged" "for f in out/checkpoints/*/state.json; do flip \$f; done"
spoil "metrics.jsonl cut short" "truncate -s 200 out/metrics.jsonl"
spoil "metrics.jsonl gone" "rm out/metrics.jsonl"

printf '%-46s %5s  %s\n' fault times outcome
for kind in "${order[@]}"; do
	text=''
	for key in "${!said[@]}"; do
		[ "${key%|*}" != "$kind" ] || text+="${text:+, }${said[$key]} ${key##*|}"
	done
	printf '%-46s %5d  %s\n' "$kind" "${times[$kind]}" "$text"
done
[ ${#skipped[@]} -eq 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
echo "after each of them --resume ended with the bytes of a run that was left alone; lost: $lost"
[ $lost -eq 0 ]
