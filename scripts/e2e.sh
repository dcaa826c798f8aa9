#!/usr/bin/env bash
# The whole way with a real model: SmolLM2-135M on GSM8K for a few steps. The loss falls, the adapter loads
# in eval and generate, and one thread writes the same bytes as all of them. About two minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh
need_smollm2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
mkdir "$work/data"
gsm8k train.jsonl 1 48 400 >"$work/data/train.jsonl"
gsm8k train.jsonl 1001 16 400 >"$work/data/valid.jsonl"
gsm8k test.jsonl 1 16 400 >"$work/data/test.jsonl"
map=prompt=question,completion=answer

train() { # OUT FLAG…
	local out=$1
	shift
	"$work/finetune" train --model "$smollm2" --data "$work/data" --map $map --output-dir "$out" --progress none "$@" \
		>"$out.log" 2>&1 || { cat "$out.log"; die "train failed"; }
}

train "$work/adapter" --max-steps 6
"$work/finetune" eval --model "$smollm2" --adapter "$work/adapter" --data "$work/data" --map $map --json >"$work/eval.json" 2>"$work/eval.log" ||
	{ cat "$work/eval.log"; die "eval failed"; }
python3 - "$work" <<'PY'
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
run = json.loads((work / "adapter/finetune.json").read_text())
ev = json.loads((work / "eval.json").read_text())
base, start, best = (run[k + "_eval_loss"] for k in ("base", "start", "best"))
print(f"validation loss: base {base:.4f}, after the start {start:.4f}, best {best:.4f} at step {run['best_step']}")
print(f"test loss: base {ev['base']['loss']:.4f}, adapter {ev['adapter']['loss']:.4f}, rows {ev['rows']}, {run['tokens'] / run['seconds']:.0f} tokens/s of the run")
assert ev["rows"] == 16, ev
assert start < base, "the start did not lower the loss"
assert best < start - 0.02, "training did not lower the loss"
assert ev["adapter"]["loss"] < ev["base"]["loss"] - 0.1, ev
assert ev["difference"]["high"] < 0, ev
PY
"$work/finetune" generate --adapter "$work/adapter" --prompt "What is 2 + 3?" --max-tokens 24 >"$work/text" 2>"$work/generate.log" ||
	{ cat "$work/generate.log"; die "generate failed"; }
[ -s "$work/text" ] || die "generate wrote nothing"

short=(--max-steps 2 --batch-size 2 --init-samples 2 --eval-samples 2)
train "$work/all" "${short[@]}"
train "$work/one" "${short[@]}" --threads 1
cmp "$work/all/adapter_model.safetensors" "$work/one/adapter_model.safetensors" || die "one thread writes another adapter"
echo "one thread and all: the same adapter"
