"""The last logits of some texts in a program that an export is for. finetune export --verify runs it and compares them with its own.

stdin: {"module": …, "model": …, "adapter": … or "", "texts": […], "ids": [[…]]}; stdout: {"version": …, "ids": [[…]] or null, "logits": [[…]]}
"""
import importlib.metadata, json, os, sys


def llama_cpp(job):
    from llama_cpp import Llama
    more = {"lora_path": job["adapter"]} if job["adapter"] else {}
    longest = max(map(len, job["ids"]))  # one thread: those of llama.cpp spin, and on a machine that is busy wait for each other
    m = Llama(model_path=job["model"], n_ctx=longest + 8, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False, flash_attn=False, type_k=0, type_v=0, **more)
    logits = []
    for ids in job["ids"]:
        m.reset()
        m.eval(ids)
        logits.append(m.scores[len(ids) - 1].copy())
    return [m.tokenize(text.encode(), add_bos=True, special=True) for text in job["texts"]], logits


def mlx_lm(job):
    import mlx.core as mx, numpy as np
    from mlx_lm import load
    mx.set_default_device(mx.cpu)
    m, _ = load(job["model"], adapter_path=job["adapter"])
    m.set_dtype(mx.float32)
    return None, [np.array(m(mx.array([ids]))[0, -1].astype(mx.float32)) for ids in job["ids"]]


def peft(job):
    import torch
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM
    capped = getattr(AutoConfig.from_pretrained(job["model"]), "attn_logit_softcapping", None)  # which other attention leaves out
    base = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32, attn_implementation="eager" if capped else "sdpa")
    m = PeftModel.from_pretrained(base, job["adapter"]).eval()
    with torch.no_grad():
        return None, [m(torch.tensor([ids])).logits[0, -1].numpy() for ids in job["ids"]]


os.environ.setdefault("HF_HUB_OFFLINE", "1")
out, sys.stdout = sys.stdout, sys.stderr
job = json.load(sys.stdin)
ids, logits = {f.__name__: f for f in (llama_cpp, mlx_lm, peft)}[job["module"]](job)
version = importlib.metadata.version({"llama_cpp": "llama-cpp-python", "mlx_lm": "mlx-lm"}.get(job["module"], job["module"]))
json.dump({"version": version, "ids": ids, "logits": [[float(x) for x in row] for row in logits]}, out)
