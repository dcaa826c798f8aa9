"""Compares the answers and scores of `finetune eval --answers number --json` with those of transformers and PEFT.

usage: answers.py MODEL ADAPTER ROWS.jsonl EVAL.json TOKENS

Exits 1 where an answer or a score differs, unless the answers part at two tokens whose logits transformers itself has
no further apart than TIE times the largest.
"""
import json, re, sys, time
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, logging

TIE = 1e-5

def number(text):
    """The last number, as a float; None without one. Signs as finetune reads them."""
    all = list(re.finditer(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+", text))
    if not all:
        return None
    before = text[:all[-1].start()].rstrip("$€£")
    minus = re.search(r"(?:^|[^\w)\]])[-−]$", before)
    return float(all[-1][0].replace(",", "")) * (-1 if minus else 1)

def answer(model, ids, limit, end):
    """The greedy tokens, and for each the distance of the two largest logits relative to the largest."""
    out = model.generate(torch.tensor([ids]), max_new_tokens=limit, do_sample=False, num_beams=1, eos_token_id=end,
                         pad_token_id=end, output_logits=True, return_dict_in_generate=True)
    new = out.sequences[0, len(ids):].tolist()
    gaps = []
    for step in out.logits:
        top = step[0].topk(2).values
        gaps.append(float((top[0] - top[1]) / step[0].abs().max()))
    return [t for t in new if t != end], gaps

def main(base, adapter, rows, report, limit):
    logging.set_verbosity_error()
    torch.set_num_threads(2)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    model.generation_config.repetition_penalty = 1.0
    rows = [json.loads(line) for line in open(rows, encoding="utf-8")]
    report = json.load(open(report))["answers"]
    failed = 0
    for who in ("base", "adapter"):
        if who == "adapter":
            model = PeftModel.from_pretrained(model, adapter).eval()
        same, ties, right, start, tokens = 0, 0, 0, time.time(), 0
        for asked in report["rows"]:
            row = rows[asked["line"] - 1]
            ids = tokenizer.apply_chat_template([{"role": "user", "content": row["question"]}], add_generation_prompt=True,
                                                return_dict=False)
            with torch.no_grad():
                new, gaps = answer(model, ids, limit, end)
            tokens += len(gaps)
            text = tokenizer.decode(new, skip_special_tokens=True)
            scored = number(text) is not None and number(text) == number(row["answer"])
            right += scored
            if asked[who]["answer"].strip() == text.strip():
                same += 1
                if scored != asked[who]["right"]:
                    failed += 1
                    print(f"line {asked['line']}, {who}: right is {asked[who]['right']}, want {scored}: {text!r}")
            elif min(gaps) < TIE:
                ties += 1
                print(f"line {asked['line']}, {who}: a tie, two logits {min(gaps):.1e} of the largest apart")
            else:
                failed += 1
                print(f"line {asked['line']}, {who}: {asked[who]['answer']!r}, want {text!r}")
        print(f"{who}: {same} of {len(report['rows'])} answers are the same, {ties} ties; right here {report[who]['right']}, there {right}; "
              f"there {tokens / (time.time() - start):.1f} tokens/s", flush=True)
    sys.exit(failed > 0)

if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
