"""A small random model of each family, and our adapter of it in transformers + PEFT.

usage: families_check.py make CASE DIR            draws the model of a case of golden_families.py, with the demo's vocabulary
       families_check.py compare MODEL ADAPTER DUMP.safetensors    DUMP comes from scripts/dumplogits

compare prints the largest difference from PEFT in float64, relative to the largest logit (and to the loss), and exits 1
where it is more than BOUND, or where the adapter changes nothing.
"""
import sys
from types import SimpleNamespace

import torch
from peft import PeftModel
from safetensors.torch import load_file

import golden_families

BOUND = 1e-5


def make(case, folder):
    golden_families.CASES[case].update(vocab_size=512, max_position_embeddings=512, pad_token_id=None, bos_token_id=1, eos_token_id=2)
    kinds = SimpleNamespace(DT={"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16})
    golden_families.build(kinds)(case, folder, 7)


def compare(folder, adapter, dump):
    softmax = torch.nn.functional.softmax
    torch.nn.functional.softmax = lambda x, dim=None, dtype=None: softmax(x, dim=dim)
    model = PeftModel.from_pretrained(golden_families.load(folder), adapter).to(torch.float64).eval()
    ours, worst, moved, loss, n = load_file(dump), 0.0, 0.0, 0.0, 0
    torch.set_grad_enabled(False)
    while f"ids.{n}" in ours:
        ids, learn = ours[f"ids.{n}"].long(), ours[f"learn.{n}"].bool()
        truth = model(input_ids=ids[None]).logits[0]
        scale = float(truth.abs().max())
        worst = max(worst, float((ours[f"logits.{n}"] - truth).abs().max()) / scale)
        lp = torch.log_softmax(truth[:-1], -1)[torch.arange(len(ids) - 1), ids[1:]]
        loss = max(loss, abs(float(ours[f"loss.{n}"][0]) / -float(lp[learn[1:]].mean()) - 1))
        with model.disable_adapter():
            moved = max(moved, float((model(input_ids=ids[None]).logits[0] - truth).abs().max()) / scale)
        n += 1
    print(f"{n} rows: logits {worst:.1e}, loss {loss:.1e}; moved by the adapter {moved:.1e}")
    if n == 0 or moved < 1e-3 or max(worst, loss) > BOUND:
        sys.exit(1)


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](*sys.argv[2:])
