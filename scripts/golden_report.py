#!/usr/bin/env python3
"""Golden numbers of `finetune report`, by pandas and scipy: the runs in
train/report/testdata/sweep are read here anew, without any of the program's own code.

    pip install pandas scipy
    scripts/golden_report.py

writes train/report/testdata/golden.json, which train/report's tests compare to 1e-9.
"""
import json
import pathlib

import numpy as np
import pandas as pd
from scipy import stats

root = pathlib.Path(__file__).resolve().parent.parent / "train/report/testdata"


def pace(folder):
    """Tokens per second of the training steps alone."""
    lines = pd.read_json(folder / "metrics.jsonl", lines=True)
    steps = lines[lines["loss"].notna()]
    tokens = np.diff(np.concatenate([[0], steps["tokens"]]))
    return tokens.sum() / (tokens / steps["tokens_per_second"]).sum()


def label(run):
    return ",".join([run["variant"]] + [f'{s["key"]}={s["value"]}' for s in run["settings"] if not s.get("implied")])


record = json.loads((root / "sweep/sweep.json").read_text())
rows, held = [], {}
for run in record["runs"]:
    folder = root / "sweep" / run["name"]
    p = json.loads((folder / "finetune.json").read_text())
    rows.append({
        "configuration": label(run), "seed": run["seed"], "loss": p["best_eval_loss"], "best_step": p["best_step"],
        "seconds": p["seconds"], "bytes": p["allocated_bytes"], "pace": pace(folder),
    })
    held[label(run), run["seed"]] = pd.read_json(folder / "heldout.jsonl", lines=True)

runs = pd.DataFrame(rows)
baseline = [label(r) for r in record["runs"] if r["configuration"] in record["baseline"]][0]
losses = runs.pivot(index="seed", columns="configuration", values="loss")

configurations = {}
for name, group in runs.groupby("configuration"):
    configurations[name] = {
        "mean": group["loss"].mean(), "sd": group["loss"].std(ddof=1), "best_step": group["best_step"].mean(),
        "seconds": group["seconds"].mean(), "pace": group["pace"].mean(), "bytes": int(group["bytes"].max()),
    }
    if name == baseline:
        continue
    test = stats.ttest_rel(losses[name], losses[baseline])
    low, high = test.confidence_interval(0.95)
    configurations[name]["seeds"] = [(losses[name] - losses[baseline]).mean(), low, high]

    # one seed, by rows: a ratio of sums with its linearised standard error
    a, b = held[name, 1], held[baseline, 1]
    d, w = (a["nats"] - b["nats"]).to_numpy(), a["tokens"].to_numpy(float)
    ratio = d.sum() / w.sum()
    se = np.std(d - ratio * w, ddof=0) * np.sqrt(len(d) / (len(d) - 1)) / np.sqrt(len(d)) / w.mean()
    low, high = stats.t.interval(0.95, len(d) - 1, loc=ratio, scale=se)
    configurations[name]["rows"] = [ratio, low, high]

(root / "golden.json").write_text(json.dumps({"baseline": baseline, "configurations": configurations}, indent=1) + "\n")
