#!/usr/bin/env python3
"""Golden numbers of `finetune report`, by pandas and scipy: the runs in train/report/testdata/sweep, and for answers
those in testdata/answers, are read here anew, without any of the program's own code.

    pip install pandas scipy
    scripts/golden_report.py            writes train/report/testdata/golden.json, which train/report's tests compare to 1e-9
    scripts/golden_report.py FINETUNE   lets that program make testdata/answers anew first
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
from scipy import stats

repository = pathlib.Path(__file__).resolve().parent.parent
root = repository / "train/report/testdata"

# What the robot of the demo's stories says: the answers of the scored sweep, and the choices.
says = ["I can help", "Bip can fix it", "Do not be sad", "I will help you", "Do not worry"]
scored = f"""
base:
  {{model: model, data: rows, max_steps: 12, eval_steps: 6, batch_size: 4, lora_r: 2, target_modules: [q_proj], threads: 1,
   score: "choice: {",".join(says)}", sample_prompts: 2}}
output_dir: answers
variants:
  loraone: {{lora_r: [1, 2]}}
  lora: {{init: lora, optimizer: adamw, learning_rate: 0.01}}
seeds: [1, 2, 3]
baseline: {{variant: lora}}
"""


def make(finetune):
    """Runs the scored sweep and leaves what a report reads of it, without this machine's folders."""
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        shutil.copytree(repository / "cmd/finetune/demo/model", work / "model")
        (work / "rows").mkdir()
        for part in ["train", "valid"]:
            with open(work / "rows" / f"{part}.jsonl", "w") as out:
                for line in open(repository / "cmd/finetune/demo/data" / f"{part}.jsonl"):
                    row = json.loads(line)
                    story, said = re.match(r'(.*?"Beep beep[!,] )([A-Z][^",]*)', row["completion"]).groups()
                    print(json.dumps({"prompt": row["prompt"] + story, "completion": said}), file=out)
        (work / "answers.yaml").write_text(scored)
        subprocess.run([finetune, "sweep", "answers.yaml", "--quiet"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(root / "answers", ignore_errors=True)
        for file in work.glob("answers/**/*"):
            kept = ["sweep.json", "finetune.json", "heldout.jsonl", "metrics.jsonl", "run.yaml", "adapter_config.json", "adapter_model.safetensors"]
            if file.name not in kept or "checkpoints" in str(file):
                continue
            to = root / file.relative_to(work)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(file.read_bytes().replace(name.encode(), b"/home/user"))


def pace(folder):
    """Tokens per second of the training steps alone."""
    lines = pd.read_json(folder / "metrics.jsonl", lines=True)
    steps = lines[lines["loss"].notna()]
    tokens = np.diff(np.concatenate([[0], steps["tokens"]]))
    return tokens.sum() / (tokens / steps["tokens_per_second"]).sum()


def label(run):
    return ",".join([run["variant"]] + [f'{s["key"]}={s["value"]}' for s in run["settings"] if not s.get("implied")])


def read(name):
    """The configurations' labels, the baseline's, and by label and seed the provenance and the held-out rows."""
    record = json.loads((root / name / "sweep.json").read_text())
    runs, held = {}, {}
    for run in record["runs"]:
        folder = root / name / run["name"]
        runs[label(run), run["seed"]] = json.loads((folder / "finetune.json").read_text()) | {"pace": pace(folder)}
        held[label(run), run["seed"]] = pd.read_json(folder / "heldout.jsonl", lines=True)
    baseline = [label(r) for r in record["runs"] if r["configuration"] in record["baseline"]][0]
    return baseline, runs, held


if len(sys.argv) > 1:
    make(str(pathlib.Path(sys.argv[1]).resolve()))

baseline, runs, held = read("sweep")
table = pd.DataFrame([
    {"configuration": name, "seed": seed, "loss": p["best_eval_loss"], "best_step": p["best_step"],
     "seconds": p["seconds"], "bytes": p["allocated_bytes"], "pace": p["pace"]}
    for (name, seed), p in runs.items()
])
losses = table.pivot(index="seed", columns="configuration", values="loss")

configurations = {}
for name, group in table.groupby("configuration"):
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

# Answers: right or wrong by row, the rows of two runs of a seed beside each other.
base, runs, held = read("answers")
seeds = sorted({seed for _, seed in runs})
right = {key: rows.set_index(["file", "line"])["answers"].map(lambda a: float(a["adapter"])) for key, rows in held.items()}
answers = {}
for name in sorted({name for name, _ in runs}):
    shares = pd.Series([right[name, seed].mean() for seed in seeds])
    answers[name] = {"mean": shares.mean(), "sd": shares.std(ddof=1)}
    if name == base:
        continue
    test = stats.ttest_rel(shares, pd.Series([right[base, seed].mean() for seed in seeds]))
    answers[name]["seeds"] = [shares.mean() - np.mean([right[base, seed].mean() for seed in seeds]), *test.confidence_interval(0.95)]
    a, b = right[name, 1].align(right[base, 1], join="inner")
    test = stats.ttest_rel(a, b)
    answers[name]["rows"] = [(a - b).mean(), *test.confidence_interval(0.95)]

golden = {"baseline": baseline, "configurations": configurations, "answers": answers}
(root / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
