"""What other programs make of finetune's exports, against transformers + PEFT in float32. Each step runs in the Python that has
what it needs; scripts/exports.sh calls them.

usage: exports_check.py adapter MODEL OUT [GAIN]     a PEFT adapter made from a seed: r 8, alpha 16, all projections
       exports_check.py reference MODEL ADAPTER REF   ids and logits of base and adapter (PyTorch, PEFT)
       exports_check.py merged MODEL ADAPTER MERGED REF
       exports_check.py llama GGUF LORA|- REF NAME    (llama-cpp-python); NAME is base or adapter
       exports_check.py mlx MODEL ADAPTER REF         (mlx-lm)
       exports_check.py list                          the names of families
       exports_check.py families OUT [FAMILY…]        small random models of each (golden_families.py), an adapter and logits of each
       exports_check.py llamas OUT [FAMILY…]          families' files in llama.cpp
       exports_check.py mlxs OUT [FAMILY…]            and in mlx-lm
       exports_check.py task OUT                      a task of lm-eval and the same rows for finetune, of OUT/rows.jsonl
       exports_check.py loglikelihood OUT             what both made of it
       exports_check.py tiny TOKENIZERDIR OUT TEXTS   a narrow model with that vocabulary, and the ids of 2,200 texts
       exports_check.py strings GGUF TEXTS            the ids of texts (llama-cpp-python)
       exports_check.py ollama URL MODEL ANSWERS      chats that Ollama answers as its model "check", against those of finetune generate

Exits 1 where a difference is larger than BOUND.
"""
import json, os, sys

BOUND = 1e-3  # of logits, where the largest are about 30
PROMPTS = ["Once upon a time", "The capital of France is", "def fib(n):\n", "One day, a girl went to the park with her dog. The dog saw a big red ball and ran."]

# Cases of golden_families.py and what they have otherwise, to be what llama.cpp computes and to reach each kind of rope there is.
LINEAR = dict(rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0))
YARN = dict(rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=10000.0))
LLAMA3 = dict(rope_parameters=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64, rope_theta=10000.0))
GEMMA = dict(query_pre_attn_scalar=20)
SIX = dict(GEMMA, num_hidden_layers=7, layer_types=None, hidden_size=64, rope_parameters=dict(
    full_attention=dict(rope_type="default", rope_theta=1000000.0), sliding_attention=dict(rope_type="default", rope_theta=10000.0)))
WIDE = dict(query_pre_attn_scalar=14)
FULL = dict(sliding_window=None, layer_types=["full_attention"] * 4)
PLAIN = dict(targets="qv", dtype="BF16")
FAMILIES = {
    "llama": ("", dict(PLAIN, model_type="llama")), "llama-linear": ("", PLAIN | LINEAR | dict(model_type="llama")),
    "llama-llama3": ("", PLAIN | LLAMA3 | dict(model_type="llama")), "llama-yarn": ("", dict(PLAIN, model_type="llama", rope_parameters=dict(YARN["rope_parameters"], attention_factor=0.9))),
    "mistral": ("", dict(PLAIN, model_type="mistral", head_dim=14)), "ministral": ("ministral", {}),
    "qwen2": ("", dict(PLAIN, model_type="qwen2")), "qwen2-windows": ("qwen2-windows", {}), "qwen2-yarn": ("qwen2-yarn", {}), "qwen2-linear": ("qwen2-yarn", LINEAR),
    "qwen3": ("", dict(PLAIN, model_type="qwen3", head_dim=18)), "qwen3-linear": ("", PLAIN | LINEAR | dict(model_type="qwen3")), "qwen3-yarn": ("", PLAIN | YARN | dict(model_type="qwen3")),
    "smollm3": ("smollm3", {}), "smollm3-yarn": ("smollm3", dict(YARN, use_sliding_window=False)), "smollm3-linear": ("smollm3", dict(LINEAR, use_sliding_window=False)),
    "olmo2": ("olmo2", {}), "olmo2-yarn": ("olmo2", YARN), "olmo2-linear": ("olmo2", LINEAR),
    "granite": ("granite", {}), "granite-yarn": ("granite", YARN), "granite-linear": ("granite", LINEAR), "granite-llama3": ("granite", LLAMA3),
    "olmo3": ("olmo3", {}), "exaone4": ("exaone4", FULL), "exaone4-llama3": ("exaone4", LLAMA3 | FULL),
    "gemma": ("gemma", dict(dtype="BF16")), "gemma-linear": ("gemma", dict(LINEAR, dtype="BF16")),
    "gemma2": ("gemma2", dict(GEMMA, sliding_window=400)), "gemma2-window": ("gemma2", GEMMA), "gemma2-27b": ("gemma2", dict(WIDE, num_hidden_layers=46)), "gemma2-linear": ("gemma2", GEMMA | LINEAR),
    "gemma3_text": ("gemma3_text", SIX), "gemma3_text-pattern": ("gemma3_text", GEMMA), "gemma3_text-27b": ("gemma3_text", dict(WIDE, num_hidden_layers=62, layer_types=None)),
    "gemma3": ("gemma3_text", SIX),
    "phi3": ("phi3", dict(least=18)), "phi3-short": ("phi3", dict(original_max_position_embeddings=300)), "phi3-window": ("phi3-window", {}),
}

