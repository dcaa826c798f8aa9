package train

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
)

func valid() Config {
	c := Default()
	c.Model, c.Data = "m", "d"
	return c
}

// expect fails unless err contains want, carries this advice, and is a usage error
// exactly where usage says so.
func expect(t *testing.T, what string, err error, want, advice string, usage bool) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s:\n got %v\nwant %s", what, err, want)
		return
	}
	if got := hint.Of(err); got != advice {
		t.Errorf("%s: hint %q, want %q", what, got, advice)
	}
	if is := hint.IsUsage(err); is != usage {
		t.Errorf("%s: usage error: %v, want %v", what, is, usage)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	c := valid()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
}

// A refusal is a setting that is refused, and how.
type refusal struct {
	set        func(*Config)
	want, hint string
}

func refuse(t *testing.T, list []refusal) {
	t.Helper()
	for _, x := range list {
		c := valid()
		x.set(&c)
		expect(t, x.want, c.Validate(), x.want, x.hint, true)
	}
}

func TestValidateNamesSettingsOfTheRun(t *testing.T) {
	refuse(t, []refusal{
		{func(c *Config) { c.Model = "" }, "no model", "--model is a folder with config.json, tokenizer.json and model.safetensors"},
		{func(c *Config) { c.Data = "" }, "no data", `--data is a file with one JSON object a line, such as {"prompt": "2+2=", "completion": "4"}`},
		{func(c *Config) { c.OutputDir = "" }, "output_dir is empty", ""},
		{func(c *Config) { c.Overwrite, c.Resume = true, true }, "overwrite and resume contradict each other", ""},
		{func(c *Config) { c.MaxSteps = -1 }, "max_steps is -1, want a count", ""},
		{func(c *Config) { c.NumTrainEpochs = math.NaN() }, "num_train_epochs is NaN, want a number above 0", ""},
		{func(c *Config) { c.BatchSize = 0 }, "batch_size is 0, want at least 1", ""},
		{func(c *Config) { c.GradientAccumulationSteps = 0 }, "gradient_accumulation_steps is 0, want at least 1", ""},
		{func(c *Config) { c.Threads = -1 }, "threads is -1, want a count", ""},
		{func(c *Config) { c.Optimizer = "adamW" }, `optimizer is "adamW", want one of preconditioned-adamw, adamw, scaled-adamw`, "did you mean adamw?"},
		{func(c *Config) { c.LRSchedulerType = "step" }, `lr_scheduler_type is "step", want one of constant, linear, cosine`, ""},
		{func(c *Config) { c.LearningRate = -1 }, "learning_rate is -1, want a number above 0", ""},
		{func(c *Config) { c.LearningRate = math.Inf(1) }, "learning_rate is +Inf", ""},
		{func(c *Config) { c.WarmupSteps = -1 }, "warmup_steps is -1, want a count", ""},
		{func(c *Config) { c.WarmupSteps = 1.5 }, "warmup_steps is 1.5, want a whole number", ""},
		{func(c *Config) { c.WeightDecay = -1 }, "weight_decay is -1, want 0 or more", ""},
		{func(c *Config) { c.AdamBeta1 = 1 }, "adam_beta1 is 1, want more than 0 and less than 1, or 0 for the optimizer's own", ""},
		{func(c *Config) { c.AdamBeta2 = math.NaN() }, "adam_beta2 is NaN", ""},
		{func(c *Config) { c.AdamEpsilon = 0 }, "adam_epsilon is 0, want a number above 0", ""},
		{func(c *Config) { c.MaxGradNorm = -1 }, "max_grad_norm is -1, want a number above 0", ""},
		{func(c *Config) { c.PreconditionReg = 0 }, "precondition_reg is 0, want a number above 0", ""},
	})
}

