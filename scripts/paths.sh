# Sourced by the other scripts: where things are, and the pieces several of them need.
#
#   FINETUNE_SHARED  folder with tools/ and data/ (default: ../shared beside the repository)
#   FINETUNE_CACHE   folder for the real model and other things worth keeping
#                    (default: the user's cache folder + finetune-checks)
#   FINETUNE_PEER    folder with a Python environment with PyTorch and PEFT
#                    (default: peer in FINETUNE_CACHE; made by tools/make_peer.sh)
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
shared=${FINETUNE_SHARED:-$root/../shared}
cache=${FINETUNE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/finetune-checks}
peer=${FINETUNE_PEER:-$cache/peer}
export CGO_ENABLED=${CGO_ENABLED:-0}

die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# sha256 FILE prints the file's hash alone.
sha256() {
	if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

# need_smollm2 makes the real model where it is not in the cache yet and sets $smollm2 to its folder.
need_smollm2() {
	[ -f "$shared/tools/make_smollm2.sh" ] || die "no tools/make_smollm2.sh in $shared (FINETUNE_SHARED names the folder)"
	smollm2=$cache/SmolLM2-135M-Instruct
	[ -f "$smollm2/model.safetensors" ] && return
	mkdir -p "$cache"
	rm -rf "$smollm2.part"
	local log
	log=$(sh "$shared/tools/make_smollm2.sh" "$smollm2.part" 2>&1) || die "make_smollm2.sh: $log"
	rm -rf "$smollm2"
	mv "$smollm2.part" "$smollm2"
}

# need_peer makes the PyTorch environment where it is not there yet and sets $python to its interpreter.
need_peer() {
	[ -f "$shared/tools/make_peer.sh" ] || die "no tools/make_peer.sh in $shared (FINETUNE_SHARED names the folder)"
	sh "$shared/tools/make_peer.sh" "$peer" >&2
	python=$peer/bin/python
	export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
}

# gsm8k FILE FROM COUNT [MAX] prints COUNT rows of data/gsm8k/FILE from row FROM (1 is the first), of those
# whose question and answer have at most MAX characters together when MAX is given.
gsm8k() {
	python3 - "$shared/data/gsm8k/$1" "$2" "$3" "${4:-0}" <<'PY'
import json, sys
path, start, count, longest = sys.argv[1], *map(int, sys.argv[2:5])
rows = [l for l in open(path, encoding="utf-8")
        if not longest or sum(map(len, json.loads(l).values())) <= longest]
picked = rows[start - 1:start - 1 + count]
if len(picked) < count:
    sys.exit(f"{path}: {len(picked)} rows from {start} on, wanted {count}")
sys.stdout.writelines(picked)
PY
}
