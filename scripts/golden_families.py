"""Golden numbers for the families that tools/golden.py does not know: its cases, weights and numbers, for more model types.

usage: golden_families.py GOLDEN_PY CASE OUTDIR [--seed N]        (golden_families.py GOLDEN_PY list: the cases)

GOLDEN_PY is that script. A case here is a configuration, the type its weights are stored in, and the adapted modules; what
is drawn, computed and written is golden.py's own. Attention with a soft cap is transformers' eager one, whose softmax is
kept in float64 here.
"""
import importlib.util, math, sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

SMALL = dict(hidden_size=48, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=131, max_position_embeddings=256, rms_norm_eps=1e-5, tie_word_embeddings=True,
             pad_token_id=0, bos_token_id=1, eos_token_id=2)
WINDOWS = ["sliding_attention", "full_attention"]
GEMMA = dict(head_dim=20, query_pre_attn_scalar=24, sliding_window=7, rms_norm_eps=1e-6, hidden_size=56, num_attention_heads=4,
             num_key_value_heads=1)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=10000.0)
LONG = dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.3, 1.7, 2.0], long_factor=[1.0, 1.5, 3.0, 7.0, 19.0],
            original_max_position_embeddings=17, partial_rotary_factor=0.75)
CASES = {
    "smollm3": dict(model_type="smollm3", dtype="BF16", num_hidden_layers=5, use_sliding_window=True, sliding_window=9, targets="qv"),
    "qwen2-windows": dict(model_type="qwen2", dtype="F16", num_hidden_layers=3, use_sliding_window=True, sliding_window=8,
                          max_window_layers=1, targets="qv"),
    "qwen3-windows": dict(model_type="qwen3", dtype="BF16", head_dim=18, num_hidden_layers=3, use_sliding_window=True, sliding_window=5,
                          layer_types=["full_attention", "sliding_attention", "full_attention"], targets="qv"),
    "ministral": dict(model_type="ministral", dtype="BF16", head_dim=14, num_hidden_layers=3, sliding_window=8, num_key_value_heads=1,
                      layer_types=WINDOWS + WINDOWS[:1], targets="qv"),
    "qwen2-yarn": dict(model_type="qwen2", dtype="BF16", rope_parameters=YARN, tie_word_embeddings=False, targets="qv"),
    "llama-yarn": dict(model_type="llama", dtype="F32", rope_parameters=dict(YARN, attention_factor=0.9, beta_fast=20.0, beta_slow=2.0, truncate=False),
                       targets="qv"),
    "llama-dynamic": dict(model_type="llama", dtype="F16", rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=10000.0), targets="qv"),
    "olmo2": dict(model_type="olmo2", dtype="F16", tie_word_embeddings=False, targets="all"),
    "olmo3": dict(model_type="olmo3", dtype="BF16", num_hidden_layers=4, sliding_window=8, tie_word_embeddings=False,
                  rope_parameters=dict(full_attention=dict(YARN, rope_theta=500000.0), sliding_attention=dict(rope_type="default", rope_theta=500000.0)),
                  targets="qv"),
    "exaone4": dict(model_type="exaone4", dtype="BF16", num_hidden_layers=4, sliding_window=7, sliding_window_pattern=3, targets="qv"),
    "granite": dict(model_type="granite", dtype="BF16", embedding_multiplier=6.0, attention_multiplier=0.11, residual_multiplier=0.35,
                    logits_scaling=3.0, attention_bias=True, targets="all"),
    "gemma": dict(model_type="gemma", dtype="F16", head_dim=18, num_key_value_heads=1, hidden_act="gelu_pytorch_tanh", targets="all"),
    "gemma2": dict(GEMMA, model_type="gemma2", dtype="BF16", attn_logit_softcapping=3.0, final_logit_softcapping=5.0, targets="all"),
    "gemma3_text": dict(GEMMA, model_type="gemma3_text", dtype="BF16", num_hidden_layers=3, layer_types=WINDOWS + WINDOWS[:1],
                        rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                                             sliding_attention=dict(rope_type="default", rope_theta=10000.0)), targets="qv"),
    "phi3": dict(model_type="phi3", dtype="BF16", hidden_size=56, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
                 original_max_position_embeddings=17, max_position_embeddings=256, rope_parameters=LONG, targets="fused"),
    "phi3-window": dict(model_type="phi3", dtype="F16", sliding_window=10, tie_word_embeddings=False, original_max_position_embeddings=256,
                        partial_rotary_factor=0.5, targets="fused"),
}
FUSED = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]


def fill(model, kind, seed):
    g = torch.Generator().manual_seed(seed)
    centre = 0 if kind.startswith("gemma") else 1  # these norms multiply by 1+w
    with torch.no_grad():
        for n, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if "norm" in n: p.copy_(centre + 0.2 * noise)
            elif n.endswith("bias"): p.copy_(0.1 * noise)
            elif "embed" in n or "lm_head" in n: p.copy_(0.4 * noise)
            else: p.copy_(noise * 1.2 / math.sqrt(p.shape[1]))


def build(golden):
    def f(case, out, seed):
        spec = dict(SMALL)
        spec.update(CASES[case])
        dtype, targets, kind = spec.pop("dtype"), spec.pop("targets"), spec.pop("model_type")
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **spec), attn_implementation="eager").to(torch.float32)
        fill(model, kind, seed)
        model.to(golden.DT[dtype]).save_pretrained(out)
        if targets == "fused":
            golden.ALL = FUSED
        return "qv" if targets == "qv" else "all"
    return f


def load(folder):
    config = AutoConfig.from_pretrained(folder)
    capped = getattr(config, "attn_logit_softcapping", None) is not None
    m = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager" if capped else "sdpa").eval()
    m.config.use_cache = False
    return m


def patch(golden):
    """Gives golden.py these cases and what they need."""
    golden.CASES.update(CASES)
    golden.build, golden.load = build(golden), load
    softmax = torch.nn.functional.softmax
    torch.nn.functional.softmax = lambda x, dim=None, dtype=None: softmax(x, dim=dim)


def module(path):
    spec = importlib.util.spec_from_file_location("golden", path)
    golden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)
    return golden


if __name__ == "__main__":
    golden = module(sys.argv[1])
    if sys.argv[2] == "list":
        print(*CASES, sep="\n")
        sys.exit()
    patch(golden)
    sys.argv[:2] = [sys.argv[1]]
    golden.main()
