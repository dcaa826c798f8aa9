"""What scripts/large.sh measures. Started by it.

usage: large.py WORK SMALL BIG"""
import json, os, sys
from pathlib import Path
from measure import train

work, small, big = map(Path, sys.argv[1:])
program, out = work / "finetune", work / "adapter"

def rows(length, count):
    path = work / f"{length}.jsonl"
    text = " ".join(json.loads(line)["answer"] for line in (work / "rows.jsonl").open(encoding="utf-8"))
    text *= 1 + 8 * length // len(text)
    path.write_text("".join(json.dumps({"text": text[i:]}) + "\n" for i in range(count)))
    return ["--data", path, "--max-length", str(length), "--batch-size", "1", "--val-split", "0"]

print("| SmolLM2-135M, tokens a row | tokens/s | allocated, MB | attention's share |\n|---|---|---|---|")
for length, steps in ((512, 3), (2048, 3), (8192, 2)):
    got = train(program, out, "--model", small, *rows(length, 4), "--max-steps", str(steps), "--init", "lora")
    print(f"| {length} | {got['tok_s']:.0f} | {got['anonymous']:,.0f} | {got['shares']['attention']:.0f} % |", flush=True)

all_linear = ["--model", big, "--target-modules", "all-linear", "--lora-r", "16", *rows(512, 8), "--init", "lora"]
print("\n| 1.24 B parameters, every projection, rank 16 | tokens/s | allocated, MB | resident, MB |\n|---|---|---|---|")
got = train(program, out, *all_linear, "--max-steps", "3", "--memory", "3GB")
print(f"| --memory 3GB | {got['tok_s']:.1f} | {got['anonymous']:,.0f} | {got['resident']:,.0f} |", flush=True)

group = Path("/sys/fs/cgroup/memory/finetune-check")  # version 1
unified = Path("/sys/fs/cgroup/finetune-check")
half = os.path.getsize(big / "model.safetensors") // 2
try:
    if group.parent.is_dir():
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(half))
    else:
        group = unified
        group.mkdir(exist_ok=True)
        (group / "memory.max").write_text(str(half))
except OSError as err:
    sys.exit(f"no memory cgroup: {err}")
weights = os.open(big / "model.safetensors", os.O_RDONLY)
os.posix_fadvise(weights, 0, 0, os.POSIX_FADV_DONTNEED)  # pages that are in memory already would not count as the group's
os.close(weights)
try:
    inside = ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"]
    got = train(program, out, *all_linear, "--memory", "700MB", "--max-steps", "2", before=inside)
    print(f"| in a group of {half / 1e6:,.0f} MB, --memory 700MB | {got['tok_s']:.1f} | {got['anonymous']:,.0f} | {got['resident']:,.0f} |")
finally:
    group.rmdir()
