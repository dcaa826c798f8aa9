#!/usr/bin/env bash
# finetune's exports in the programs they are for: the merged folder in transformers, every weight of it against PEFT's merge,
# GGUF adapter and models in llama.cpp, the MLX folder in mlx-lm, all against transformers + PEFT in float32; what Ollama makes
# of its folder; and the ids that llama.cpp gives texts for the vocabularies in the cache.
#
#   scripts/exports.sh [merge] [gguf] [mlx] [ollama] [verify] [families] [tokens] [lmeval]     without a word: all
#
# verify: what export --verify says of each. families: small random models of each family and kind of rope; NAMES chooses among them.
# tokens: FAMILIES names the folders. lmeval: the loss of a merged folder in lm-eval, against finetune eval.
#
# ollama: "ollama create" of the exported folder, and the answers of its server on this machine to chats, against finetune generate.
# (It keeps keys and values in f16: chats in which two tokens are nearly as likely are of no use.)
#
# The consumers are in the cache, where --install [NAME…] makes them: llama (llama-cpp-python, some eight minutes of compiling), mlx
# (mlx[cpu], mlx-lm), lmeval (lm-eval, beside the peer's PyTorch), and ollama (from its Go module, some ten minutes of compiling;
# Debian's nlohmann-json3-dev and libstb-dev have headers that the module lacks). What is missing is said.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

