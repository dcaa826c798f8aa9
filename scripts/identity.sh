#!/usr/bin/env bash
# The same bits on every path: adapters of the demo's model and stories260K's published text from AVX-512, AVX2,
# plain Go and NEON (emulated), with one thread and with more; of rows that share their beginnings too, in less memory. Prints a line for each path and exits 1 where one differs.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/native" ./cmd/finetune
go build -tags purego -o "$work/purego" ./cmd/finetune
GOOS=linux GOARCH=arm64 go build -o "$work/arm64" ./cmd/finetune
published=$root/cmd/finetune/demo/model/published.txt
cd "$work"
./native demo >demo.log 2>&1 || { cat demo.log; die "the demo failed"; }

status=0
differs() { echo "DIFFERENT: $*"; status=1; }

# adapter COMMAND… trains on $data with $flags and prints the adapter's hash.
adapter() {
	rm -rf out
	# shellcheck disable=SC2086
	"$@" train --model finetune-demo/model --data "$data" --output-dir out --eval-samples 8 $flags --quiet >train.log 2>&1 ||
		{ cat train.log >&2; die "$*: train failed"; }
	sha256 out/adapter_model.safetensors
}

# path NAME KERNELS COMMAND… compares one path with $want; KERNELS is what it must use.
path() {
	local name=$1 kernels=$2 got hash
	shift 2
	got=$("$@" version | sed -n 's/^kernels //p')
	[ "$got" = "$kernels" ] || differs "$name uses kernels $got, want $kernels"
	"$@" generate --model finetune-demo/model --prompt "" --max-tokens 256 --temperature 0 >text 2>/dev/null
	cmp -s text "$published" || differs "$name: not the published text"
	hash=$(adapter "$@")
	[ "$hash" = "$want" ] || differs "$name: adapter $hash, want $want"
	printf '%-22s %-8s %s\n' "$name" "$got" "${hash:0:16}"
}

native=$(./native version | sed -n 's/^kernels //p')
data=finetune-demo/data
flags='--max-steps 4'
want=$(adapter ./native)
echo "the published text, and an adapter after some steps:"
path "one thread" "$native" env GOMAXPROCS=1 ./native
path "three threads" "$native" env GOMAXPROCS=3 ./native
if [ "$native" = avx512 ]; then
	path "AVX-512 off" avx2 env GODEBUG=cpu.avx512f=off ./native
fi
path "plain Go" go ./purego

# Every second prompt begins with more of the same words than the others.
data=shared
mkdir shared
for part in train valid; do
	sed -E '1~2s/"prompt": "/&It was a bright morning and everyone in the little town was glad. /; s/"prompt": "/&Tell me a story with a robot and a happy end, and do not make it long. /' \
		"finetune-demo/data/$part.jsonl" >"shared/$part.jsonl"
done
./native plan --model finetune-demo/model --data shared --output-dir plan | grep 'begin alike' >/dev/null || die "the rows do not share their beginnings"
want=$(adapter ./native)
echo "and of rows that share their beginnings:"
path "one thread" "$native" env GOMAXPROCS=1 ./native
if [ "$native" = avx512 ]; then
	path "AVX-512 off" avx2 env GODEBUG=cpu.avx512f=off ./native
fi
path "plain Go" go ./purego
flags='--max-steps 4 --memory 18MB'
path "in 18 MB" "$native" env GOMAXPROCS=3 ./native

data=finetune-demo/data
if [ "$native" = avx512 ] && ./native train --model finetune-demo/model --data "$data" --output-dir out --max-steps 1 --compute int8 --quiet >/dev/null 2>&1; then
	flags='--max-steps 4 --compute int8'
	want=$(adapter ./native)
	echo "and in int8:"
	path "one thread" avx512 env GOMAXPROCS=1 ./native
	if grep -qw avx_vnni /proc/cpuinfo 2>/dev/null; then
		path "AVX-512 off" avx2 env GODEBUG=cpu.avx512f=off ./native
	fi
fi
# The singular vectors come from gonum, whose bits are the architecture's own: between architectures, a start without them.
if [ "$(go env GOOS)" = linux ] && command -v qemu-aarch64-static >/dev/null; then
	data=shared
	flags='--init lora --max-steps 2 --batch-size 4'
	want=$(adapter ./native)
	path "arm64, emulated" neon qemu-aarch64-static ./arm64
fi
exit $status
