"""What other programs make of finetune's exports, against transformers + PEFT in float32. Each step runs in the Python that has
what it needs; scripts/exports.sh calls them.

usage: exports_check.py adapter MODEL OUT [GAIN]     a PEFT adapter made from a seed: r 8, alpha 16, all projections
       exports_check.py reference MODEL ADAPTER REF   ids and logits of base and adapter (PyTorch, PEFT)
       exports_check.py merged MODEL ADAPTER MERGED REF
       exports_check.py llama GGUF LORA|- REF NAME    (llama-cpp-python); NAME is base or adapter
       exports_check.py mlx MODEL ADAPTER REF         (mlx-lm)
       exports_check.py tiny TOKENIZERDIR OUT TEXTS   a narrow model with that vocabulary, and the ids of 2,000 texts
       exports_check.py strings GGUF TEXTS            the ids of texts (llama-cpp-python)

Exits 1 where a difference is larger than BOUND.
"""
import json, os, sys

BOUND = 1e-3  # of logits, where the largest are about 30
PROMPTS = ["Once upon a time", "The capital of France is", "def fib(n):\n"]

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
    ids = json.load(open(f"{ref}/ids.json"))
    return [(i, np.load(f"{ref}/{name}-{n}.npy")) for n, i in enumerate(ids)]

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

def logits(m, ids):
    import torch
    with torch.no_grad():
        return m(torch.tensor([ids])).logits[0].float().numpy()

def load(model):
    import torch
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

def reference(model, lora, ref):
    import numpy as np
    from peft import PeftModel
    from tokenizers import Tokenizer
    os.makedirs(ref, exist_ok=True)
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    ids = [tokenizer.encode(p, add_special_tokens=False).ids for p in PROMPTS]
    json.dump(ids, open(f"{ref}/ids.json", "w"))
    m = load(model)
    for n, i in enumerate(ids):
        np.save(f"{ref}/base-{n}.npy", logits(m, i))
    m = PeftModel.from_pretrained(m, lora).eval()
    for n, i in enumerate(ids):
        np.save(f"{ref}/adapter-{n}.npy", logits(m, i))
    worst("the adapter moves the base", list(zip([b for _, b in references(ref, "base")], [a for _, a in references(ref, "adapter")])))

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
    d = worst(f"merged, {dtype}", [(logits(m, i), want) for i, want in references(ref, "adapter")])
    return dtype == torch.float32 and d > BOUND or dtype != torch.float32 and other / total > 1e-5

def llama(gguf, lora, ref, name):
    import numpy as np
    from llama_cpp import Llama
    more = {} if lora == "-" else {"lora_path": lora}
    m = Llama(model_path=gguf, n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False, flash_attn=False, type_k=0, type_v=0, **more)
    pairs = []
    for n, (ids, want) in enumerate(references(ref, name)):
        got = m.tokenize(PROMPTS[n].encode(), add_bos=False, special=True)
        if got != ids:
            sys.exit(f"llama.cpp reads {PROMPTS[n]!r} as {got}, not {ids}")
        m.reset()
        m.eval(ids)
        pairs.append((np.array(m.scores[:len(ids)]), want))
    return worst(f"llama.cpp, {os.path.basename(gguf)} + {lora}", pairs) > BOUND

def mlx(model, lora, ref):
    import mlx.core as mx, numpy as np
    from mlx_lm import load
    mx.set_default_device(mx.cpu)
    m, _ = load(model, adapter_path=lora)
    m.set_dtype(mx.float32)
    mx.eval(m.parameters())
    return worst("mlx-lm", [(np.array(m(mx.array([ids]))[0].astype(mx.float32)), want) for ids, want in references(ref, "adapter")]) > BOUND

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
        pairs.append((s, t.encode(s, add_special_tokens=False).ids))
    json.dump(pairs, open(texts, "w"))

def strings(gguf, tokens):
    from llama_cpp import Llama
    m = Llama(model_path=gguf, n_ctx=64, n_threads=1, verbose=False, vocab_only=True)
    pairs = json.load(open(tokens))
    bad = [s for s, ids in pairs if m.tokenize(s.encode(), add_bos=False, special=False) != ids]
    print(f"{os.path.basename(gguf)}: {len(bad)} of {len(pairs)} texts have other ids {bad[:2]!r}"[:300], flush=True)
    return bool(bad)

if __name__ == "__main__":
    steps = {f.__name__: f for f in (adapter, reference, merged, llama, mlx, tiny, strings)}
    sys.exit(1 if steps[sys.argv[1]](*sys.argv[2:]) else 0)