def worst(step, pairs):
    import numpy as np
    top = 0.0
    for got, want in pairs:
        d = float(np.abs(np.asarray(got, dtype=np.float64) - want).max())
        top = max(top, d)
    print(f"{step}: largest difference of a logit {top:.3g}, the largest is {max(float(np.abs(w).max()) for _, w in pairs):.3g}", flush=True)
    return top

def references(ref, name):
    import numpy as np
    return [(text, ids, np.load(f"{ref}/{name}-{n}.npy")) for n, (text, ids) in enumerate(json.load(open(f"{ref}/texts.json")))]

def adapter(model, out, gain="1"):
    import torch
    from safetensors.torch import save_file
    c = json.load(open(f"{model}/config.json"))
    C, F, H = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    d = c.get("head_dim") or C // H
    q, kv = H * d, c.get("num_key_value_heads", H) * d
    shapes = {"self_attn.q_proj": (q, C), "self_attn.k_proj": (kv, C), "self_attn.v_proj": (kv, C), "self_attn.o_proj": (C, q),
              "mlp.gate_proj": (F, C), "mlp.up_proj": (F, C), "mlp.down_proj": (C, F)}
    g, t = torch.Generator().manual_seed(7), {}
    for layer in range(c["num_hidden_layers"]):
        for name, (m, n) in shapes.items():
            p = f"base_model.model.model.layers.{layer}.{name}"
            t[p + ".lora_A.weight"] = torch.randn(8, n, generator=g) / n ** 0.5
            t[p + ".lora_B.weight"] = torch.randn(m, 8, generator=g) * 0.02 * float(gain)
    os.makedirs(out, exist_ok=True)
    save_file(t, f"{out}/adapter_model.safetensors", metadata={"format": "pt"})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8, "lora_alpha": 16, "inference_mode": True, "target_modules": sorted(n.split(".")[1] for n in shapes)}
    json.dump(config, open(f"{out}/adapter_config.json", "w"), indent=2)

