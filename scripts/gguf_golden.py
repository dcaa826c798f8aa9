"""What llama.cpp's own scripts make of the golden models and their adapters, for the tests of loraone/gguf: every key, and
name, shape, type and SHA-256 of every tensor.

usage: gguf_golden.py LLAMA_CPP [CASE…]

LLAMA_CPP is a folder with convert_hf_to_gguf.py, convert_lora_to_gguf.py, conversion/ and gguf-py/ (vendor/llama.cpp of the
source archive of llama-cpp-python holds them). Needs PyTorch, transformers, safetensors, sentencepiece. The golden models but stories260k have
no tokenizer: the scripts are run without their step set_vocab.
"""
import hashlib, json, logging, os, runpy, shutil, sys, tempfile
from pathlib import Path
from safetensors import safe_open
from safetensors.numpy import save_file

root = Path(__file__).resolve().parent.parent
llama, wanted = Path(sys.argv[1]).resolve(), sys.argv[2:]  # the scripts are given another sys.argv
sys.path[:0] = [str(llama), str(llama / "gguf-py")]
import conversion.exaone, conversion.gemma, conversion.llama, conversion.olmo, conversion.phi, conversion.qwen
from gguf import GGUFReader

vocabularies = {c: c.set_vocab for c in (conversion.llama.LlamaModel, conversion.qwen.Qwen2Model, conversion.qwen.Qwen3Model, conversion.gemma.GemmaModel, conversion.gemma.Gemma2Model,
                                         conversion.gemma.Gemma3Model, conversion.phi.Phi3MiniModel, conversion.olmo.Olmo2Model, conversion.exaone.Exaone4Model)}

def run(script, *args, bare=True):
    for c, set_vocab in vocabularies.items():
        c.set_vocab = (lambda self: None) if bare else set_vocab
    sys.argv = [str(llama / script), *map(str, args)]
    runpy.run_path(sys.argv[0], run_name="__main__")

def described(path):
    r = GGUFReader(path)
    keys = {k: f.contents() for k, f in r.fields.items() if not k.startswith("GGUF.")}
    types = {k: "/".join(t.name for t in f.types) for k, f in r.fields.items() if not k.startswith("GGUF.")}
    def tensor(t):
        return {"name": t.name, "shape": [int(d) for d in reversed(t.shape)], "type": t.tensor_type.name, "sha256": hashlib.sha256(t.data.tobytes()).hexdigest()}
    return {"keys": {k: [types[k], keys[k]] for k in sorted(keys)}, "tensors": [tensor(t) for t in r.tensors]}

def folder(case, out):
    """The model's folder; where it has no tokenizer.json, a copy with one that has as many tokens, which the script for Gemma counts."""
    if (case / "tokenizer.json").exists():
        return case
    shutil.copytree(case, out, ignore=shutil.ignore_patterns("expected.*"))
    size = json.loads((case / "config.json").read_text())["vocab_size"]
    Path(out, "tokenizer.json").write_text(json.dumps({"model": {"vocab": {f"t{i}": i for i in range(size)}}, "added_tokens": []}))
    return Path(out)

def adapter(case, expected, out):
    """The adapter given.* of a golden case, as PEFT keeps it, with a scale that is its own."""
    os.makedirs(out)
    tensors = {}
    with safe_open(case / "expected.safetensors", "np") as f:
        for k in f.keys():
            if k.startswith("given.") and k.rsplit(".", 1)[1] in ("lora_A", "lora_B"):
                tensors["base_model.model." + k.removeprefix("given.") + ".weight"] = f.get_tensor(k)
    # Modules in the model's order, as finetune writes them: the script keeps the order of the file, which is sorted by name.
    save_file(tensors, f"{out}/adapter_model.safetensors", metadata={"format": "pt"})
    config = {"peft_type": "LORA", "r": expected["rank"], "lora_alpha": expected["alpha"], "target_modules": expected["targets"], "task_type": "CAUSAL_LM"}
    Path(out, "adapter_config.json").write_text(json.dumps(config))

def main():
    logging.disable(logging.INFO)
    for path in sorted((root / "model/testdata/golden").glob("*/expected.json")):
        case = path.parent
        if wanted and case.name not in wanted:
            continue
        expected = json.loads(path.read_text())
        bare = (case / "config.json").exists()
        result = {}
        with tempfile.TemporaryDirectory() as tmp:
            base = folder(case, f"{tmp}/{case.name}") if bare else root / "cmd/finetune/demo/model"
            adapter(case, expected, f"{tmp}/adapter")
            for kind in ("f32", "f16", "bf16"):
                run("convert_lora_to_gguf.py", "--base", base, "--outtype", kind, "--outfile", f"{tmp}/lora.gguf", f"{tmp}/adapter")
                result["adapter " + kind] = described(f"{tmp}/lora.gguf")
            for kind in ("f32", "f16", "bf16", "q8_0"):
                run("convert_hf_to_gguf.py", base, "--outtype", kind, "--outfile", f"{tmp}/model.gguf", bare=bare)
                result["model " + kind] = described(f"{tmp}/model.gguf")
        out = root / "loraone/gguf/testdata/golden" / (case.name + ".json")
        out.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(k) + ": {\"keys\": " + json.dumps(v["keys"], ensure_ascii=False) + ", \"tensors\": [\n" + ",\n".join(json.dumps(t) for t in v["tensors"]) + "\n]}" for k, v in result.items()]
        out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(out, out.stat().st_size)

if __name__ == "__main__":
    main()
