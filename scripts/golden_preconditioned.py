"""Ten steps of preconditioned-adamw over golden cases, from PyTorch in float64.

usage: golden_preconditioned.py GOLDEN_PY DIR[=MODEL]...

GOLDEN_PY is the script that drew the cases; each DIR holds a case's expected.json, and its model unless MODEL does.
Writes DIR/preconditioned.json: loss, grad_norm and lr of each step, and the loss after them, as the runs of expected.json
have them: from the LoRA-One start, two sequences a step, warm-up of three, clip 1, weight decay 0.01.

The optimizer is written from the equations of the package train/optim, with torch.linalg alone.
"""
import json, math, sys
from pathlib import Path

import torch

import golden_families

BETA1, BETA2, KAPPA, EPS_P, EPS_C = 0.8, 0.99, 10.0, 1e-6, 1e-10
RATE, WARMUP, CLIP, WD = 0.02, 3, 1.0, 0.01


def inverse_root(k, damping):
    d, e = torch.linalg.eigh(k)
    return (e * (d.clamp(min=0) + damping) ** -0.5) @ e.T


def factor(x, g, other, state, t, rho):
    """The new value of one factor x (r by n), given the other one."""
    r = x.shape[0]
    m, c = state
    k = other @ other.T
    p = inverse_root(k, max(KAPPA * rho, 1e-12 * float(k.trace()) / r, 1e-30))
    m.mul_(BETA1).add_((1 - BETA1) * g)
    u = BETA1 * m / (1 - BETA1 ** (t + 1)) + (1 - BETA1) * g
    z = p @ u
    s = z @ z.T
    tau = float(s.trace()) / r
    if tau == 0:
        c.mul_(BETA2)
        return x.clone()
    o = inverse_root(s, EPS_P * tau) @ z
    c.mul_(BETA2).add_((1 - BETA2) * (o ** 2).mean(0))
    scaled = o / ((c / (1 - BETA2 ** (t + 1))).sqrt() + EPS_C)
    scaled *= o.norm() / scaled.norm()
    return x * (1 - rho * WD / 2) - rho * p @ scaled


def run(golden, folder, js):
    batches = [js["sequences"][2 * i % 24:2 * i % 24 + 2] for i in range(10)]
    model = golden.wrap(folder, js["targets"], js["rank"], js["alpha"])
    pairs = golden.pairs(model)
    gradients = golden.full_gradients(folder, js["targets"], js["sequences"][:js["init_samples"]])
    with torch.no_grad():
        for k, (a, b) in pairs.items():
            b0, a0, _ = golden.spectral(gradients[k], js["rank"], js["gamma"])
            a.copy_(a0)
            b.copy_(b0)
    state = {k: [(torch.zeros_like(x), torch.zeros(x.shape[1], dtype=x.dtype)) for x in (a, b.T)] for k, (a, b) in pairs.items()}
    out = dict(rate=RATE, warmup=WARMUP, clip=CLIP, wd=WD, loss=[], grad_norm=[], lr=[])
    for t, batch in enumerate(batches):
        model.zero_grad(set_to_none=True)
        out["loss"].append(golden.batch_loss(model, batch))
        norm = math.sqrt(sum(float((p.grad ** 2).sum()) for ab in pairs.values() for p in ab))
        rho = RATE * golden.schedule(t, len(batches), WARMUP)
        out["grad_norm"].append(norm)
        out["lr"].append(rho)
        clip = min(1.0, CLIP / (norm + 1e-6))
        with torch.no_grad():
            for k, (a, b) in pairs.items():
                new_a = factor(a, a.grad * clip, b.T, state[k][0], t, rho)
                new_b = factor(b.T, b.grad.T * clip, a, state[k][1], t, rho)
                a.copy_(new_a)
                b.copy_(new_b.T)
    with torch.no_grad():
        out["loss_after"] = sum(float(golden.loss_sum(model, q)[0]) for q in js["sequences"]) / sum(js["target_counts"])
    return out


def main():
    golden = golden_families.module(sys.argv[1])
    golden_families.patch(golden)
    torch.set_num_threads(2)
    for argument in sys.argv[2:]:
        folder, _, model = argument.partition("=")
        folder = Path(folder)
        js = json.loads((folder / "expected.json").read_text())
        out = run(golden, Path(model or folder), js)
        (folder / "preconditioned.json").write_text(json.dumps(out, indent=1) + "\n")
        print(folder.name, [round(x, 4) for x in out["loss"]], round(out["loss_after"], 5))


if __name__ == "__main__":
    main()
