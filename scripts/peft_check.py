"""Compares finetune's logits and losses with those of transformers + PEFT on the same base, adapter and rows.

usage: peft_check.py MODEL ADAPTER ROWS.jsonl DUMP.safetensors

DUMP comes from scripts/dumplogits. PEFT computes in float32, and again in float64 to show how far float32 itself is
from the truth. Exits 1 where a difference is larger than BOUND times the largest logit (or the loss).
"""
import json, sys
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, logging

BOUND = 1e-4  # float32 over thirty layers: PyTorch's own error is a tenth of this

def load(model, adapter, dtype):
    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, attn_implementation="sdpa")
    return PeftModel.from_pretrained(base, adapter).to(dtype).eval()

def tokens(tokenizer, row):
    """The ids of a prompt/completion row, and which of them are trained: the completion and its end-of-turn token."""
    chat = [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]
    text = tokenizer.apply_chat_template(chat, tokenize=False)
    start = text.rindex(row["answer"])
    end = start + len(row["answer"]) + len(tokenizer.eos_token)
    enc = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return enc.input_ids, [b > start and a < end for a, b in enc.offset_mapping]

def loss(logits, ids, learn):
    lp = torch.log_softmax(logits[:-1].double(), -1)[torch.arange(len(ids) - 1), ids[1:]]
    return -float(lp[learn[1:]].mean())

def main():
    model, adapter, rows, dump = sys.argv[1:]
    logging.disable_progress_bar()
    rows = [json.loads(line) for line in open(rows, encoding="utf-8")]
    ours = load_file(dump)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    single, double = load(model, adapter, torch.float32), load(model, adapter, torch.float64)
    worst = {"logits, finetune": 0.0, "logits, PEFT float32": 0.0, "loss, finetune": 0.0, "moved by the adapter": 0.0}
    torch.set_grad_enabled(False)
    for i, row in enumerate(rows):
        ids, learn = tokens(tokenizer, row)
        if ours[f"ids.{i}"].long().tolist() != ids:
            sys.exit(f"row {i + 1}: other token ids than Hugging Face's tokenizer and chat template give")
        if ours[f"learn.{i}"].bool().tolist() != learn:
            sys.exit(f"row {i + 1}: other trained tokens")
        ids, learn = torch.tensor(ids), torch.tensor(learn)
        truth = double(input_ids=ids[None]).logits[0]
        scale = float(truth.abs().max())
        got = ours[f"logits.{i}"]
        def note(key, value): worst[key] = max(worst[key], value)
        note("logits, finetune", float((got - truth).abs().max()) / scale)
        note("logits, PEFT float32", float((single(input_ids=ids[None]).logits[0] - truth).abs().max()) / scale)
        note("loss, finetune", abs(float(ours[f"loss.{i}"][0]) / loss(truth, ids, learn) - 1))
        with double.disable_adapter():
            note("moved by the adapter", float((double(input_ids=ids[None]).logits[0] - truth).abs().max()) / scale)
    print(f"{len(rows)} rows, largest difference from PEFT in float64, relative to the largest logit (the loss):")
    for key, value in worst.items():
        print(f"  {key:22} {value:.2e}")
    if worst["moved by the adapter"] < 1e-3:
        sys.exit("the adapter changes too little to compare anything")
    if max(worst["logits, finetune"], worst["loss, finetune"]) > BOUND:
        sys.exit(f"more than {BOUND}")

if __name__ == "__main__":
    main()