def family(name, out):
    """A random model of a family, with the demo's vocabulary, and an adapter of all its projections. llama.cpp takes GELU from a
    table of float16: what the MLP of Gemma adds is made small, that its rounding is."""
    import golden_families, shutil, torch
    from types import SimpleNamespace
    from safetensors.torch import save_file
    base, changes = FAMILIES[name]
    case = dict(golden_families.CASES[base] if base else {}, **changes)
    case.pop("least", 0)
    case.update(vocab_size=512, max_position_embeddings=512, pad_token_id=None, bos_token_id=1, eos_token_id=2)
    if name == "gemma3":  # the text part of a model that sees
        sight = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=28, patch_size=14)
        ends = dict(dtype=case.pop("dtype"), targets=case.pop("targets"))
        case = dict(ends, model_type="gemma3", vocab_size=512, text_config=golden_families.SMALL | case, vision_config=sight)
    kinds, dtype = SimpleNamespace(DT={"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}), case["dtype"]
    golden_families.CASES["this"] = case
    golden_families.build(kinds)("this", f"{out}/model", 7)
    if os.path.exists(f"{out}/model/generation_config.json"):
        os.remove(f"{out}/model/generation_config.json")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(f"cmd/finetune/demo/model/{file}", f"{out}/model")
    g, t = torch.Generator().manual_seed(7), {}
    m = load(f"{out}/model")
    with torch.no_grad():
        for n, p in m.named_parameters():
            if case["model_type"] == "gemma" and n.endswith("down_proj.weight"):
                p.mul_(1 / 32)
            elif name.startswith("gemma") and n.endswith("post_feedforward_layernorm.weight"):
                p.fill_(1 / 32 - 1)
    m.to(kinds.DT[dtype]).save_pretrained(f"{out}/model")
    for n, m in m.named_modules():
        if ".layers." in n and n.endswith("_proj") and "vision" not in n:
            t[f"base_model.model.{n}.lora_A.weight"] = torch.randn(8, m.in_features, generator=g) / m.in_features ** 0.5
            t[f"base_model.model.{n}.lora_B.weight"] = torch.randn(m.out_features, 8, generator=g) * 0.05
    os.makedirs(f"{out}/adapter")
    save_file(t, f"{out}/adapter/adapter_model.safetensors", metadata={"format": "pt"})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8, "lora_alpha": 16, "inference_mode": True, "target_modules": sorted({n.split(".")[-3] for n in t})}
    json.dump(config, open(f"{out}/adapter/adapter_config.json", "w"), indent=2)

def families(out, *names):
    for name in names:
        d = f"{out}/{name}"
        family(name, d)
        print(name, end=": ")
        reference(f"{d}/model", f"{d}/adapter", f"{d}/ref", FAMILIES[name][1].get("least", 0))

def llamas(out, *names):
    bad = 0
    for name in names:
        d = f"{out}/{name}"
        for file, lora, kind in (("ollama/base", "-", "base"), ("ollama/base", f"{d}/adapter.gguf", "adapter"), ("merged", "-", "adapter")):
            bad += llama(f"{d}/{file}.gguf", lora, f"{d}/ref", kind, name)
    return bad

def older(model, out):
    """The folder with its rope as transformers 4 says it, which mlx-lm reads for more families."""
    c = json.load(open(f"{model}/config.json"))
    rope = c.pop("rope_parameters", None)
    if rope is not None and "rope_theta" in rope:
        c["rope_theta"] = rope.pop("rope_theta")
        c["partial_rotary_factor"] = rope.pop("partial_rotary_factor", 1.0)
        if rope["rope_type"] != "default":
            c["rope_scaling"] = dict(rope, type=rope["rope_type"])
    elif rope is not None:
        c["rope_parameters"] = rope
    os.makedirs(out)
    for file in os.listdir(model):
        if file != "config.json":
            os.symlink(os.path.abspath(f"{model}/{file}"), f"{out}/{file}")
    json.dump(c, open(f"{out}/config.json", "w"))

def mlxs(out, *names):
    bad = 0
    for name in names:
        d = f"{out}/{name}"
        older(f"{d}/model", f"{d}/older")
        try:
            if mlx(f"{d}/older", None, f"{d}/ref", "base", name):
                print(f"{name} mlx-lm: computes the base otherwise")
            else:
                bad += mlx(f"{d}/older", f"{d}/mlx", f"{d}/ref", "adapter", name)
        except Exception as e:
            print(f"{name} mlx-lm: does not load the base: {e!r}"[:200])
    return bad

def logits(m, ids):
    import torch
    with torch.no_grad():
        return m(torch.tensor([ids])).logits[0].float().numpy()

def load(model):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    capped = getattr(AutoConfig.from_pretrained(model), "attn_logit_softcapping", None)
    return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attn_implementation="eager" if capped else "sdpa").eval()

def reference(model, lora, ref, least=0):
    import numpy as np
    from peft import PeftModel
    from tokenizers import Tokenizer
    os.makedirs(ref, exist_ok=True)
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    texts = [(p, tokenizer.encode(p, add_special_tokens=False).ids) for p in PROMPTS]
    texts = [(p, ids) for p, ids in texts if len(ids) >= least]
    json.dump(texts, open(f"{ref}/texts.json", "w"))
    m = load(model)
    for n, (_, ids) in enumerate(texts):
        np.save(f"{ref}/base-{n}.npy", logits(m, ids))
    m = PeftModel.from_pretrained(m, lora).eval()
    for n, (_, ids) in enumerate(texts):
        np.save(f"{ref}/adapter-{n}.npy", logits(m, ids))
    worst(f"{len(texts)} texts; the adapter moves the base", list(zip([b for _, _, b in references(ref, "base")], [a for _, _, a in references(ref, "adapter")])))

def merged(model, lora, folder, ref):
    """The merged folder: transformers' logits, and every weight against PEFT's merge in the type the folder has."""
    import torch
    from peft import PeftModel
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM
    made = safe_open(f"{folder}/model.safetensors", "pt")
    dtype = made.get_tensor(next(iter(made.keys()))).dtype
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model, dtype=dtype), lora).merge_and_unload().state_dict()
    total = other = 0
    for k in made.keys():
        a, b = made.get_tensor(k), theirs[k]
        assert a.dtype == b.dtype and a.shape == b.shape, k
        total, other = total + a.numel(), other + int((a != b).sum())
    print(f"merged, {dtype}: {other} of {total} weights are not PEFT's merge_and_unload bit for bit ({other / total:.1e})", flush=True)
    m = load(folder)
    d = worst(f"merged, {dtype}", [(logits(m, ids), want) for _, ids, want in references(ref, "adapter")])
    return dtype == torch.float32 and d > BOUND or dtype != torch.float32 and other / total > 1e-5

