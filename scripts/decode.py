"""Prints the tokens per second of llama.cpp for so many texts of 200 tokens that go on together.

usage: decode.py MODEL.gguf NAME TEXTS…
"""
import ctypes, os, sys, time
import llama_cpp as l

PROMPT, STEPS = 200, 24

@l.llama_log_callback
def quiet(level, text, data):
    pass

def fill(batch, tokens):
    """Sets the batch to (token, position, sequence) triples, whose logits are all wanted."""
    batch.n_tokens = len(tokens)
    for i, (token, position, sequence) in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, 1, True
        batch.seq_id[i][0] = sequence
    return batch

def measure(model, texts):
    params = l.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_seq_max = 512 * texts, 512, texts
    params.n_threads = params.n_threads_batch = os.cpu_count()
    context = l.llama_init_from_model(model, params)
    batch = l.llama_batch_init(512, 0, 1)
    for s in range(texts):
        assert l.llama_decode(context, fill(batch, [(100 + t, t, s) for t in range(PROMPT)])) == 0
    start = time.time()
    for step in range(STEPS):
        assert l.llama_decode(context, fill(batch, [(1000 + s, PROMPT + step, s) for s in range(texts)])) == 0
    l.llama_synchronize(context)
    took = time.time() - start
    l.llama_batch_free(batch)
    l.llama_free(context)
    return texts * STEPS / took

if __name__ == "__main__":
    l.llama_log_set(quiet, ctypes.c_void_p(0))
    l.llama_backend_init()
    model = l.llama_model_load_from_file(sys.argv[1].encode(), l.llama_model_default_params())
    for texts in map(int, sys.argv[3:]):
        print(f"llama.cpp,{sys.argv[2]} {texts} {measure(model, texts):.1f}", flush=True)
