"""A small random model of each family, and our adapter of it in transformers + PEFT.

usage: families_check.py make CASE DIR            draws the model of a case of golden_families.py, with the demo's vocabulary
       families_check.py compare MODEL ADAPTER DUMP.safetensors    DUMP comes from scripts/dumplogits
       families_check.py merged MODEL MERGED      what lies outside of the text part has the same bytes in both

The case gemma3 is a whole model, with a vision part. compare prints the largest difference from PEFT in float64, relative to the largest logit (and to the loss), and exits 1
where it is more than BOUND, or where the adapter changes nothing.
"""
import sys
from types import SimpleNamespace

import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, Gemma3Config

import golden_families

BOUND = 1e-5


def make(case, folder):
    if case == "gemma3":
        return make_whole(folder)
    golden_families.CASES[case].update(vocab_size=512, max_position_embeddings=512, pad_token_id=None, bos_token_id=1, eos_token_id=2)
    kinds = SimpleNamespace(DT={"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16})
    golden_families.build(kinds)(case, folder, 7)


def make_whole(folder):
    text = dict(golden_families.SMALL, **golden_families.GEMMA, vocab_size=512, max_position_embeddings=512, layer_types=golden_families.WINDOWS)
    vision = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, boi_token_index=500, eoi_token_index=501, image_token_index=502)
    model = AutoModelForCausalLM.from_config(config)
    golden_families.fill(model, "gemma3", 7)
    model.to(torch.bfloat16).save_pretrained(folder)


def merged(folder, other):
    texts = others = 0
    with safe_open(folder + "/model.safetensors", "pt") as a, safe_open(other + "/model.safetensors", "pt") as b:
        if set(a.keys()) != set(b.keys()):
            sys.exit(f"{other}: other tensors than {folder}")
        for k in a.keys():
            same = torch.equal(a.get_tensor(k).view(torch.uint8), b.get_tensor(k).view(torch.uint8))
            if "language_model" in k:
                texts += not same
            elif not same:
                sys.exit(f"{other}: {k} has changed")
            else:
                others += 1
    if not (texts and others):
        sys.exit(f"{other}: {texts} tensors of the text part have changed, {others} others have not")
    print(f"merged: {texts} tensors of the text part have changed, none of {others} others")


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
    {"make": make, "compare": compare, "merged": merged}[sys.argv[1]](*sys.argv[2:])