def llama(gguf, lora, ref, name, of=""):
    """A model whose layers have windows which the architecture has not is the same as far as they reach: to its context_length."""
    import numpy as np
    from llama_cpp import Llama
    more = {} if lora == "-" else {"lora_path": lora}
    m = Llama(model_path=gguf, n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False, flash_attn=False, type_k=0, type_v=0, **more)
    pairs = []
    for text, ids, want in references(ref, name):
        got = m.tokenize(text.encode(), add_bos=False, special=True)
        if got != ids:
            sys.exit(f"llama.cpp reads {text!r} as {got}, not {ids}")
        m.reset()
        m.eval(ids)
        most = min(len(ids), int(next(v for k, v in m.metadata.items() if k.endswith(".context_length"))))
        pairs.append((np.array(m.scores[:most]), want[:most]))
    return not worst(f"{of} llama.cpp, {os.path.basename(gguf)} + {os.path.basename(lora)}", pairs) <= BOUND

def mlx(model, lora, ref, kind="adapter", of=""):
    import mlx.core as mx, numpy as np
    from mlx_lm import load
    mx.set_default_device(mx.cpu)
    m, _ = load(model, adapter_path=lora)
    m.set_dtype(mx.float32)
    mx.eval(m.parameters())
    return not worst(f"{of} mlx-lm, {kind}", [(np.array(m(mx.array([ids]))[0].astype(mx.float32)), want) for _, ids, want in references(ref, kind)]) <= BOUND

