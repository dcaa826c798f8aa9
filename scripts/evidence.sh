#!/usr/bin/env bash
# The evidence for the method: every start and optimizer on stories260K (three tasks) and on SmolLM2-135M (two),
# each at a grid of rates of factor 2, over the same seeds, equal steps; held-out loss per trained token.
#
#   scripts/evidence.sh tiny STEPS [TASK…]     every method (tasks stories, questions, pig)
#   scripts/evidence.sh smollm2 STEPS [TASK…]  the default, and AdamW from LoRA's and LoRA-One's starts (tasks gsm8k, equations)
#   scripts/evidence.sh rates STEPS [TASK…]    the default optimizer over ranks, alphas and targets, on stories260K
#   scripts/evidence.sh alpha STEPS [TASK…]    the default optimizer's rates over ranks and alphas, on stories260K
#   scripts/evidence.sh length STEPS [TASK…]   its rates for a run of STEPS, on stories260K
#   scripts/evidence.sh settings STEPS [TASK…] the default with one setting changed at a time, on stories260K
#   scripts/evidence.sh compute STEPS [TASK…]  the default in float32, bfloat16 and int8, on SmolLM2 (an evaluation each fifth)
#
# EVIDENCE names the folder of data and runs (default: evidence in the cache), SETTINGS ("compute: int8") goes into all
# runs; SEEDS, JOBS and FINETUNE (a program to use in place of this checkout's) can be set as well. What is there is not
# run again. The tables go to scripts/evidence/NAME.csv.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/paths.sh
. scripts/paths.sh

kind=${1:-} steps=${2:-60}
[ $# -ge 1 ] || die "usage: see the head of scripts/evidence.sh"
shift $(($# < 2 ? $# : 2))
seeds=${SEEDS:-1, 2, 3} jobs=${JOBS:-2} dir=${EVIDENCE:-$cache/evidence}
mkdir -p "$dir"
finetune=${FINETUNE:-$dir/finetune}
[ -n "${FINETUNE:-}" ] || go build -o "$finetune" ./cmd/finetune
python3 scripts/evidence/tasks.py "$shared/data/gsm8k" cmd/finetune/demo/data "$dir/tasks" >&2

adamw='learning_rate: [0.0025, 0.005, 0.01, 0.02]'
case $kind in
tiny)
	model=$PWD/cmd/finetune/demo/model tasks=${*:-stories questions pig}
	variants="
  loraone: {learning_rate: [0.00617, 0.01235, 0.0247, 0.0494, 0.0988]}
  loraone-adamw: {optimizer: adamw, $adamw}
  loraone-scaled: {optimizer: scaled-adamw, learning_rate: [0.00125, 0.0025, 0.005, 0.01]}
  lora: {init: lora, optimizer: adamw, $adamw}
  lora-preconditioned: {init: lora, learning_rate: [0.01235, 0.0247, 0.0494, 0.0988]}
  lora-alpha-r: {init: lora, optimizer: adamw, use_rslora: false, $adamw}
  loraplus: {init: loraplus, learning_rate: [0.0003125, 0.000625, 0.00125, 0.0025, 0.005]}
  pissa: {init: pissa, optimizer: adamw, $adamw}
  olora: {init: olora, optimizer: adamw, learning_rate: [0.00125, 0.0025, 0.005, 0.01, 0.02]}
  loraga: {init: loraga, optimizer: adamw, $adamw}
  lorasb: {init: lorasb, learning_rate: [0.005, 0.01, 0.02, 0.04, 0.08]}
  gora: {init: gora, optimizer: adamw, $adamw}"
	;;
smollm2)
	need_smollm2
	model=$smollm2 tasks=${*:-gsm8k equations}
	variants="
  loraone: {learning_rate: [0.01235, 0.0247, 0.0494]}
  loraone-adamw: {optimizer: adamw, learning_rate: [0.002, 0.004, 0.008]}
  lora: {init: lora, optimizer: adamw, learning_rate: [0.002, 0.004, 0.008]}"
	;;
rates)
	model=$PWD/cmd/finetune/demo/model tasks=${*:-questions pig}
	variants='
  qv-r4: {lora_r: 4, lora_alpha: [8, 64], learning_rate: [0.01235, 0.0247, 0.0494]}
  qv-r16: {lora_r: 16, lora_alpha: [8, 64], learning_rate: [0.01235, 0.0247, 0.0494]}
  qv-r32: {lora_r: 32, lora_alpha: [8, 64], learning_rate: [0.01235, 0.0247, 0.0494]}
  all-r4: {target_modules: all-linear, lora_r: 4, lora_alpha: [8, 64], learning_rate: [0.0066, 0.0132, 0.0264]}
  all-r16: {target_modules: all-linear, lora_r: 16, lora_alpha: [8, 64], learning_rate: [0.0066, 0.0132, 0.0264]}'
	;;
alpha)
	model=$PWD/cmd/finetune/demo/model tasks=${*:-questions pig}
	variants='
  r4: {lora_r: 4, lora_alpha: [4, 16, 64], learning_rate: [0.0015, 0.003, 0.006, 0.012, 0.025, 0.05, 0.1]}
  r32: {lora_r: 32, lora_alpha: [4, 16, 64], learning_rate: [0.0015, 0.003, 0.006, 0.012, 0.025, 0.05, 0.1]}'
	;;
length)
	model=$PWD/cmd/finetune/demo/model tasks=${*:-questions pig}
	variants='
  loraone: {learning_rate: [0.00617, 0.01235, 0.0247, 0.0494, 0.0988]}'
	;;
settings)
	model=$PWD/cmd/finetune/demo/model tasks=${*:-questions pig}
	rates='learning_rate: [0.01235, 0.0247, 0.0494]'
	variants="
  default: {$rates}
  beta1-0.7: {adam_beta1: 0.7, $rates}
  beta1-0.9: {adam_beta1: 0.9, $rates}
  warmup-0: {warmup_steps: 0, $rates}
  warmup-0.1: {warmup_steps: 0.1, $rates}
  samples-32: {init_samples: 32, $rates}
  samples-128: {init_samples: 128, $rates}
  lora-start: {init: lora, $rates}
  cosine: {lr_scheduler_type: cosine, $rates}"
	;;
compute)
	need_smollm2
	model=$smollm2 tasks=${*:-gsm8k}
	variants="
  default: {compute: [f32, bf16, int8], eval_steps: $((steps / 5)), eval_samples: 100}"
	;;
*) die "$kind: want tiny, smollm2, rates, alpha, length, settings or compute" ;;
esac

for task in $tasks; do
	name=$kind-$task-$steps
	cat >"$dir/$name.yaml" <<YAML
base: {model: $model, data: $dir/tasks/$task, max_steps: $steps, eval_steps: $steps, eval_samples: 0, save_steps: $steps${SETTINGS:+, $SETTINGS}}
output_dir: $dir/runs/$name
variants:$variants
seeds: [$seeds]
YAML
	"$finetune" sweep "$dir/$name.yaml" --jobs "$jobs" --yes >"$dir/$name.txt"
	"$finetune" report "$dir/runs/$name" --csv >"scripts/evidence/$name.csv"
	echo "$name: $(wc -l <"scripts/evidence/$name.csv") lines" >&2
done
