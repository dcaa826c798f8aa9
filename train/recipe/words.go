package recipe

import (
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
)

// alternatives are names that mean exactly what a setting of ours does: those of
// transformers and TRL, mlx-lm, LLaMA-Factory and axolotl, and common habits. The help
// page shows those that Shown returns.
var alternatives = map[string][]string{
	"model":                       {"model_name_or_path", "base_model"},
	"data":                        {"dataset", "dataset_name", "train_file"},
	"adapter":                     {"adapter_name_or_path", "lora_model_dir"},
	"overwrite":                   {"overwrite_output_dir"},
	"resume_from":                 {"resume_from_checkpoint"},
	"num_train_epochs":            {"epochs", "num_epochs"},
	"max_steps":                   {"iters"},
	"batch_size":                  {"per_device_train_batch_size", "micro_batch_size"},
	"gradient_accumulation_steps": {"grad_accumulation_steps"},
	"max_length":                  {"max_seq_length", "cutoff_len", "sequence_len", "max_seq_len"},
	"val_split":                   {"val_size", "val_set_size"},
	"lora_r":                      {"rank", "lora_rank"},
	"target_modules":              {"lora_target_modules", "lora_target"},
	"optimizer":                   {"optim"},
	"learning_rate":               {"lr"},
	"lr_scheduler_type":           {"lr_scheduler"},
	"eval_steps":                  {"steps_per_eval"},
	"logging_steps":               {"steps_per_report"},
	"save_steps":                  {"save_every"},
}

// aliasOf maps each of those names to the setting.
var aliasOf = func() map[string]string {
	m := map[string]string{}
	for key, names := range alternatives {
		for _, name := range names {
			m[name] = key
		}
	}
	return m
}()

// Alternatives lists the names that other programs have for a setting, the most common
// ones first.
func Alternatives(key string) []string { return alternatives[key] }

// synonyms are values of a setting in other programs' words.
var synonyms = map[string]map[string]string{
	"max_steps":         {"-1": "0"}, // transformers: by epochs
	"target_modules":    {"all": "all-linear"},
	"lr_scheduler_type": {"constant_with_warmup": "constant"},
	"optimizer":         {"adamw_torch": "adamw", "adamw_torch_fused": "adamw", "adamw_hf": "adamw"},
}

// A word is a setting of another program that is not just another name for one of ours.
type word struct {
	key    string            // the setting that says the same where values has the value
	values map[string]string // the other program's value → ours; nil: the same values
	idle   []string          // values that mean what is done anyway
	taken  bool              // other values are taken too, with the sentence as a remark
	say    string            // what there is to know
}

var (
	on  = []string{"true", "yes", "1"}
	off = []string{"false", "no", "0", "none", "null"}
)