def task(out):
    os.makedirs(f"{out}/task")
    with open(f"{out}/pairs.jsonl", "w") as pairs, open(f"{out}/segments.jsonl", "w") as segments:
        for row in map(json.loads, open(f"{out}/rows.jsonl", encoding="utf-8")):
            parts = row["question"], "\n" + row["answer"]
            print(json.dumps(dict(zip(("prompt", "completion"), parts))), file=pairs)
            print(json.dumps({"segments": [{"text": parts[0], "label": False}, {"text": parts[1], "label": True}]}), file=segments)
    with open(f"{out}/task/pairs.yaml", "w") as f:
        json.dump({"task": "pairs", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": f"{out}/pairs.jsonl"}}, "test_split": "test",
                   "output_type": "loglikelihood", "doc_to_text": "{{prompt}}", "doc_to_target": "{{completion}}", "target_delimiter": "",
                   "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}], "metadata": {"version": 1.0}}, f)

def loglikelihood(out):
    import glob
    [path] = glob.glob(f"{out}/said/**/samples_pairs_*.jsonl", recursive=True)
    likelihood = lambda s: s["filtered_resps"][0][0] if isinstance(s["filtered_resps"][0], list) else s["filtered_resps"][0]
    total = sum(float(likelihood(json.loads(line))) for line in open(path))
    from tokenizers import Tokenizer
    encode = Tokenizer.from_file(f"{out}/merged/tokenizer.json").encode
    pairs = [json.loads(line) for line in open(f"{out}/pairs.jsonl")]
    tokens = sum(len(encode(p["prompt"] + p["completion"]).ids) - len(encode(p["prompt"]).ids) for p in pairs)
    theirs, mine = -total / tokens, json.load(open(f"{out}/ours.json"))["base"]["loss"]
    print(f"lm-eval: loss {theirs:.8f} over {tokens} tokens of {len(pairs)} rows, finetune eval {mine:.8f}: relative difference {abs(mine / theirs - 1):.1e}")
    return not abs(mine / theirs - 1) <= 1e-5

def tiny(tokenizer, out, texts):
    """Texts without what llama.cpp normalizes otherwise: they are in NFC, as they are mostly."""
    import random, shutil, unicodedata, torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer
    os.makedirs(out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if os.path.exists(f"{tokenizer}/{name}"):
            shutil.copy(f"{tokenizer}/{name}", out)
    t = Tokenizer.from_file(f"{tokenizer}/tokenizer.json")
    V = max(t.get_vocab(with_added_tokens=True).values()) + 1
    C, F = 32, 32
    shapes = {"model.embed_tokens": (V, C), "model.norm": (C,)}
    for n, s in {"self_attn.q_proj": (C, C), "self_attn.k_proj": (C, C), "self_attn.v_proj": (C, C), "self_attn.o_proj": (C, C), "mlp.gate_proj": (F, C),
                 "mlp.up_proj": (F, C), "mlp.down_proj": (C, F), "input_layernorm": (C,), "post_attention_layernorm": (C,)}.items():
        shapes["model.layers.0." + n] = s
    save_file({n + ".weight": torch.zeros(s, dtype=torch.float16) for n, s in shapes.items()}, f"{out}/model.safetensors", metadata={"format": "pt"})
    json.dump({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": C, "intermediate_size": F, "num_hidden_layers": 1, "num_attention_heads": 2,
               "num_key_value_heads": 2, "vocab_size": V, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": True,
               "torch_dtype": "float16"}, open(f"{out}/config.json", "w"))
    random.seed(1)
    words = "the of and to in a is that it was for on as with his he be at by this had not are but from or have an they which one you were all her she there would their 2+2 3.14 1000 12345 x=1; f(x) don't I'll we've HELLO World naïve café Straße Fluß 你好 世界 日本語 안녕하세요 привет мир مرحبا שלום 🚀 😀 \n \n\n \t . , ! ? : ; -- ... ' \" ( ) [ ] { } <b> </b> http://x.org/a?b=c #tag @me 50% $5 € £ _a_b_ CamelCaseWord".split(" ")
    pairs = []
    for _ in range(2000):
        parts = [random.choice(words) for _ in range(random.randint(1, 12))]
        s = unicodedata.normalize("NFC", "".join(p + random.choice([" ", " ", " ", "", "  ", "\n"]) for p in parts))
        pairs.append((s, t.encode(s, add_special_tokens=False).ids, False))
    marks = [a["content"] for a in json.load(open(f"{tokenizer}/tokenizer.json"))["added_tokens"] if "\u2581" not in a["content"]][:200]
    for _ in range(200):  # as in chats
        s = "".join(random.choice(marks) + random.choice(["", "\n", " "]) + " ".join(random.choices(words, k=3)) for _ in range(random.randint(1, 4)))
        pairs.append((s, t.encode(s, add_special_tokens=False).ids, True))
    json.dump(pairs, open(texts, "w"))

def strings(gguf, tokens, said=""):
    """said is what the export warned of texts with special tokens: that they differ then is known."""
    from llama_cpp import Llama
    m = Llama(model_path=gguf, n_ctx=64, n_threads=1, verbose=False, vocab_only=True)
    pairs = json.load(open(tokens))
    wrong = 0
    for special, what in ((False, "texts"), (True, "texts with special tokens")):
        these = [(s, ids) for s, ids, of in pairs if of == special]
        bad = [s for s, ids in these if m.tokenize(s.encode(), add_bos=False, special=special) != ids]
        print(f"{os.path.basename(gguf)}: {len(bad)} of {len(these)} {what} have other ids {bad[:2]!r}"[:300], flush=True)
        wrong += 0 if special and said else len(bad)
    return bool(wrong)

def ollama(url, model, answers):
    import urllib.request
    from transformers import AutoTokenizer
    tok, same, chats, tokens = AutoTokenizer.from_pretrained(model), 0, 0, 0
    for line in open(answers, encoding="utf-8"):
        row = json.loads(line)
        asked, answer = row["messages"][:-1], row["messages"][-1]["content"]
        body = dict(model="check", messages=asked, stream=False, options=dict(temperature=0, num_predict=row["tokens"], repeat_penalty=1.0))
        got = json.load(urllib.request.urlopen(urllib.request.Request(url + "/api/chat", json.dumps(body).encode(), {"Content-Type": "application/json"})))
        prompt = tok.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
        chats, tokens = chats + 1, tokens + row["tokens"]
        if got["prompt_eval_count"] == len(prompt) and got["message"]["content"] == answer.strip():
            same += 1
        else:
            print(f"{asked!r}: {got['prompt_eval_count']} tokens, {got['message']['content']!r}; want {len(prompt)}, {answer!r}")
    print(f"ollama: {same} of {chats} chats have the same prompt and answer, {tokens} tokens", flush=True)
    return same < chats

if __name__ == "__main__":
    if sys.argv[1] == "list":
        print(*FAMILIES)
        sys.exit()
    steps = {f.__name__: f for f in (adapter, reference, merged, llama, mlx, families, llamas, mlxs, task, loglikelihood, tiny, strings, ollama)}
    sys.exit(1 if steps[sys.argv[1]](*sys.argv[2:]) else 0)
