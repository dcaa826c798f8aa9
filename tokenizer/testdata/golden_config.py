"""Make config.json: what transformers makes of the tokens that only tokenizer_config.json adds.

usage: pip install transformers && python golden_config.py      (in this folder; transformers 5.23.0, tokenizers 0.23.3)

Each case is a tokenizer_config.json beside bytelevel/tokenizer.json, of whose added tokens the LEFT_OUT are in the
vocabulary alone.
"""
import json, os, tempfile
from transformers import AutoTokenizer

LEFT_OUT = ["<jupyter_code>", "<reponame>", "<issue_start>"]
TEXT = "a <jupyter_code> b<reponame> c <issue_start> d<new>e <jupyter_code>"


def token(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True} | flags


CONFIGS = [
    {},
    {"added_tokens_decoder": {"13": token("<jupyter_code>"), "4": token("<reponame>", lstrip=True, special=False)}},
    {"added_tokens_decoder": {"13": token("<jupyter_code>", rstrip=True), "1752": token("<new>", special=False)}},
    {"added_tokens_decoder": {"13": token("<jupyter_code>", special=False)}, "eos_token": "<jupyter_code>"},
    {"additional_special_tokens": ["<reponame>"], "pad_token": "<issue_start>"},
    {"extra_special_tokens": ["<reponame>"], "additional_special_tokens": ["<issue_start>"]},
    {"extra_special_tokens": {"code_token": "<jupyter_code>", "issue_token": "<issue_start>"}},
    {"image_token": "<reponame>", "audio_token": None, "max_token": 7},
    {"extra_special_tokens": [], "additional_special_tokens": ["<issue_start>", "<jupyter_code>"]},
    {"added_tokens_decoder": {"13": token("<jupyter_code>")}, "additional_special_tokens": [token("<reponame>", lstrip=True) | {"__type": "AddedToken"}]},
]


def case(config):
    with tempfile.TemporaryDirectory() as folder:
        with open("bytelevel/tokenizer.json", encoding="utf-8") as f:
            d = json.load(f)
        d["added_tokens"] = [t for t in d["added_tokens"] if t["content"] not in LEFT_OUT]
        for name, data in {"tokenizer.json": d, "tokenizer_config.json": config | {"tokenizer_class": "PreTrainedTokenizerFast"}}.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                json.dump(data, f)
        t = AutoTokenizer.from_pretrained(folder)
        ids = t(TEXT, add_special_tokens=False)["input_ids"]
        return {"config": config, "ids": ids, "skipped": t.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)}


with open("config.json", "w", encoding="utf-8") as f:
    rows = ",\n".join(json.dumps(case(c), ensure_ascii=False, separators=(",", ":")) for c in CONFIGS)
    f.write('{"left_out":%s,"text":%s,"cases":[\n%s\n]}\n' % (json.dumps(LEFT_OUT), json.dumps(TEXT), rows))
