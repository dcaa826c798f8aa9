package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/finetune/train"
)

// A setting is how one key of train.Config appears as a flag. Keys, types and
// defaults are train.Config's; only words are here.
type setting struct {
	group, help, placeholder string
	aliases                  string // spellings of other programs, with commas; a single letter is a short flag
}

// runFlags are the flags of the commands that know a run: a file of settings, and
// every setting.
type runFlags struct {
	ConfigFile string `name:"config" short:"c" group:"Files:" placeholder:"FILE" help:"Settings from a YAML file (see the run.yaml of any run); flags go over them."`

	Settings settingFlags `embed:""`
}

// settingFlags are train.Config's keys as flags. The type has no Validate method:
// kong would call it before the file of settings is read.
type settingFlags train.Config

// The groups of the help page, in its order.
const (
	groupFiles  = "Files:"
	groupLength = "Length of the run:"
	groupRows   = "Rows:"
	groupLora   = "Adapter and its start:"
	groupOptim  = "Optimizer:"
	groupReport = "Evaluation, reports and checkpoints:"
)

// settings describes every key of train.Config.
func settings() map[string]setting {
	return map[string]setting{
		"model":       {groupFiles, "Folder of the model, or the id of one in the Hub cache.", "DIR", "model-name-or-path,m"},
		"data":        {groupFiles, "File of rows, or a folder with train, valid and test files.", "PATH", "dataset"},
		"output_dir":  {groupFiles, "Folder for the adapter.", "DIR", "adapter-path,o"},
		"overwrite":   {groupFiles, "Replace a run that stands in the output folder.", "", ""},
		"resume":      {groupFiles, "Go on with the run in the output folder and its settings, from the newest good checkpoint, or from the beginning if there is none.", "", ""},
		"resume_from": {groupFiles, "Go on from this checkpoint.", "DIR", "resume-from-checkpoint"},

		"num_train_epochs":            {groupLength, "Passes over the rows.", "N", "epochs,num-epochs"},
		"max_steps":                   {groupLength, "Steps, in place of epochs (0: by epochs).", "N", "iters"},
		"batch_size":                  {groupLength, "Sequences of a step. Memory does not depend on it.", "N", "per-device-train-batch-size"},
		"gradient_accumulation_steps": {groupLength, "Multiplies batch-size.", "N", "grad-accumulation-steps"},

		"max_length":    {groupRows, "Tokens of a row at most.", "N", "max-seq-length,cutoff-len"},
		"overlong":      {groupRows, "What becomes of longer rows: truncate, drop or error.", "WORD", ""},
		"train_on":      {groupRows, "What is learned: assistant (answers and completions), last (the last answer) or all.", "WORD", ""},
		"chat_template": {groupRows, "auto (the model's own, if it has one), none, or a file.", "WORD", ""},
		"map":           {groupRows, "Names of columns, such as prompt=question,completion=answer.", "PAIRS", ""},
		"date":          {groupRows, "The date that chat templates see, YYYY-MM-DD (default: today at the run's first start).", "DATE", ""},
		"val_split":     {groupRows, "Share of the rows kept for validation when there is no file for it; at most 100 rows, from 200 on.", "SHARE", "val-size"},
		"packing":       {groupRows, "Taken and without effect: batches hold no padding.", "", ""},

		"lora_r":         {groupLora, "Rank.", "R", "rank,lora-rank"},
		"lora_alpha":     {groupLora, "The adapter is scaled by alpha/√r.", "ALPHA", ""},
		"lora_dropout":   {groupLora, "Only 0: runs depend on their data alone.", "0", ""},
		"target_modules": {groupLora, "Projections with commas, such as q_proj,v_proj, or all-linear.", "NAMES", "lora-target-modules"},
		"init":           {groupLora, "loraone (from one gradient of the model) or lora (from noise).", "WORD", ""},
		"init_samples":   {groupLora, "Rows of that gradient, a number or all.", "N", ""},
		"init_gamma":     {groupLora, "γ: the start's size is divided by it.", "GAMMA", ""},

		"optimizer":         {groupOptim, "preconditioned-adamw, adamw, or scaled-adamw (the form of LoRA-One's authors).", "WORD", ""},
		"learning_rate":     {groupOptim, "Learning rate (0: the optimizer's own: 2e-3, and 0.035/√k for preconditioned-adamw with k targets).", "RATE", "lr"},
		"lr_scheduler_type": {groupOptim, "constant, linear or cosine.", "WORD", "lr-scheduler"},
		"warmup_steps":      {groupOptim, "Steps of rising rate; below 1 a share of all.", "N", ""},
		"weight_decay":      {groupOptim, "Decoupled weight decay.", "X", ""},
		"adam_beta1":        {groupOptim, "β₁ of the momentum (0: the optimizer's own, 0.8 for preconditioned-adamw, else 0.9).", "X", ""},
		"adam_beta2":        {groupOptim, "β₂ of the second moment (0: the optimizer's own, 0.99 for preconditioned-adamw, else 0.999).", "X", ""},
		"adam_epsilon":      {groupOptim, "ε of adamw and scaled-adamw.", "X", ""},
		"max_grad_norm":     {groupOptim, "Longer gradients are cut to this norm (0: never).", "X", ""},
		"precondition_reg":  {groupOptim, "λ of scaled-adamw.", "X", ""},
		"seed":              {groupOptim, "Seed of order and start.", "N", ""},

		"eval_steps":              {groupReport, "Steps between evaluations (0: a tenth of the run).", "N", "steps-per-eval"},
		"eval_samples":            {groupReport, "Validation rows used during training (0: all).", "N", ""},
		"logging_steps":           {groupReport, "Steps between reports.", "N", "steps-per-report"},
		"save_steps":              {groupReport, "Steps between checkpoints; five minutes at most.", "N", "save-every"},
		"save_total_limit":        {groupReport, "Checkpoints kept, each with the best adapter so far.", "N", ""},
		"early_stopping_patience": {groupReport, "Stop after so many evaluations without improvement (0: never).", "N", ""},
		"threads":                 {groupReport, "Threads (0: all cores). The result does not depend on it.", "N", ""},
		"compute":                 {groupReport, "f32, or bf16 for products of bfloat16 numbers where the CPU has them: faster, and other bits.", "WORD", ""},
		"memory":                  {groupReport, "Budget for what is allocated besides the mapped weights, such as 2GB: as many blocks computed twice as it takes, then smaller micro-batches. The result does not depend on it.", "SIZE", ""},
		"profile":                 {groupReport, "Say where the time of a step goes.", "", ""},
		"progress":                {groupReport, "auto (bar on a terminal, log elsewhere), bar, log or none.", "WORD", ""},
	}
}

