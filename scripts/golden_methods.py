"""The starts of the methods, from PEFT and from the authors' equations in float64.

usage: golden_methods.py OUT.safetensors          (loraone/testdata/methods.safetensors)

For two shapes, tall and wide, OUT holds W and G (random, float32 values) and
  pissa.B, pissa.A          PEFT's pissa_init, scale 2
  olora.B, olora.A          PEFT's olora_init, scale 2
  loraga.B, loraga.A        LoRA-GA's lora_ga_init: ArB2r, stable, gamma 64 (signs are those of torch's SVD)
  lorasb.delta              LoRA-SB's B·R·A, eta 1e-3
  loraone.delta             LoRA-One's B·A, gamma 128
  gora.A, gora.B            GoRA's grad_compress_init for this A, with the sign that descends; alpha 8, scale alpha/sqrt(r)
and for all shapes together
  gora.ranks                GoRA's get_allocated_rank (union_mean, moderate), bounds r/2 and 4r, of [tall, wide, wide with G/8]
  adarankgrad.*             eight steps of AdaRankGrad on a wide dense W, a new subspace every third, in float64
  loraplus.*                three steps of PEFT's LoRA+ optimizer with torch's AdamW, in float64
"""
import math, sys

import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import save_file

R, ALPHA, ETA, STEP = 4, 8, 1e-3, 0.05


class Net(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        self.q_proj = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
        self.q_proj.weight.data = w.clone()

    def forward(self, x):
        return self.q_proj(x)


def peft(w, init):
    config = LoraConfig(r=R, lora_alpha=ALPHA, target_modules=["q_proj"], init_lora_weights=init)
    net = get_peft_model(Net(w), config)
    layer = net.base_model.model.q_proj
    return net, layer.lora_B["default"].weight, layer.lora_A["default"].weight


def loraga(g, gamma=64):
    u, _, vh = torch.linalg.svd(g)
    f = g.shape[0] ** 0.25 / gamma ** 0.5
    return u[:, R:2 * R] * f, vh[:R] * f


def lorasb(g):
    u, s, vh = torch.linalg.svd(-ETA * torch.sign(g))
    return u[:, :R] @ torch.diag(s[:R]) @ vh[:R]


def loraone(g, gamma=128):
    u, s, vh = torch.linalg.svd(-g)
    f = torch.sqrt(s[:R]) / torch.sqrt(s[0]) / math.sqrt(gamma)
    return (u[:, :R] * f) @ (f[:, None] * vh[:R])


def gora(g, a):
    scale_rank = math.sqrt(R)
    gamma = STEP / math.sqrt(R / g.shape[1]) * scale_rank
    return -g @ a.T @ torch.linalg.pinv(a @ a.T + 1e-8 * torch.eye(R, dtype=a.dtype)) * (gamma / ALPHA)


def ranks(pairs):
    importance = torch.tensor([float((w * g).abs().mean()) for w, g in pairs], dtype=torch.float64)
    importance = importance / importance.sum()
    features = [sum(w.shape) for w, _ in pairs]
    budget = sum(f * R for f in features)
    return [min(max(round(budget * float(i)) // f, R // 2), 4 * R) for i, f in zip(importance, features)]


def loraplus(w, generator):
    net, b, a = peft(w, True)
    net.double()
    out = {}
    for x in (a, b):
        x.data = torch.randn(x.shape, generator=generator).float().double()
    out["loraplus.A"], out["loraplus.B"] = a.detach().clone(), b.detach().clone()
    optimizer = create_loraplus_optimizer(net, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=16, loraplus_weight_decay=0.1)
    for step in range(3):
        for name, x in (("A", a), ("B", b)):
            x.grad = torch.randn(x.shape, generator=generator).float().double()
            out[f"loraplus.{step}.d{name}"] = x.grad.clone()
        optimizer.step()
    out["loraplus.after.A"], out["loraplus.after.B"] = a.detach(), b.detach()
    return out


def adarankgrad(matrix, every=3, eta=0.1, lr=1e-2, wd=0.1, b1=0.9, b2=0.999, eps=1e-8):
    """Adam in the fewest left singular directions that hold 1-eta of the gradient's energy, R at most."""
    out, q, ranks = {}, None, []
    w = matrix(1.0, 0.8).double()
    out["adarankgrad.before"] = w.clone()
    for t in range(8):
        g = matrix(0.02, (0.8, 0.45, 0.3)[t // every % 3]).double()
        out[f"adarankgrad.{t}.dW"] = g.clone()
        if t % every == 0:
            u, s, _ = torch.linalg.svd(g)
            energy = torch.cumsum(s ** 2, 0) / (s ** 2).sum()
            rank = min(int((energy < 1 - eta).sum()) + 1, R)
            new = u[:, :rank].T
            if q is None:
                m = v = torch.zeros(rank, g.shape[1], dtype=torch.float64)
            else:
                r = new @ q.T
                m, v = r @ m, r ** 2 @ v
            q = new
            ranks.append(rank)
        p = q @ g
        m, v = b1 * m + (1 - b1) * p, b2 * v + (1 - b2) * p ** 2
        w = w * (1 - lr * wd) - lr * q.T @ ((m / (1 - b1 ** (t + 1))) / ((v / (1 - b2 ** (t + 1))).sqrt() + eps))
    out["adarankgrad.after"], out["adarankgrad.ranks"] = w, torch.tensor(ranks)
    return out


def main():
    generator = torch.Generator().manual_seed(11)
    torch.manual_seed(11)
    out, pairs = {}, []
    for name, m, n in (("tall", 40, 24), ("wide", 24, 40)):
        # Spectra that fall by a fifth from value to value: no two are close.
        def matrix(norm):
            u, _ = torch.linalg.qr(torch.randn(m, m, generator=generator, dtype=torch.float64))
            v, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
            k = min(m, n)
            return (norm * u[:, :k] * 0.8 ** torch.arange(k) @ v[:k]).float()
        w, g = matrix(3), matrix(0.02)
        pairs.append((w, g))
        a = torch.randn(R, n, generator=generator)
        exact = g.double()
        _, pb, pa = peft(w, "pissa")
        _, ob, oa = peft(w, "olora")
        gb, ga = loraga(exact)
        for key, x in (("W", w), ("G", g), ("pissa.B", pb), ("pissa.A", pa), ("olora.B", ob), ("olora.A", oa), ("loraga.B", gb), ("loraga.A", ga),
                       ("lorasb.delta", lorasb(exact)), ("loraone.delta", loraone(exact)), ("gora.A", a), ("gora.B", gora(exact, a.double()))):
            out[f"{name}.{key}"] = x
    pairs.append((pairs[1][0], pairs[1][1] / 8))
    out["gora.ranks"] = torch.tensor(ranks(pairs))
    out.update(loraplus(pairs[0][0], generator))

    def falling(norm, ratio):
        u, _ = torch.linalg.qr(torch.randn(24, 24, generator=generator, dtype=torch.float64))
        v, _ = torch.linalg.qr(torch.randn(40, 40, generator=generator, dtype=torch.float64))
        return (norm * u * ratio ** torch.arange(24) @ v[:24]).float()
    out.update(adarankgrad(falling))
    save_file({k: x.detach().float().contiguous().clone() for k, x in out.items()}, sys.argv[1])


if __name__ == "__main__":
    main()