consumers=$cache/consumers
install_mlx() { python3 -m venv "$consumers/mlx" && "$consumers/mlx/bin/pip" install -q 'mlx[cpu]' mlx-lm; }
install_llama() {
	python3 -m venv "$consumers/llama"
	CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF" "$consumers/llama/bin/pip" install llama-cpp-python==0.3.36
}
install_lmeval() {
	need_peer
	"$python" -m pip install -q --target "$consumers/lmeval" lm-eval==0.4.13
}
install_ollama() { # a module has no folders named vendor: the headers in them come from elsewhere
	local src=$consumers/ollama/src vendor
	rm -rf "$src"
	mkdir -p "$consumers/ollama"
	module() { (cd / && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'); }
	cp -r "$(module github.com/ollama/ollama@v0.17.4)" "$src"
	chmod -R u+w "$src"
	vendor=$src/llama/llama.cpp/vendor
	mkdir -p "$vendor/miniaudio"
	cp "$(module github.com/gen2brain/malgo@v0.11.24)/miniaudio.h" "$vendor/miniaudio"
	ln -s /usr/include/stb "$vendor/stb"
	(cd "$src" && CGO_ENABLED=1 go build -o "$consumers/ollama/ollama" .)
	rm -rf "$src"
}
if [ "${1:-}" = --install ]; then
	mkdir -p "$consumers"
	shift
	[ $# -gt 0 ] || set -- mlx llama lmeval ollama
	for name in "$@"; do "install_$name"; done
	exit
fi
[ $# -gt 0 ] || set -- merge gguf mlx ollama verify families tokens lmeval
need_smollm2
need_peer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/finetune" ./cmd/finetune
failed=0
check() { "$1" -W ignore scripts/exports_check.py "${@:2}" 2>"$work/log" || { failed=1; tail -n 5 "$work/log" >&2; }; }
export_() { "$work/finetune" export --adapter "$work/adapter" --model "$smollm2" "$@" --log-level error >/dev/null; }
has() { [ -x "$consumers/$1/bin/python" ] || { echo "not checked: no $1 in $consumers (scripts/exports.sh --install)"; return 1; }; }

check "$python" adapter "$smollm2" "$work/adapter"
check "$python" reference "$smollm2" "$work/adapter" "$work/ref"

merge() {
	for dtype in bf16 f32; do
		"$work/finetune" merge --adapter "$work/adapter" --model "$smollm2" -o "$work/merged-$dtype" --dtype $dtype --log-level error
		check "$python" merged "$smollm2" "$work/adapter" "$work/merged-$dtype" "$work/ref"
		rm -rf "$work/merged-$dtype"
	done
}

gguf() {
	has llama || return 0
	local llama=$consumers/llama/bin/python
	export_ --to ollama --type f32 -o "$work/ollama"
	check "$llama" llama "$work/ollama/base.gguf" - "$work/ref" base
	check "$llama" llama "$work/ollama/base.gguf" "$work/ollama/adapter.gguf" "$work/ref" adapter
	export_ --to gguf --merged --type f32 -o "$work/model.gguf"
	check "$llama" llama "$work/model.gguf" - "$work/ref" adapter
}

mlx() {
	has mlx || return 0
	export_ --to mlx -o "$work/mlx"
	check "$consumers/mlx/bin/python" mlx "$smollm2" "$work/mlx" "$work/ref"
}

ollama() {
	local program=$consumers/ollama/ollama out=$work/for-ollama server
	[ -x "$program" ] || { echo "not checked: no ollama in $consumers (scripts/exports.sh --install ollama)"; return 0; }
	export_ --to ollama --type f32 -o "$out"
	cat >"$work/chats.jsonl" <<'JSON'
{"messages": [{"role": "user", "content": "What is 2+2?"}]}
{"messages": [{"role": "system", "content": "Answer in one sentence."}, {"role": "user", "content": "Why is the sky blue?"}]}
{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello. How can I help?"}, {"role": "user", "content": "Translate\n\"你好\" into English."}]}
JSON
	"$work/finetune" generate --adapter "$work/adapter" --model "$smollm2" --prompts "$work/chats.jsonl" --max-tokens 32 --quiet >"$work/answers.jsonl"
	export OLLAMA_HOST=127.0.0.1:$((20000 + RANDOM % 10000)) OLLAMA_MODELS=$work/store
	HOME=$work "$program" serve >"$work/ollama.log" 2>&1 &
	server=$!
	for _ in $(seq 60); do HOME=$work "$program" list >/dev/null 2>&1 && break || sleep 1; done
	if (cd "$out" && HOME=$work "$program" create check -f Modelfile >"$work/log" 2>&1); then
		check "$python" ollama "http://$OLLAMA_HOST" "$smollm2" "$work/answers.jsonl"
	else
		failed=1
		tail -n 3 "$work/log" >&2
	fi
	kill $server
	wait $server 2>/dev/null || true
}

verify() {
	! has llama || {
		PATH=$consumers/llama/bin:$PATH says --to gguf -o "$work/v.gguf"
		PATH=$consumers/llama/bin:$PATH says --to gguf --merged --type q8_0 -o "$work/v8.gguf"
		PATH=$consumers/llama/bin:$PATH says --to ollama -o "$work/v-ollama"
	}
	! has mlx || PATH=$consumers/mlx/bin:$PATH says --to mlx -o "$work/v-mlx"
	PATH=$peer/bin:$PATH says --to peft -o "$work/v-peft"
}
says() { "$work/finetune" export --adapter "$work/adapter" --model "$smollm2" "$@" --log-level error --verify | grep agrees || failed=1; }

lmeval() { # rows of text as segments have no end token, nor has lm-eval: the same tokens are measured
	[ -d "$consumers/lmeval/lm_eval" ] || { echo "not checked: no lmeval in $consumers (scripts/exports.sh --install)"; return 0; }
	local out=$work/lmeval
	mkdir "$out"
	gsm8k test.jsonl 1 12 >"$out/rows.jsonl"
	check "$python" task "$out"
	"$work/finetune" merge --adapter "$work/adapter" --model "$smollm2" -o "$out/merged" --log-level error >/dev/null
	"$work/finetune" eval --model "$out/merged" --data "$out/segments.jsonl" --chat-template none --json --quiet >"$out/ours.json"
	PYTHONPATH=$consumers/lmeval HF_HOME=$out/hf "$python" -W ignore -m lm_eval run --model hf --model_args "pretrained=$out/merged,dtype=float32" \
		--tasks pairs --include_path "$out/task" --device cpu --batch_size 1 --log_samples --output_path "$out/said" >"$work/log" 2>&1 ||
		{ failed=1; tail -n 5 "$work/log" >&2; return 0; }
	check "$python" loglikelihood "$out"
}

families() {
	local out=$work/families name to names
	read -ra names <<<"${NAMES:-$("$python" -B scripts/exports_check.py list)}"
	mkdir "$out"
	check "$python" families "$out" "${names[@]}"
	for name in "${names[@]}"; do
		local d=$out/$name
		to() { "$work/finetune" export --adapter "$d/adapter" --model "$d/model" "$@" --log-level error >/dev/null; }
		to --to gguf -o "$d/adapter.gguf"
		to --to gguf --merged --type f32 -o "$d/merged.gguf"
		to --to ollama --type f32 -o "$d/ollama"
		to --to mlx -o "$d/mlx"
	done
	! has llama || check "$consumers/llama/bin/python" llamas "$out" "${names[@]}"
	! has mlx || check "$consumers/mlx/bin/python" mlxs "$out" "${names[@]}"
}

tokens() { # a model of one narrow layer for each vocabulary, so that llama.cpp has a file to read it from
	has llama || return 0
	local dir name
	for dir in ${FAMILIES:-"$cache"/tokenizers/families/*/ cmd/finetune/demo/model/}; do
		[ -f "$dir/tokenizer.json" ] || continue # a chat template alone
		name=$(basename "$dir")
		mkdir "$work/tiny-gguf"
		check "$python" tiny "$dir" "$work/tiny" "$work/texts.json"
		check "$python" adapter "$work/tiny" "$work/tiny-adapter"
		if "$work/finetune" export --adapter "$work/tiny-adapter" --model "$work/tiny" --to gguf --merged --type f16 -o "$work/tiny-gguf/$name.gguf" >/dev/null 2>"$work/log"; then
			check "$consumers/llama/bin/python" strings "$work/tiny-gguf/$name.gguf" "$work/texts.json" "$(grep -o 'warning: .*' "$work/log" | tee /dev/stderr)"
		else
			echo "$name: $(grep -v warning "$work/log" | head -n 1)"
		fi
		rm -rf "$work"/tiny*
	done
}

for word in "$@"; do
	case $word in
	merge | gguf | mlx | ollama | verify | families | tokens | lmeval) "$word" ;;
	*) die "no check $word: want merge, gguf, mlx, ollama, verify, families, tokens or lmeval" ;;
	esac
done
exit $failed
