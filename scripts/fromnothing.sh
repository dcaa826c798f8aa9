#!/usr/bin/env bash
# From nothing to an answer, in the three commands of the README: a model named by its id on a fake Hub is fetched and
# trained, answers a question in a chat, and is exported; llama.cpp answers the exported file's question in the same words.
#
#   scripts/fromnothing.sh
#
# llama.cpp is the environment that scripts/exports.sh --install makes.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

need_smollm2
llama=$cache/consumers/llama/bin/python
[ -x "$llama" ] || die "no llama.cpp: scripts/exports.sh --install"
work=$(mktemp -d)
hub=
trap '[ -z "$hub" ] || kill "$hub"; rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
export PATH=$work:$PATH HF_HOME=$work/hf
unset HF_HUB_CACHE HF_HUB_OFFLINE HF_TOKEN

mkdir -p "$work/hub/org"
cp -rL "$smollm2" "$work/hub/org/SmolLM2-135M-Instruct"
python3 scripts/fakehub.py --root "$work/hub" >"$work/port" &
hub=$!
until [ -s "$work/port" ]; do sleep 0.1; done
HF_ENDPOINT=http://127.0.0.1:$(grep -oE '[0-9]+' "$work/port" | tail -n 1)
export HF_ENDPOINT

cd "$work"
for city in Paris,France Rome,Italy Madrid,Spain Berlin,Germany Vienna,Austria Athens,Greece; do
	printf '{"messages":[{"role":"user","content":"What is the capital of %s?"},{"role":"assistant","content":"Beep! It is %s, says Bip."}]}\n' "${city#*,}" "${city%,*}"
done >rows.jsonl

run() { printf '$ %s\n' "$*" >&2; "$@"; }
question='What is the capital of Portugal?'
run finetune train --model org/SmolLM2-135M-Instruct --data rows.jsonl -o adapter --max-steps 8 --batch-size 6 --download
echo "$question" | run finetune chat --adapter adapter --max-tokens 24 | tee answer
run finetune export --adapter adapter --to gguf --merged --type f32 -o model.gguf

echo "llama.cpp:"
"$llama" - model.gguf "$question" 2>log >other <<'PY'
import sys
from llama_cpp import Llama

model = Llama(model_path=sys.argv[1], n_ctx=512, n_threads=2, verbose=False)
answer = model.create_chat_completion([{"role": "user", "content": sys.argv[2]}], temperature=0, repeat_penalty=1.0, max_tokens=24)
print(answer["choices"][0]["message"]["content"])
PY
cat other
diff answer other || { tail -n 5 log >&2; die "llama.cpp answers in other words"; }
echo "the same words"
