"""Rows that share their beginnings, over golden cases: losses and gradients from PyTorch and PEFT in float64.

usage: golden_shared.py GOLDEN_PY DIR[=MODEL]...

GOLDEN_PY is the script that drew the cases; each DIR holds a case's expected.json, and its model unless MODEL does.
Writes DIR/shared.json: the rows, a weight and the loss sum of each, and DIR/shared.safetensors: adapters of rank 2 on all
projections (`<module>.lora_A|lora_B`) and their gradients of Σ weight·loss sum (`<module>.dA|dB`). Rows are run one at a time.
"""
import json, sys
from pathlib import Path

import torch
from safetensors.torch import save_file

import golden_families

RANK, ALPHA = 2, 3


def rows(vocab, seed):
    """Nested beginnings, a row that is the beginning of others, equal rows, rows trained from within what others share, rows
    with several answers, rows beside them that share nothing, and short ones (longrope shares within its usual length)."""
    g = torch.Generator().manual_seed(seed + 3)
    draw = lambda n: torch.randint(3, vocab, (n,), generator=g).tolist()
    trunk, left, right, short = draw(36), draw(21), draw(13), draw(11)
    out = []

    def add(*parts, learn):
        ids = [i for p in parts for i in p]
        out.append(dict(ids=ids, learn=[any(lo <= k < hi for lo, hi in learn) for k in range(len(ids))]))

    add(trunk, left, draw(5), learn=[(57, 62)])
    add(draw(9), learn=[(3, 9)])
    add(trunk, left, draw(8), learn=[(59, 61), (63, 65)])
    add(short, draw(3), learn=[(11, 14)])
    add(trunk, right, draw(4), learn=[(49, 53)])
    add(trunk, left, draw(1), learn=[(57, 58)])
    out.append(out[0])
    add(short, draw(5), learn=[(12, 16)])
    add(trunk, right, draw(6), learn=[(20, 24), (50, 55)])
    add(trunk, draw(2), learn=[(36, 38)])
    add(short, draw(2), learn=[(11, 13)])
    add(draw(25), learn=[(1, 25)])
    add(short, draw(4), learn=[(14, 15)])
    add(trunk, learn=[(30, 36)])
    add(short, draw(6), learn=[(9, 17)])
    add(trunk, left, learn=[(56, 57)])
    return out, (torch.rand(len(out), generator=g) + 0.1).tolist()


def run(golden, folder, model, js):
    names = golden_families.FUSED if "qkv_proj" in js["targets"] else golden.ALL
    m = golden.wrap(model, names, RANK, ALPHA)
    seqs, weights = rows(m.config.vocab_size, js["seed"])
    weights = torch.tensor(weights).float().tolist()
    ten, g = {}, torch.Generator().manual_seed(js["seed"] + 4)
    with torch.no_grad():
        for k, (a, b) in golden.pairs(m).items():
            for kind, x in (("lora_A", a), ("lora_B", b)):
                x.copy_((torch.randn(x.shape, generator=g) * 0.1).float())
                ten[f"{k}.{kind}"] = x.detach().float().clone()
    sums = []
    for s, w in zip(seqs, weights):
        loss, _, _ = golden.loss_sum(m, s)
        (w * loss).backward()
        sums.append(float(loss.detach()))
    for k, (a, b) in golden.pairs(m).items():
        ten[f"{k}.dA"], ten[f"{k}.dB"] = a.grad.float().clone(), b.grad.float().clone()
    save_file({k: v.contiguous() for k, v in ten.items()}, folder / "shared.safetensors")
    out = dict(rank=RANK, alpha=ALPHA, weights=weights, loss_sums=sums, sequences=seqs)
    (folder / "shared.json").write_text(json.dumps(out) + "\n")
    print(folder.name, sum(sums))


def main():
    golden = golden_families.module(sys.argv[1])
    golden_families.patch(golden)
    torch.set_num_threads(2)
    for argument in sys.argv[2:]:
        folder, _, model = argument.partition("=")
        folder = Path(folder)
        js = json.loads((folder / "expected.json").read_text())
        run(golden, folder, Path(model or folder), js)


if __name__ == "__main__":
    main()
