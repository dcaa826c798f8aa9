"""What scripts/bench.sh measures: finetune and bench_peer.py in turn, on the same rows. Started by it."""
import argparse, json, os, shutil, statistics, subprocess, sys, threading, time
from pathlib import Path

ap = argparse.ArgumentParser()
for name, kind in dict(work=Path, model=str, peer=str, rounds=int, steps=int, batch=int, targets=str, dtype=str, tokens=int, threads=int).items():
    ap.add_argument(f"--{name}", type=kind, required=True)
a = ap.parse_args()

def rows():
    """The file both read, and finetune's flags for it."""
    if not a.tokens:
        return a.work / "rows.jsonl", ["--map", "prompt=question,completion=answer"]
    path = a.work / "long.jsonl"
    text = " ".join(json.loads(line)["answer"] for line in open(a.work / "rows.jsonl", encoding="utf-8"))
    text *= 1 + 8 * a.tokens // len(text)
    path.write_text("".join(json.dumps({"text": text[i:]}) + "\n" for i in range((a.steps + 1) * a.batch)))
    return path, ["--max-length", str(a.tokens)]

def steps_of(path):
    return [m for line in path.read_text().splitlines() if "loss" in (m := json.loads(line))] if path.exists() else []

def ours():
    out = a.work / "adapter"
    shutil.rmtree(out, ignore_errors=True)
    path, flags = rows()
    command = [a.work / "finetune", "train", "--model", a.model, "--data", path, *flags, "--output-dir", out, "--batch-size", str(a.batch),
               "--max-steps", str(a.steps + 1), "--init", "lora", "--optimizer", "adamw", "--val-split", "0", "--save-steps", "1000000",
               "--target-modules", "q_proj,v_proj" if a.targets == "qv" else "all-linear", "--threads", str(a.threads), "--quiet"]
    start = time.time()
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    first = []
    def watch():  # metrics.jsonl gets a line at the end of each step
        while child.returncode is None and not first:
            if steps_of(out / "metrics.jsonl"):
                first.append(time.time() - start)
            time.sleep(0.005)
    thread = threading.Thread(target=watch); thread.start()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    thread.join()
    if child.returncode: sys.exit(f"finetune train: exit code {child.returncode}")
    lines = steps_of(out / "metrics.jsonl")
    seconds = lambda m, before: (m["tokens"] - before["tokens"]) / m["tokens_per_second"]
    # as for the peer, the first step is not counted
    ts = [seconds(m, before) for before, m in zip(lines, lines[1:])]
    return dict(tok_s=(lines[-1]["tokens"] - lines[0]["tokens"]) / sum(ts), rss_mb=usage.ru_maxrss / 1024,
                start_s=first[0] - seconds(lines[0], dict(tokens=0)), loss=lines[-1]["loss"])

def peer():
    command = [sys.executable, "-W", "ignore", a.peer, a.model, "--dtype", a.dtype, "--targets", a.targets, "--batch", a.batch, "--steps", a.steps, "--threads", a.threads]
    command += ["--seq", a.tokens] if a.tokens else ["--gsm8k", rows()[0]]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])

def main():
    results = dict(ours=[], peer=[])
    for r in range(a.rounds):
        for name, run in (("ours", ours), ("peer", peer)):
            results[name].append(run())
            print(f"round {r + 1}, {name}: " + ", ".join(f"{k} {results[name][-1][k]:.2f}" for k in ("tok_s", "rss_mb", "start_s", "loss")), file=sys.stderr)
    print(f"SmolLM2-135M, {f'{a.tokens} tokens a row' if a.tokens else 'GSM8K rows'}, batch {a.batch}, {a.steps} steps, targets {a.targets}, "
          f"{a.threads} threads, median of {a.rounds} rounds\n")
    print(f"| | finetune | PyTorch + PEFT, {a.dtype} | finetune / peer |\n|---|---|---|---|")
    for key, label, digits in (("tok_s", "tokens/s", 0), ("rss_mb", "peak memory, MB", 0), ("start_s", "seconds to the first step", 2)):
        x, y = (statistics.median(m[key] for m in results[name]) for name in ("ours", "peer"))
        print(f"| {label} | {x:.{digits}f} | {y:.{digits}f} | {x / y:.2f} |")

main()
