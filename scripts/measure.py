"""What the measuring scripts share: runs of finetune train, watched."""
import json, re, shutil, subprocess, sys, time
from pathlib import Path

def peaks(child):
    """The highest resident megabytes of a child until it ends: without mapped files, and with them."""
    anonymous = resident = 0
    while child.poll() is None:
        try:
            lines = dict(line.split(":", 1) for line in Path(f"/proc/{child.pid}/status").read_text().splitlines())
        except (OSError, ProcessLookupError):
            break
        read = lambda key: int(lines[key].split()[0]) * 1024 / 1e6 if key in lines else 0
        anonymous, resident = max(anonymous, read("RssAnon")), max(resident, read("VmRSS"))
        time.sleep(0.02)
    return anonymous, resident

def train(program, out, *flags, before=()):
    """One run: its peaks, tokens a second after the first step, and the shares of the parts of a step."""
    shutil.rmtree(out, ignore_errors=True)
    command = [*before, program, "train", "--output-dir", out, "--profile", "--progress", "none", *flags]
    log = Path(f"{out}.log")
    with log.open("w") as f:
        child = subprocess.Popen([str(x) for x in command], stdout=subprocess.DEVNULL, stderr=f)
        anonymous, resident = peaks(child)
        if child.wait():
            sys.exit(f"finetune train: exit code {child.returncode}\n{log.read_text()}")
    steps = [m for m in map(json.loads, (Path(out) / "metrics.jsonl").read_text().splitlines()) if "loss" in m]
    took = sum((m["tokens"] - before["tokens"]) / m["tokens_per_second"] for before, m in zip(steps, steps[1:]))
    shares = {m[1].strip(): float(m[2]) for m in re.finditer(r"^(\w.*?)  +[\d.]+ ms +([\d.]+)%", log.read_text(), re.M)}
    return dict(anonymous=anonymous, resident=resident, tok_s=(steps[-1]["tokens"] - steps[0]["tokens"]) / took, shares=shares)
