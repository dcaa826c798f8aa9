"""What scripts/memory.sh measures. Started by it.

usage: memory.py WORK < lines of NAME TAB MODEL TAB BUDGETS"""
import json, subprocess, sys
from pathlib import Path
from measure import train

work = Path(sys.argv[1])
print("| model | --memory | plan, MB | measured, MB | measured / plan | resident, MB | micro-batch | blocks computed twice | tokens/s |\n" + "|---" * 9 + "|")
for line in sys.stdin:
    name, model, budgets = line.rstrip("\n").split("\t")
    for budget in budgets.split(","):
        flags = ["--model", model, "--data", work / "rows.jsonl", "--map", "prompt=question,completion=answer",
                 "--init-samples", "4", "--max-steps", "2", "--batch-size", "6", *(["--memory", budget] if budget != "none" else [])]
        done = subprocess.run([work / "finetune", "plan", "--json", "--quiet", *flags], capture_output=True, text=True)
        if done.returncode:
            print(f"| {name} | {budget} | {done.stderr.splitlines()[0]} | | | | | | |", flush=True)
            continue
        plan, got = json.loads(done.stdout), train(work / "finetune", work / "adapter", *flags)
        planned = plan["allocated_bytes"] / 1e6
        print(f"| {name} | {budget} | {planned:,.0f} | {got['anonymous']:,.0f} | {got['anonymous'] / planned:.2f} | {got['resident']:,.0f} | "
              f"{plan['micro_batch']} | {plan['recomputed_blocks']} | {got['tok_s']:.0f} |", flush=True)