// describeSettings names, explains and orders the flags that kong made of
// train.Config.
func describeSettings(k *kong.Kong) error {
	words := settings()
	for _, node := range k.Model.Children {
		for _, f := range node.Flags {
			if key := settingKey(f); key != "" {
				describe(f, key, words[key])
			}
		}
	}
	return nil
}

// describe gives a flag its name, its place and its words. Its target still holds
// the default.
func describe(f *kong.Flag, key string, s setting) {
	f.Name = strings.ReplaceAll(key, "_", "-")
	f.PlaceHolder = s.placeholder
	f.Group = &kong.Group{Key: s.group, Title: s.group}
	for alias := range strings.SplitSeq(s.aliases, ",") {
		switch len(alias) {
		case 0:
		case 1:
			f.Short = rune(alias[0])
		default:
			f.Aliases = append(f.Aliases, alias)
		}
	}
	f.Help = s.help
	if d := defaultText(f.Target.Interface()); d != "" && !(d == "0" && strings.Contains(s.help, "(0: ")) {
		f.Help += " Default " + d + "."
	}
	if len(f.Aliases) > 0 {
		f.Help += " Also --" + strings.Join(f.Aliases, ", --") + "."
	}
}

// settingKey returns the key of train.Config that a flag stands for, or "".
func settingKey(f *kong.Flag) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

// defaultText is a default as the user would type it; "" where there is none.
func defaultText(v any) string {
	switch v := v.(type) {
	case bool:
		return ""
	case train.Names:
		return strings.Join(v, ",")
	case train.Columns:
		return ""
	case train.Size:
		return ""
	}
	return fmt.Sprint(v)
}

// typed takes the settings of the flags that stand on the command line, so that
// they can be set again over those of a file.
func typed(ctx *kong.Context) (set func()) {
	type pair struct{ target, value reflect.Value }
	var pairs []pair
	for _, p := range ctx.Path {
		if p.Flag != nil && settingKey(p.Flag) != "" {
			value := reflect.New(p.Flag.Target.Type()).Elem()
			value.Set(p.Flag.Target)
			pairs = append(pairs, pair{p.Flag.Target, value})
		}
	}
	return func() {
		for _, p := range pairs {
			p.target.Set(p.value)
		}
	}
}