func TestValidateNamesSettingsOfAdaptersAndText(t *testing.T) {
	refuse(t, []refusal{
		{func(c *Config) { c.Init = "lora-one" }, `init is "lora-one", want one of loraone, lora`, "did you mean loraone?"},
		{func(c *Config) { c.LoraDropout = 0.1 }, "lora_dropout is 0.1, only 0 is supported: dropout would make a run depend on more than its data", "leave lora_dropout out; weight_decay is the regulariser here"},
		{func(c *Config) { c.LoraR = 0 }, "lora_r is 0, want at least 1", ""},
		{func(c *Config) { c.LoraAlpha = 0 }, "lora_alpha is 0, want a number above 0", ""},
		{func(c *Config) { c.InitSamples = 0 }, "init_samples is 0, want at least 1, or all", ""},
		{func(c *Config) { c.InitGamma = 0 }, "init_gamma is 0, want a number above 0", ""},
		{func(c *Config) { c.TargetModules = Names{"q_prj"} }, `target_modules: target module "q_prj" not found`, ""},
		{func(c *Config) { c.Overlong = "cut" }, `overlong is "cut", want one of truncate, drop, error`, ""},
		{func(c *Config) { c.TrainOn = "user" }, `train_on is "user", want one of assistant, last, all`, ""},
		{func(c *Config) { c.Map = Columns{"x": "y"} }, `map: unknown field "x"`, ""},
		{func(c *Config) { c.Date = "today" }, `date is "today", want YYYY-MM-DD`, ""},
		{func(c *Config) { c.MaxLength = 1 }, "max_length is 1, want at least 2", ""},
		{func(c *Config) { c.ValSplit = 1 }, "val_split is 1, want a share", ""},
		{func(c *Config) { c.ChatTemplate = "" }, "chat_template is empty, want auto, none or a file", ""},
		{func(c *Config) { c.Progress = "yes" }, `progress is "yes", want one of auto, bar, log, none`, ""},
		{func(c *Config) { c.EvalSteps = -1 }, "eval_steps is -1, want at least 0", ""},
		{func(c *Config) { c.EvalSamples = -1 }, "eval_samples is -1, want at least 0", ""},
		{func(c *Config) { c.LoggingSteps = 0 }, "logging_steps is 0, want at least 1", ""},
		{func(c *Config) { c.SaveSteps = 0 }, "save_steps is 0, want at least 1", ""},
		{func(c *Config) { c.SaveTotalLimit = 0 }, "save_total_limit is 0, want at least 1", ""},
		{func(c *Config) { c.EarlyStopping = -1 }, "early_stopping_patience is -1, want at least 0", ""},
	})
}

func TestYAMLComesBack(t *testing.T) {
	c := valid()
	c.InitSamples, c.Map, c.Date, c.Overwrite, c.WarmupSteps = All, Columns{"text": "body"}, "2026-01-02", true, 100
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := back.ReadYAML(path); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"adam_epsilon: 1.0e-08\n", "lora_alpha: 16\n", "warmup_steps: 100\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	c.Overwrite = false // a switch of one start
	if !reflect.DeepEqual(back, c) {
		t.Errorf("got %+v\nwant %+v\nfrom\n%s", back, c, text)
	}
}

func TestKeysAreTheTable(t *testing.T) {
	keys := Keys()
	for _, k := range []string{"model", "data", "output_dir", "max_steps", "warmup_steps", "target_modules", "early_stopping_patience", "resume_from", "map", "packing", "seed"} {
		if !slices.Contains(keys, k) {
			t.Errorf("no key %s in %v", k, keys)
		}
	}
	for _, k := range free {
		if !slices.Contains(keys, k) {
			t.Errorf("%s may change, but is no key", k)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"2GB": 2e9, "1.5 GiB": 3 << 29, "800000000": 8e8, "0": 0} {
		c := Default()
		if err := c.parseYAML("run.yaml", []byte("memory: "+text)); err != nil || c.Memory != want {
			t.Errorf("%s: %d, %v, want %d", text, c.Memory, err, want)
		}
	}
	c := Default()
	expect(t, "no size", c.parseYAML("run.yaml", []byte("memory: much")), `"much", want a size such as 2GB`, "", true)
}
