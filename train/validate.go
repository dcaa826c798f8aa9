package train

import (
	"math"
	"slices"
	"strings"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/simd"
	"example.com/finetune/train/data"
)

// usage returns an error about a setting that cannot be, with advice where there is
// some: the command ends with exit code 2.
func usage(advice, format string, args ...any) error {
	return hint.New(hint.Usagef(format, args...), advice)
}

// Validate checks every setting by itself; no file is opened. Its errors are those
// that [hint.IsUsage] knows.
func (c *Config) Validate() error {
	for _, check := range []func(*Config) error{checkFolders, checkLength, checkOptimizer, checkLora, checkText, checkCompute, checkReports} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func checkFolders(c *Config) error {
	switch {
	case c.Model == "":
		return usage("--model is a folder with config.json, tokenizer.json and model.safetensors", "no model")
	case c.Data == "":
		return usage(`--data is a file with one JSON object a line, such as {"prompt": "2+2=", "completion": "4"}`, "no data")
	case c.OutputDir == "":
		return usage("", "output_dir is empty")
	case c.Overwrite && (c.Resume || c.ResumeFrom != ""):
		return usage("", "overwrite and resume contradict each other")
	}
	return nil
}

func checkLength(c *Config) error {
	switch {
	case c.MaxSteps < 0:
		return usage("", "max_steps is %d, want a count, or 0 to go by epochs", c.MaxSteps)
	case !(c.NumTrainEpochs > 0) || math.IsInf(c.NumTrainEpochs, 0):
		return usage("", "num_train_epochs is %v, want a number above 0", c.NumTrainEpochs)
	case c.BatchSize < 1:
		return usage("", "batch_size is %d, want at least 1", c.BatchSize)
	case c.GradientAccumulationSteps < 1:
		return usage("", "gradient_accumulation_steps is %d, want at least 1", c.GradientAccumulationSteps)
	case c.Memory < 0:
		return usage("", "memory is %d, want a number of bytes", c.Memory)
	case c.Threads < 0:
		return usage("", "threads is %d, want a count, or 0 for all cores", c.Threads)
	}
	return nil
}

func checkOptimizer(c *Config) error {
	if err := oneOf("optimizer", c.Optimizer, preconditionedAdamW, plainAdamW, scaledAdamW); err != nil {
		return err
	}
	if err := oneOf("lr_scheduler_type", c.LRSchedulerType, "constant", "linear", "cosine"); err != nil {
		return err
	}
	switch {
	case c.LearningRate < 0 || !finite(c.LearningRate):
		return usage("", "learning_rate is %v, want a number above 0, or 0 for the optimizer's own", c.LearningRate)
	case c.WarmupSteps < 0 || !finite(c.WarmupSteps):
		return usage("", "warmup_steps is %v, want a count, or a share of all steps below 1", c.WarmupSteps)
	case c.WarmupSteps >= 1 && c.WarmupSteps != math.Trunc(c.WarmupSteps):
		return usage("", "warmup_steps is %v, want a whole number, or a share of all steps below 1", c.WarmupSteps)
	case c.WeightDecay < 0 || !finite(c.WeightDecay):
		return usage("", "weight_decay is %v, want 0 or more", c.WeightDecay)
	case !(c.AdamBeta1 >= 0 && c.AdamBeta1 < 1):
		return usage("", "adam_beta1 is %v, want more than 0 and less than 1, or 0 for the optimizer's own", c.AdamBeta1)
	case !(c.AdamBeta2 >= 0 && c.AdamBeta2 < 1):
		return usage("", "adam_beta2 is %v, want more than 0 and less than 1, or 0 for the optimizer's own", c.AdamBeta2)
	case !(c.AdamEpsilon > 0) || !finite(c.AdamEpsilon):
		return usage("", "adam_epsilon is %v, want a number above 0", c.AdamEpsilon)
	case c.MaxGradNorm < 0 || !finite(c.MaxGradNorm):
		return usage("", "max_grad_norm is %v, want a number above 0, or 0 for no clipping", c.MaxGradNorm)
	case !(c.PreconditionReg > 0) || !finite(c.PreconditionReg):
		return usage("", "precondition_reg is %v, want a number above 0", c.PreconditionReg)
	}
	return nil
}

func checkLora(c *Config) error {
	if err := oneOf("init", c.Init, "loraone", "lora"); err != nil {
		return err
	}
	switch {
	case c.LoraDropout != 0:
		return usage("leave lora_dropout out; weight_decay is the regulariser here",
			"lora_dropout is %v, only 0 is supported: dropout would make a run depend on more than its data", c.LoraDropout)
	case c.LoraR < 1:
		return usage("", "lora_r is %d, want at least 1", c.LoraR)
	case !(c.LoraAlpha > 0) || !finite(c.LoraAlpha):
		return usage("", "lora_alpha is %v, want a number above 0", c.LoraAlpha)
	case c.InitSamples < 1 && c.InitSamples != All:
		return usage("", "init_samples is %v, want at least 1, or all", c.InitSamples)
	case !(c.InitGamma > 0) || !finite(c.InitGamma):
		return usage("", "init_gamma is %v, want a number above 0", c.InitGamma)
	}
	if _, err := c.Lora("").Targets(); err != nil {
		return usage("", "target_modules: %v", err)
	}
	return nil
}

func checkText(c *Config) error {
	if err := oneOf("overlong", c.Overlong, "truncate", "drop", "error"); err != nil {
		return err
	}
	if err := oneOf("train_on", c.TrainOn, "assistant", "last", "all"); err != nil {
		return err
	}
	if err := data.Columns(c.Map).Check(); err != nil {
		return usage("", "%v", err)
	}
	if _, err := time.Parse(time.DateOnly, c.Date); c.Date != "" && err != nil {
		return usage("", "date is %q, want YYYY-MM-DD", c.Date)
	}
	switch {
	case c.MaxLength < 2:
		return usage("", "max_length is %d, want at least 2: a token is predicted from one before it", c.MaxLength)
	case !(c.ValSplit >= 0 && c.ValSplit < 1):
		return usage("", "val_split is %v, want a share of the rows from 0 to below 1", c.ValSplit)
	case c.ChatTemplate == "":
		return usage("", "chat_template is empty, want auto, none or a file")
	}
	return nil
}

func checkCompute(c *Config) error {
	if _, err := simd.ParseCompute(c.Compute); err != nil {
		return usage("--compute f32 runs everywhere", "compute: %v", err)
	}
	return nil
}

func checkReports(c *Config) error {
	if err := oneOf("progress", c.Progress, "auto", "bar", "log", "none"); err != nil {
		return err
	}
	for _, n := range []struct {
		key   string
		value int
		least int
	}{
		{"eval_steps", c.EvalSteps, 0},
		{"eval_samples", c.EvalSamples, 0},
		{"logging_steps", c.LoggingSteps, 1},
		{"save_steps", c.SaveSteps, 1},
		{"save_total_limit", c.SaveTotalLimit, 1},
		{"early_stopping_patience", c.EarlyStopping, 0},
	} {
		if n.value < n.least {
			return usage("", "%s is %d, want at least %d", n.key, n.value, n.least)
		}
	}
	return nil
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	advice := ""
	if near := nearest(value, allowed); near != "" {
		advice = "did you mean " + near + "?"
	}
	return usage(advice, "%s is %q, want one of %s", key, value, strings.Join(allowed, ", "))
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
