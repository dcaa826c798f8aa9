"""What scripts/bench.sh measures: finetune and bench_peer.py, or another build of finetune, in turn on the same rows.
Started by it.

usage: bench.py WORK MODEL PEER ROUNDS STEPS JOB…"""
import json, os, shutil, statistics, subprocess, sys, threading, time
from pathlib import Path

work, model, peer_script = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
rounds, steps, jobs = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:]
AVX2 = dict(GODEBUG="cpu.avx512f=off", ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2")
LENGTH, DENSE, GSM8K = 512, 4, 8  # tokens of a dense row; rows of a step

class Job:
    def __init__(self, name):
        self.name, (self.kind, *options) = name, name.split("-")
        if self.kind not in ("dense", "gsm8k", "prompt", "start") or set(options) - {"all", "bf16", "int8", "avx2", "1", "memory"}:
            sys.exit(f"bench.sh: unknown job {name}")
        self.all, self.memory = "all" in options, "memory" in options
        self.bf16, self.int8 = "bf16" in options, "int8" in options
        self.budget = None  # of --memory, MiB
        self.threads = 1 if "1" in options else os.cpu_count()
        self.environment = os.environ | (AVX2 if "avx2" in options else {})

    def ours(self, program=work / "finetune"):
        if self.memory and not self.budget:  # half of the resident memory the job takes otherwise, less the mapped weights
            self.memory = False
            self.budget = self.ours()["rss_mb"] / 2 - os.path.getsize(f"{model}/model.safetensors") / 2**20
            self.memory = True
        out = work / "adapter"
        shutil.rmtree(out, ignore_errors=True)
        start = self.kind == "start"
        flags = ["--init", "loraone" if start else "lora", "--optimizer", "adamw", "--val-split", 0, "--save-steps", 1000000, "--threads", self.threads,
                 "--target-modules", "all-linear" if self.all else "q_proj,v_proj", "--lora-r", 16 if self.all else 8, "--output-dir", out, "--quiet",
                 "--batch-size", 1 if start else DENSE if self.kind == "dense" else GSM8K, "--max-steps", 1 if start else steps + 1]
        flags += ["--data", chat(self.kind), "--map", "prompt=question,completion=answer"] if self.kind in ("gsm8k", "prompt") else ["--data", dense(), "--max-length", LENGTH]
        flags += ["--compute", "bf16"] if self.bf16 else []
        flags += ["--compute", "int8"] if self.int8 else []
        flags += ["--memory", f"{self.budget:.0f}MiB"] if self.memory else []
        began, first = time.time(), []
        child = subprocess.Popen([str(x) for x in [program, "train", "--model", model, *flags]], stdout=subprocess.DEVNULL, env=self.environment)
        def watch():  # metrics.jsonl gets a line at the end of each step
            while child.returncode is None and not first:
                if steps_of(out / "metrics.jsonl"):
                    first.append(time.time() - began)
                time.sleep(0.005)
        thread = threading.Thread(target=watch)
        thread.start()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        thread.join()
        if child.returncode:
            sys.exit(f"finetune train, {self.name}: exit code {child.returncode}")
        lines = steps_of(out / "metrics.jsonl")
        took = lambda m, before: (m["tokens"] - before) / m["tokens_per_second"]
        result = dict(rss_mb=usage.ru_maxrss / 1024, start_s=first[0] - took(lines[0], 0))
        if start:
            return result | dict(init_s=lines[0]["seconds"] - took(lines[0], 0))
        # as for the peer, the first step is not counted
        seconds = sum(took(m, before["tokens"]) for before, m in zip(lines, lines[1:]))
        return result | dict(tok_s=(lines[-1]["tokens"] - lines[0]["tokens"]) / seconds)

    def peer(self):
        if not peer_script.endswith(".py"):
            return self.ours(peer_script)
        command = [sys.executable, "-W", "ignore", peer_script, model, "--dtype", "bf16" if self.bf16 else "fp32", "--targets", "all" if self.all else "qv",
                   "--rank", 16 if self.all else 8, "--steps", steps, "--threads", self.threads, "--seq", LENGTH]
        command += {"start": ["--init"], "dense": ["--batch", DENSE]}.get(self.kind) or ["--batch", GSM8K, "--gsm8k", chat(self.kind)]
        done = subprocess.run([str(x) for x in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, env=self.environment)
        result = json.loads(done.stdout.splitlines()[-1])
        if self.kind == "start":
            result["init_s"] = result["grad_s"] + result["svd_s"]
        return result

def dense():
    """Rows of LENGTH tokens, all trained."""
    path = work / "dense.jsonl"
    if not path.exists():
        text = " ".join(json.loads(line)["answer"] for line in open(work / "gsm8k.jsonl", encoding="utf-8"))
        text *= 1 + 8 * LENGTH // len(text)
        path.write_text("".join(json.dumps({"text": text[i:]}) + "\n" for i in range(max(8, (steps + 1) * DENSE))))
    return path

def chat(kind):
    """Questions and answers of GSM8K; for prompt behind an instruction of some 500 tokens, which all have, and cut to some 100 together."""
    path = work / f"{kind}.jsonl"
    if not path.exists():
        rows = [json.loads(line) for line in open(work / "gsm8k.jsonl", encoding="utf-8")]
        text = " ".join(row["answer"] for row in rows).split()
        text = " ".join((text * (1 + 270 // len(text)))[:270])
        path.write_text("".join(json.dumps({"question": text + "\n\n" + row["question"][:200], "answer": row["answer"][:120]}) + "\n" for row in rows))
    return path

def steps_of(path):
    return [m for line in path.read_text().splitlines() if "loss" in (m := json.loads(line))] if path.exists() else []

def main():
    print(f"SmolLM2-135M, {steps} steps, {os.cpu_count()} threads, medians of {rounds} rounds (lowest–highest ratio)\n")
    other = "PyTorch + PEFT" if peer_script.endswith(".py") else "the other build"
    print(f"| job | finetune | {other} | speed | finetune, MB | peer, MB | memory | to the first step, s | peer, s |\n" + "|---" * 9 + "|")
    for job in map(Job, jobs):
        results = dict(ours=[], peer=[])
        for r in range(rounds):
            for name in results:
                results[name].append(getattr(job, name)())
                print(f"{job.name}, round {r + 1}, {name}: " + ", ".join(f"{k} {v:.2f}" for k, v in results[name][-1].items() if isinstance(v, float)), file=sys.stderr)
        median = lambda who, key: statistics.median(m[key] for m in results[who])
        key, unit = ("init_s", "s") if job.kind == "start" else ("tok_s", "tokens/s")
        ratios = [o[key] / p[key] for o, p in zip(results["ours"], results["peer"])]
        ratios = sorted(1 / x for x in ratios) if job.kind == "start" else sorted(ratios)
        digits = 1 if job.kind == "start" else 0
        print(f"| {job.name} | {median('ours', key):.{digits}f} {unit} | {median('peer', key):.{digits}f} {unit} | {statistics.median(ratios):.2f} × ({ratios[0]:.2f}–{ratios[-1]:.2f}) | "
              f"{median('ours', 'rss_mb'):.0f} | {median('peer', 'rss_mb'):.0f} | 1/{median('peer', 'rss_mb') / median('ours', 'rss_mb'):.1f} | "
              f"{median('ours', 'start_s'):.2f} | " + ("– |" if job.kind == "start" else f"{median('peer', 'start_s'):.2f} |"), flush=True)

main()
