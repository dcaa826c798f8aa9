#!/usr/bin/env bash
# The events of a run that is interrupted and resumed, read by TensorBoard itself: each figure of metrics.jsonl once.
#
#   scripts/tensorboard.sh
#
# TensorBoard is installed into FINETUNE_CACHE once.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

venv=$cache/tensorboard
if [ ! -x "$venv/bin/tensorboard" ]; then
	mkdir -p "$cache"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check tensorboard
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
"$work/finetune" train --model cmd/finetune/demo/model --data cmd/finetune/demo/data -o "$work/run" --max-steps 400 --save-steps 10 \
	--eval-samples 4 --report-to tensorboard --quiet >/dev/null &
lines() { [ -e "$work/run/metrics.jsonl" ] && wc -l <"$work/run/metrics.jsonl" || echo 0; }
until [ "$(lines)" -gt 35 ]; do sleep 0.05; done
kill -9 $!
wait $! 2>/dev/null || true
"$work/finetune" train -o "$work/run" --resume --quiet >/dev/null
"$venv/bin/python" -W ignore - "$work/run" <<'PY'
import json, math, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
lines = [json.loads(line) for line in open(sys.argv[1] + "/metrics.jsonl")]
names = {"loss": "train/loss", "learning_rate": "train/learning_rate", "grad_norm": "train/grad_norm", "eval_loss": "eval/loss", "base_eval_loss": "eval/base_loss"}
assert set(events.Tags()["scalars"]) == set(names.values()), events.Tags()
for key, tag in names.items():
    want = [(line["step"], line[key]) for line in lines if key in line]
    found = [(e.step, e.value) for e in events.Scalars(tag)]
    assert [s for s, _ in found] == [s for s, _ in want], (tag, found, want)
    assert all(math.isclose(a, b, rel_tol=1e-6) for (_, a), (_, b) in zip(found, want)), tag
    print(f"{tag}: {len(found)} figures, as metrics.jsonl has them")
PY
