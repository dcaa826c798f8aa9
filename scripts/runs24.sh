# Sourced by slurm.sh and kubernetes.sh: their sweep of 24 runs on the demo's model, and how what an engine made of it is
# compared with the same sweep run by finetune alone.
# shellcheck shell=bash disable=SC2154

# sweep FILE DIR [LINE] writes the sweep's file: 20 short runs, and 4 of $steps; LINE has the settings of an engine.
sweep() {
	cat >"$1" <<YAML
base: {model: demo/model, data: demo/data, max_steps: 20, eval_steps: 10, save_steps: 250, batch_size: 2, lora_r: 4, max_length: 64, threads: 1}
output_dir: $2
variants:
  loraone: {lora_r: [2, 4, 8]}
  lora: {init: lora, optimizer: adamw, lora_r: [2, 4]}
  long: {max_steps: $steps, eval_steps: 1000}
seeds: [1, 2, 3, 4]
baseline: {variant: lora, lora_r: 4}
${3:-}
YAML
}

# compare_alone DIR runs the sweep into alone/ and compares the bytes of every run and of the report with those in DIR, whose
# runs may have seen this folder as /work. It sets $alone to the seconds that it took.
compare_alone() {
	local dir run count=0
	sweep local.yaml alone
	alone=$SECONDS
	"$finetune" sweep local.yaml --jobs 2 >alone.txt 2>alone.log || { cat alone.log; die "the sweep alone failed"; }
	alone=$((SECONDS - alone))
	for dir in alone/*/; do
		run=$(basename "$dir")
		[ -f "$dir/finetune.json" ] || continue
		cmp "$dir/adapter_model.safetensors" "$1/$run/adapter_model.safetensors" || die "$run: another adapter"
		cmp "$dir/heldout.jsonl" "$1/$run/heldout.jsonl" || die "$run: other losses"
		cmp <(sed "s|$PWD/|/work/|" "$dir/adapter_config.json") <(sed "s|$PWD/|/work/|" "$1/$run/adapter_config.json") || die "$run: another adapter_config.json"
		count=$((count + 1))
	done
	[ $count -eq 24 ] || die "$count runs, want 24"
	cmp <(figures alone) <(figures "$1") || die "another report"
}

# figures DIR prints the report without what depends on the clock and the folder.
figures() {
	"$finetune" report "$1" --json | sed -E 's/"(dir|seconds|tokens_per_second|allocated_bytes)":("[^"]*"|[^,}]*),?//g'
}
