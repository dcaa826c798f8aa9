"""Prints the table of scripts/gsm8k.sh from the finetune.json files of its runs.

usage: gsm8k_table.py DIR "SEEDS" RUN…        (a RUN is init,optimizer,rate[,lambda]; its folders are DIR/RUN-SEED)
"""
import json, statistics, sys
from pathlib import Path

def mean(values, digits=4):
    text = f"{statistics.fmean(values):.{digits}f}"
    return text + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")

def main():
    folder, seeds, *runs = sys.argv[1:]
    seeds = seeds.split()
    print(f"held-out loss per trained token, mean ± sd over seeds {', '.join(seeds)}\n")
    print("| start | optimizer | rate | λ | before | after the start | after training | best | at step | seconds |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for run in runs:
        init, optimizer, rate, reg = (run.split(",") + ["–"])[:4]
        found = [json.loads((Path(folder) / f"{run}-{seed}" / "finetune.json").read_text()) for seed in seeds]
        column = lambda key, digits=4: mean([f[key] for f in found], digits)
        best = ", ".join(str(f["best_step"]) for f in found)
        print("|", " | ".join([init, optimizer, rate, reg, column("base_eval_loss"), column("start_eval_loss"), column("last_eval_loss"),
                               column("best_eval_loss"), best, column("seconds", 0)]), "|")

if __name__ == "__main__":
    main()
