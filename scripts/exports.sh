#!/usr/bin/env bash
# finetune's exports in the programs they are for: the merged folder in transformers, every weight of it against PEFT's merge,
# GGUF adapter and models in llama.cpp, the MLX folder in mlx-lm, all against transformers + PEFT in float32; and the ids that
# llama.cpp gives texts for the vocabularies in the cache.
#
#   scripts/exports.sh [merge] [gguf] [mlx] [verify] [families] [tokens] [lmeval]     without a word: all
#
# verify: what export --verify says of each. families: small random models of each family and kind of rope; NAMES chooses among them.
# tokens: FAMILIES names the folders. lmeval: the loss of a merged folder in lm-eval, against finetune eval.
#
# The consumers are Python environments in the cache, which --install makes: llama (llama-cpp-python, some eight minutes of
# compiling), mlx (mlx[cpu], mlx-lm) and lmeval (lm-eval, beside the peer's PyTorch). What is missing is said.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

consumers=$cache/consumers
if [ "${1:-}" = --install ]; then
	mkdir -p "$consumers"
	python3 -m venv "$consumers/mlx" && "$consumers/mlx/bin/pip" install -q 'mlx[cpu]' mlx-lm
	python3 -m venv "$consumers/llama"
	CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF" "$consumers/llama/bin/pip" install llama-cpp-python==0.3.36
	need_peer
	"$python" -m pip install -q --target "$consumers/lmeval" lm-eval==0.4.13
	exit
fi
[ $# -gt 0 ] || set -- merge gguf mlx verify families tokens lmeval
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
		check "$python" tiny "$dir" "$work/tiny" "$work/texts.json"
		check "$python" adapter "$work/tiny" "$work/tiny-adapter"
		if "$work/finetune" export --adapter "$work/tiny-adapter" --model "$work/tiny" --to gguf --merged --type f16 -o "$work/$name.gguf" >/dev/null 2>"$work/log"; then
			check "$consumers/llama/bin/python" strings "$work/$name.gguf" "$work/texts.json" "$(grep -o 'warning: .*' "$work/log" | tee /dev/stderr)"
		else
			echo "$name: $(grep -v warning "$work/log" | head -n 1)"
		fi
		rm -rf "$work/tiny" "$work/tiny-adapter" "$work/$name.gguf"
	done
}

for word in "$@"; do
	case $word in
	merge | gguf | mlx | verify | families | tokens | lmeval) "$word" ;;
	*) die "no check $word: want merge, gguf, mlx, verify, families, tokens or lmeval" ;;
	esac
done
exit $failed
