"""Make bytelevel/tokenizer.json and variants.json with Hugging Face tokenizers.

usage: pip install tokenizers && python golden.py      (in this folder; tokenizers 0.23.3)
"""
import copy, gzip, json, random, re
from tokenizers import Tokenizer

R = random.Random(5)
FIRST_MERGES = 1500  # of SmolLM2's, for a byte-level tokenizer of its own


def dump(x):
    return json.dumps(x, ensure_ascii=False, separators=(",", ":"))


def small_bytelevel():
    d = json.load(gzip.open("smollm2/tokenizer.json.gz"))
    m, merges = d["model"], d["model"]["merges"][:FIRST_MERGES]
    vocab = {t: i for t, i in m["vocab"].items() if i < len(d["added_tokens"])}
    for _, t in sorted((i, t) for t, i in m["vocab"].items() if len(t) == 1):
        vocab[t] = len(vocab)
    for pair in merges:
        vocab.setdefault(pair.replace(" ", "", 1), len(vocab))
    d["model"] = dict(m, vocab=vocab, merges=merges)
    open("bytelevel/tokenizer.json", "w").write(dump(d))
    return d


S = json.load(open("stories260k/tokenizer.json"))
M = small_bytelevel()


def variant(base, **parts):
    d = copy.deepcopy(base)
    for k, v in parts.items():
        d["model"].update(v) if k == "model" else d.update({k: v})
    return d


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTION
    + r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTION
    + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TEKKEN = re.sub(r"\(\?i:[^)]*\)\?", "", GPT4O).replace(r"\p{N}{1,3}", r"\p{N}")


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def bytelevel(prefix, words):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": False, "use_regex": words}


def pres(*a):
    return {"type": "Sequence", "pretokenizers": list(a)}


def norms(*a):
    return {"type": "Sequence", "normalizers": list(a)}


def metaspace(scheme, cut):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}


def added(base, tokens):
    vocab, out = base["model"]["vocab"], list(base["added_tokens"])
    n = len(vocab)
    for t in tokens:
        i = vocab.get(t["content"], n)
        n += i == n
        plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
        out.append(dict({"id": i}, **plain) | t)
    return out


def template(token, i):
    one, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [one, text], "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [i], "tokens": [token]}}}


B = bytelevel(False, False)
ODD = [{"content": "<|tool|>", "lstrip": True}, {"content": "<|end of turn|>", "rstrip": True, "special": True},
       {"content": "word", "single_word": True}, {"content": "Hello", "normalized": True}, {"content": "<|end", "special": True},
       {"content": " é", "normalized": True, "rstrip": True}, {"content": "\n\n"}]