// foreign are the words of other programs.
var foreign = map[string]word{
	"packing":      {idle: off, taken: true, say: "sequences lie end to end without padding anyway"},
	"lora_dropout": {idle: []string{"0", "0.0"}, taken: true, say: "it is trained without dropout, so that runs depend on their data alone; weight_decay is the regulariser here"},

	"adapter_path":              {say: "--output-dir names the folder of the new adapter, --adapter that of a finished one to train on"},
	"finetuning_type":           {idle: []string{"lora"}, say: "only LoRA adapters are trained"},
	"fine_tune_type":            {idle: []string{"lora"}, say: "only LoRA adapters are trained"},
	"use_peft":                  {idle: on, say: "only LoRA adapters are trained"},
	"stage":                     {idle: []string{"sft"}, say: "rows are learned as they are: no rewards, no preferences"},
	"train":                     {idle: on, say: "leave it out: finetune train trains, finetune eval measures"},
	"do_train":                  {idle: on, say: "leave it out: finetune train trains, finetune eval measures"},
	"test":                      {idle: off, say: "finetune eval measures an adapter on the test file"},
	"do_eval":                   {idle: append([]string{"true"}, off...), say: "leave it out: validation rows are used where there are any"},
	"device":                    {idle: []string{"cpu", "auto"}, say: "everything is computed on the CPU"},
	"no_cuda":                   {idle: on, say: "everything is computed on the CPU"},
	"use_cpu":                   {idle: on, say: "everything is computed on the CPU"},
	"wandb_project":             {idle: off, say: "metrics.jsonl and loss.svg in the output folder have all figures"},
	"logging_dir":               {taken: true, say: "metrics.jsonl and loss.svg in the output folder have all figures"},
	"trust_remote_code":         {idle: off, taken: true, say: "no code of a model is run"},
	"resume_adapter_file":       {say: "--adapter names the folder of a finished adapter to train on; --resume resumes an interrupted run"},
	"push_to_hub":               {idle: off, say: "nothing is uploaded while it trains"},
	"plot_loss":                 {idle: append([]string{"false"}, on...), say: "loss.svg is always drawn"},
	"flash_attention":           {idle: off, taken: true, say: "attention needs no memory beyond its rows anyway"},
	"flash_attn":                {idle: []string{"auto", "disabled"}, taken: true, say: "attention needs no memory beyond its rows anyway"},
	"attn_implementation":       {taken: true, say: "attention has one implementation here"},
	"sample_packing":            {idle: off, taken: true, say: "sequences lie end to end without padding anyway"},
	"group_by_length":           {idle: off, taken: true, say: "there is no padding to save"},
	"pad_to_sequence_len":       {idle: off, taken: true, say: "there is no padding"},
	"dataloader_num_workers":    {taken: true, say: "rows are read once, by as many threads as compute"},
	"preprocessing_num_workers": {taken: true, say: "rows are read once, by as many threads as compute"},

	"bf16":                       {idle: append([]string{"auto"}, off...), say: "--compute bf16 multiplies numbers of bfloat16 where the CPU has them; adapters are trained in float32"},
	"fp16":                       {idle: off, say: "leave it out: adapters are trained in float32"},
	"tf32":                       {idle: off, say: "leave it out: adapters are trained in float32"},
	"load_in_4bit":               {idle: off, say: "leave it out: weights are used as they are stored, mapped from their file; --memory sets a budget for the rest"},
	"load_in_8bit":               {idle: off, say: "leave it out: weights are used as they are stored, mapped from their file; --memory sets a budget for the rest"},
	"quantization_bit":           {idle: off, say: "leave it out: weights are used as they are stored, mapped from their file"},
	"gradient_checkpointing":     {idle: off, say: "--memory 2GB sets a budget: blocks are computed twice where it takes that"},
	"grad_checkpoint":            {idle: off, say: "--memory 2GB sets a budget: blocks are computed twice where it takes that"},
	"deepspeed":                  {idle: off, say: "runs are on one machine"},
	"neftune_noise_alpha":        {idle: off, say: "noise on embeddings is not supported"},
	"label_smoothing_factor":     {idle: []string{"0", "0.0"}, say: "label smoothing is not supported"},
	"lora_bias":                  {idle: []string{"none"}, say: "biases are not trained"},
	"modules_to_save":            {idle: off, say: "whole modules are not trained: target_modules names projections"},
	"num_layers":                 {say: "all layers are adapted; target_modules says where in a layer"},
	"lora_layers":                {say: "all layers are adapted; target_modules says where in a layer"},
	"lora_parameters":            {say: "write lora_r, lora_alpha and target_modules; mlx-lm's scale is lora_alpha/√lora_r"},
	"datasets":                   {say: "write data: a file of rows, or a folder with train, valid and test files; data sets are not fetched"},
	"dataset_dir":                {say: "write data: with the whole path"},
	"template":                   {say: "write chat_template: auto (the model's own), none, or a file; names of templates are not known here"},
	"eval_strategy":              {idle: []string{"steps"}, say: "write eval_steps: a number of steps, 0 for a tenth of the run, or auto"},
	"evaluation_strategy":        {idle: []string{"steps"}, say: "write eval_steps: a number of steps, 0 for a tenth of the run, or auto"},
	"save_strategy":              {idle: []string{"steps"}, say: "write save_steps: a number of steps"},
	"logging_strategy":           {idle: []string{"steps"}, say: "write logging_steps: a number of steps"},
	"val_batches":                {say: "write eval_samples: validation rows, 0 for all"},
	"per_device_eval_batch_size": {taken: true, say: "evaluations need no batch size"},
	"load_best_model_at_end":     {idle: on, taken: true, say: "the best step by validation loss is always what is saved"},
	"max_samples":                {say: "cut the file of rows; max_steps bounds a run"},
	"lr_schedule":                {say: "write lr_scheduler_type and warmup_steps"},

	"lora_target_linear":   {key: "target_modules", values: both("all-linear"), idle: off},
	"warmup_ratio":         {key: "warmup_steps", say: "warmup_steps below 1 is a share of all steps"},
	"train_on_inputs":      {key: "train_on", values: map[string]string{"true": "all", "false": "assistant"}},
	"train_on_prompt":      {key: "train_on", values: map[string]string{"true": "all", "false": "assistant"}},
	"mask_prompt":          {key: "train_on", values: map[string]string{"false": "all", "true": "assistant"}},
	"completion_only_loss": {key: "train_on", values: map[string]string{"false": "all", "true": "assistant"}},
	"assistant_only_loss":  {key: "train_on", values: map[string]string{"false": "all", "true": "assistant"}},
}

// both gives a switch that is on one value of ours.
func both(value string) map[string]string {
	m := map[string]string{}
	for _, text := range on {
		m[text] = value
	}
	return m
}

// Foreign lists the words of other programs that Set takes or answers, sorted.
func Foreign() []string {
	list := make([]string, 0, len(foreign))
	for name := range foreign {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// setForeign takes another program's word where it means something here, and answers
// it with a sentence where not.
func (c *Config) setForeign(key string, w word, value any) error {
	text, plain := value.(string)
	low := strings.ToLower(text)
	switch {
	case plain && slices.Contains(w.idle, low):
		return nil
	case plain && w.key != "" && w.values != nil:
		if own, ok := w.values[low]; ok {
			return c.set(w.key, own)
		}
	case plain && w.key != "":
		return c.setShare(key, w, text)
	case w.taken:
		c.Notes = append(c.Notes, fmt.Sprintf("%s: %s", key, w.say))
		return nil
	}
	if w.key != "" {
		return hint.Newf(hint.Usagef("%s is %.60q, want true or false", key, fmt.Sprint(value)), "the setting here is %s", w.key)
	}
	return hint.New(hint.Usagef("%s is another program's setting", key), w.say)
}

// setShare sets a setting of ours, where a value below 1 is a share, to a share.
func (c *Config) setShare(key string, w word, text string) error {
	if x, err := parseFloat(text); err != nil || x < 0 || x >= 1 {
		return hint.New(hint.Usagef("%s is %.60q, want a share below 1", key, text), w.say)
	}
	return c.set(w.key, text)
}