POST = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
VARIANTS = {
    "smol": M, "stories": S,
    "llama3": variant(M, pre_tokenizer=pres(split(LLAMA3), B), model={"ignore_merges": True},
                      post_processor={"type": "Sequence", "processors": [POST, template("<|im_start|>", 1)]}),
    "qwen": variant(M, normalizer={"type": "NFC"}, pre_tokenizer=pres(split(QWEN2), B), post_processor=POST),
    "gpt2": variant(M, pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}, post_processor=POST),
    "gpt4o": variant(M, pre_tokenizer=pres(split(GPT4O), B)),
    "gpt2 with a prefix space": variant(M, pre_tokenizer=bytelevel(True, True), added_tokens=added(M, ODD)),
    "mistral": variant(S, normalizer=None, pre_tokenizer=metaspace("first", False), added_tokens=added(S, ODD)),
    "metaspace always": variant(S, normalizer=None, pre_tokenizer=metaspace("always", True), decoder=metaspace("always", True),
                                added_tokens=added(S, ODD)),
    "metaspace never": variant(S, normalizer=None, pre_tokenizer=metaspace("never", True), decoder=metaspace("never", True)),
    "added after normalization": variant(S, added_tokens=added(S, [dict(t, normalized=not t.get("normalized")) for t in ODD])),
    "nfkc, lower case, strip": variant(M, added_tokens=added(M, ODD), normalizer=norms(
        {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True})),
    "nfd": variant(M, normalizer={"type": "NFD"}),
    "nfkd, replace": variant(M, normalizer=norms({"type": "NFKD"}, {"type": "Replace", "pattern": {"Regex": " +"}, "content": "_-"})),
    "nfc, prepend": variant(S, normalizer=norms({"type": "NFC"}, *S["normalizer"]["normalizers"])),
    "byte level in the middle": variant(M, pre_tokenizer=pres(
        {"type": "Punctuation", "behavior": "Contiguous"}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]"))),
    "whitespace": variant(M, pre_tokenizer=pres({"type": "Whitespace"}, B)),
    "whitespace split": variant(M, pre_tokenizer=pres({"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "MergedWithPrevious"}, B)),
    "no decoder": variant(M, decoder=None),
    "unk": variant(S, model={"byte_fallback": False}),
    "unk, not fused": variant(S, model={"byte_fallback": False, "fuse_unk": False}),
}
for b in ["Removed", "MergedWithNext", "MergedWithPrevious", "Contiguous"]:
    VARIANTS["split " + b] = variant(M, pre_tokenizer=pres(
        split(r"[aeiou ]+|\p{P}", b), {"type": "Split", "pattern": {"String": "-"}, "behavior": b, "invert": False}, B))
    VARIANTS["inverted split " + b] = variant(M, pre_tokenizer=pres(split(r"\w+|\d|[^\w\s]", b, True), {"type": "Punctuation", "behavior": b}, B))

VARIANTS["letters of Oniguruma"] = variant(M, pre_tokenizer=pres(split(r"\w+", "MergedWithNext"), split(r"[^\W\d]\D?\H*|\p{^Lu}\P{Han}", "Contiguous"), B))
VARIANTS["syntax of Oniguruma"] = variant(M, pre_tokenizer=pres(
    split(r"(?i:'s|k)|^x|\u4e2d|\x{1F44D}|[\p{Greek}\s]{,2}q|(?<=a)b+?$|(?>\p{hiragana}+)|[\u0041-\u0043\x2d]|\h{3}"), B))
VARIANTS["only matches"] = variant(M, pre_tokenizer=pres(split(GPT4O, "Removed", True), B))
VARIANTS["tekken"] = variant(M, pre_tokenizer=pres(split(TEKKEN), B), model={"ignore_merges": True})
VARIANTS["deepseek"] = variant(M, pre_tokenizer=pres(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"), B))
VARIANTS["single digits"] = variant(M, pre_tokenizer=pres({"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Removed"}, B))
VARIANTS["metaspace of another character"] = variant(S, normalizer=None, decoder=None, pre_tokenizer={
    "type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": True})
VARIANTS["gemma"] = variant(S, normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                            pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False})
VARIANTS["added tokens that normalization changes"] = variant(M, normalizer=norms({"type": "NFKD"}, {"type": "Lowercase"}, {
    "type": "Replace", "pattern": {"Regex": " +"}, "content": "_"}), added_tokens=added(M, [dict(t, normalized=True) for t in [
        {"content": "HELLO", "lstrip": True}, {"content": "\u212b ", "rstrip": True}, {"content": "\ufb01", "single_word": True},
        {"content": "Leading And"}, {"content": "\uac00", "special": True}]]))
VARIANTS["added tokens behind a prefix"] = variant(S, added_tokens=added(S, [dict(t, normalized=True) for t in [
    {"content": "Hello"}, {"content": "  "}, {"content": "things. "}, {"content": " and", "special": True}, {"content": "x", "single_word": True}]]))
VARIANTS["a beginning that normalization takes away"] = variant(S, normalizer={"type": "Strip", "strip_left": True, "strip_right": False},
                                                                 pre_tokenizer=metaspace("first", False))


TEXTS = [
    "", "Hello, world!  It's 1234567 things.\n\n  don't DON'T we'LL 'ſ\t\n x", "the-final--countdown (ok)... $5?! #tag",
    "é e\u0301 Å \u212b ﬁ ½ ² Ⅷ ٣ １２ ﷺ a\u0323\u0307 a\u0307\u0323 q\u0307\u0323 가각 \u1100\u1161\u11a8 \u0344\u0f73 İSTANBUL ΑΣ",
    "中文 日本語 한국어 हिन्दी ไทย 👍👨\u200d👩\u200d👧🇩🇪\u00a0\u3000\ufeff", " leading and trailing  ", "▁meta ▁▁ _x", "   ", "\n",
    "Hello<|im_start|>word words <|end of turn|>  <|tool|> <|end <s>é</s>\n\n word", "  <|tool|>x <|im_end|><unk> éa Hello",
    "\x00\x7f\u0085Ⓐǅʰ\u0301", "camelCase HTTPServer ǅx/\r\n/ don'T 'Ke K\u212a abbb abb\nxqx αβq ひらがな カタカナ A-C dadfaced",
    # of later and earlier Unicode versions
    "a\U00010d50\u1c89\u0897b \U0002ebf0\u4e00 1\U00010d41\U00011de3 .\u2e52\u166d\u2427 \u32ff\ua7f2\U00011938\U00011935\U00011930 \ua7dc²¼Ⅷ",
]


def case(tok, text):
    whole, plain = tok.encode(text), tok.encode(text, add_special_tokens=False)
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    ids = [R.randrange(tok.get_vocab_size()) for _ in range(8)] + [R.randrange(3, 259) for _ in range(4)]
    return {"text": text, "ids": whole.ids, "offsets": [[at[i], at[j]] for i, j in whole.offsets], "n": len(whole.ids) - len(plain.ids),
            "decoded": tok.decode(whole.ids), "random": ids, "random_decoded": tok.decode(ids, skip_special_tokens=False)}


def make_variants():
    rows = []
    for name, d in VARIANTS.items():
        base, tok = ("stories260k", S) if "<0x00>" in d["model"]["vocab"] else ("bytelevel", M), Tokenizer.from_str(json.dumps(d))
        name_of_base, original = base
        rows.append({"name": name, "base": name_of_base,
                     "set": {k: v for k, v in d.items() if k != "model" and v != original[k]},
                     "model": {k: v for k, v in d["model"].items() if v != original["model"][k]},
                     "cases": [case(tok, t) for t in TEXTS]})
    open("variants.json", "w").write("[\n" + ",\n".join(map(dump, rows)) + "\n]\n")


make_variants()
