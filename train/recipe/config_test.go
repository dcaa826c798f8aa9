package recipe

import (
	"cmp"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/optim"
)

func valid() Config {
	c := Default()
	c.Model, c.Data = "m", "d"
	return c
}

// expect fails unless err contains want and carries this hint, and is a mistake of
// usage.
func expect(t *testing.T, what string, err error, want, advice string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s:\n got %v\nwant %s", what, err, want)
		return
	}
	if got := hint.Of(err); got != advice {
		t.Errorf("%s: hint %q, want %q", what, got, advice)
	}
	if !hint.IsUsage(err) {
		t.Errorf("%s: no mistake of usage: %v", what, err)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	c := valid()
	r, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if r.LearningRate != 0.0247 || r.AdamBeta1 != optim.PreconditionedAdamW.Beta1 || c.LearningRate != 0 {
		t.Errorf("the rate of the optimizer: %v, and %v before", r.LearningRate, c.LearningRate)
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
		_, err := c.Resolve()
		expect(t, x.want, err, x.want, x.hint)
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
		{func(c *Config) { c.Threads = -1 }, "threads is -1, want at least 0", ""},
		{func(c *Config) { c.Optimizer = "adamW" }, `optimizer is "adamW", want one of auto, preconditioned-adamw, adamw, scaled-adamw`, "did you mean adamw?"},
		{func(c *Config) { c.LRSchedulerType = "step" }, `lr_scheduler_type is "step", want one of constant, linear, cosine`, ""},
		{func(c *Config) { c.LearningRate = -1 }, "learning_rate is -1, want a number above 0", ""},
		{func(c *Config) { c.LearningRate = math.Inf(1) }, "learning_rate is +Inf", ""},
		{func(c *Config) { c.WarmupSteps = -1 }, "warmup_steps is -1, want a count", ""},
		{func(c *Config) { c.WarmupSteps = 1e19 }, "warmup_steps is 1e+19, want a count", ""},
		{func(c *Config) { c.MaxSteps = math.MaxInt }, "max_steps is 9223372036854775807, want at most 2147483647", ""},
		{func(c *Config) { c.EvalSteps = math.MaxInt }, "eval_steps is 9223372036854775807, want at most 2147483647", ""},
		{func(c *Config) { c.InitSamples = math.MaxInt }, "init_samples is 9223372036854775807, want at most 2147483647", ""},
		{func(c *Config) { c.NumTrainEpochs = 1e300 }, "num_train_epochs is 1e+300, want a number above 0, and at most 1000000", ""},
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
		{func(c *Config) { c.LoraR = 0 }, "lora_r is 0, want at least 1", ""},
		{func(c *Config) { c.LoraAlpha = 0 }, "lora_alpha is 0, want a number above 0", ""},
		{func(c *Config) { c.InitSamples = 0 }, "init_samples is 0, want at least 1, or all", ""},
		{func(c *Config) { c.InitGamma = -1 }, "init_gamma is -1, want a number above 0, or 0 for the method's own", ""},
		{func(c *Config) { c.LoraPlusLRRatio = -1 }, "loraplus_lr_ratio is -1, want a number above 0, or 0 for the method's own", ""},
		{func(c *Config) { c.LoraPlusLRRatio = 4 }, "preconditioned-adamw sets the size of both factors' steps itself: learning rates by group are for adamw", "--optimizer adamw trains anything"},
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
	for _, k := range []string{"model", "data", "output_dir", "max_steps", "warmup_steps", "target_modules", "early_stopping_patience", "resume_from", "map", "use_rslora", "seed"} {
		if !slices.Contains(keys, k) {
			t.Errorf("no key %s in %v", k, keys)
		}
	}
	for _, k := range slices.Concat(pathKeys, byDigest, slices.Collect(maps.Keys(lacking)), slices.Collect(maps.Keys(synonyms)), slices.Collect(maps.Keys(alternatives))) {
		if !slices.Contains(keys, k) {
			t.Errorf("%s is in a table, but is no key", k)
		}
	}
}

// No word means two things, and each that is not taken has its sentence.
func TestWordsAreUnique(t *testing.T) {
	keys, n := Keys(), 0
	for key, names := range alternatives {
		n += len(names)
		for _, name := range names {
			if _, both := foreign[name]; both || slices.Contains(keys, name) || aliasOf[name] != key {
				t.Errorf("%s means two things", name)
			}
		}
	}
	if n != len(aliasOf) {
		t.Errorf("%d names, %d of them unique", n, len(aliasOf))
	}
	for name, w := range foreign {
		if slices.Contains(keys, name) || w.say == "" && w.values == nil {
			t.Errorf("%s: a key, or a word without an answer", name)
		}
		if w.key != "" && !slices.Contains(keys, w.key) {
			t.Errorf("%s stands for %s, which is no key", name, w.key)
		}
	}
}

// TestSet: what a text comes to, in our words and other programs'.
func TestSet(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip(err)
	}
	for _, x := range []struct{ key, text, shown, want string }{
		{"iters", "5", "max_steps", "5"},
		{"max-steps", "-1", "max_steps", "0"},
		{"per_device_train_batch_size", "2", "batch_size", "2"},
		{"base_model", "~/m", "model", filepath.Join(home, "m")},
		{"data", "~", "data", home},
		{"data", "~user/x", "data", "~user/x"},
		{"lora_target_modules", "q_proj v_proj", "target_modules", "q_proj,v_proj"},
		{"target_modules", "all", "target_modules", "all-linear"},
		{"lora_target_linear", "true", "target_modules", "all-linear"},
		{"lora_target_linear", "false", "target_modules", "q_proj,v_proj"},
		{"warmup_ratio", "0.1", "warmup_steps", "0.1"},
		{"train_on_inputs", "False", "train_on", "assistant"},
		{"mask-prompt", "false", "train_on", "all"},
		{"optim", "adamw_torch", "optimizer", "adamw"},
		{"use_rslora", "False", "use_rslora", "false"},
		{"compute", "bf16", "compute", "bf16"},
		{"map", "prompt=q", "map", "prompt=q"},
		{"init_samples", "all", "init_samples", "all"},
		{"overwrite_output_dir", "true", "overwrite", "true"},
	} {
		c := Default()
		if err := c.Set(x.key, x.text); err != nil || c.Text(x.shown) != x.want || c.Notes != nil {
			t.Errorf("%s %s: %v, %q, want %q; notes %q", x.key, x.text, err, c.Text(x.shown), x.want, c.Notes)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, x := range []struct{ key, text, want, advice string }{
		{"lora_rnk", "8", `unknown setting "lora_rnk"`, "did you mean lora_r?"},
		{"epoch", "8", `unknown setting "epoch"`, "did you mean num_train_epochs?"},
		{"init", "lora-one", `init is "lora-one", want one of loraone, lora`, "did you mean loraone?"},
		{"memory", "2", `memory is "2", which is 2 B, want a size such as 2GB`, "did you mean 2GB?"},
		{"memory", "5kB", `memory is "5kB", which is 5.0 kB, want a size such as 2GB`, ""},
		{"compute", "f16", `compute is "f16", want f32, bf16 or int8`, ""},
		{"warmup_ratio", "2", `warmup_ratio is "2", want a share below 1`, "warmup_steps below 1 is a share of all steps"},
		{"train_on_inputs", "x", `train_on_inputs is "x", want true or false`, "the setting here is train_on"},
		{"bf16", "true", `bf16 is another program's setting`, foreign["bf16"].say},
		{"use_rslora", "maybe", `use_rslora is "maybe", want one of auto, true, false`, ""},
		{"lora_r", "010", `lora_r is "010", want a whole number without leading zeros`, ""},
	} {
		c := Default()
		expect(t, x.key, c.Set(x.key, x.text), x.want, x.advice)
	}
}

// TestNotes: what is taken without effect is said, and what is done anyway is not.
func TestNotes(t *testing.T) {
	for _, x := range []struct{ key, text, note string }{
		{"packing", "true", "packing: sequences lie end to end without padding anyway"},
		{"packing", "false", ""},
		{"lora_dropout", "0", ""},
		{"lora-dropout", "0.05", "lora-dropout: it is trained without dropout, so that runs depend on their data alone; weight_decay is the regulariser here"},
		{"fp16", "false", ""},
		{"adapter", "lora", ""},
	} {
		c, want := Default(), Default()
		if x.note != "" {
			want.Notes = []string{x.note}
		}
		if err := c.Set(x.key, x.text); err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%s %s: %v, notes %q, want %q", x.key, x.text, err, c.Notes, x.note)
		}
	}
}

// What changes nothing is said to, and what another run's file brings along is not.
func TestSettingsWithoutEffectAreRemarkedOn(t *testing.T) {
	for _, x := range []struct{ keys, values, want string }{
		{"precondition_reg", "0.1", "precondition_reg changes nothing: optimizer is preconditioned-adamw, which does not use it"},
		{"precondition_reg optimizer", "0.1 scaled-adamw", ""},
		{"adam_epsilon", "1e-6", "adam_epsilon changes nothing: optimizer is preconditioned-adamw, which does not use it"},
		{"adam_epsilon optimizer", "1e-6 adamw", ""},
		{"init_samples init", "16 lora", "init_samples changes nothing: init is lora, which does not use it"},
		{"init_samples init", "16 gora", ""},
		{"init_gamma init", "32 lora", "init_gamma changes nothing: init is lora, which does not use it"},
		{"init_gamma init", "128 lora", ""},
		{"init_gamma init", "32 loraga", ""},
	} {
		c := valid()
		values := strings.Fields(x.values)
		for i, key := range strings.Fields(x.keys) {
			if err := c.Set(key, values[i]); err != nil {
				t.Fatal(err)
			}
		}
		r, err := c.Resolve()
		if err != nil || strings.Join(r.Notes, "\n") != x.want {
			t.Errorf("%s %s: %q, %v, want %q", x.keys, x.values, r.Notes, err, x.want)
		}
	}
}

func TestRateIsTheOptimizersUnlessSet(t *testing.T) {
	c := Default()
	if c.Rate() != 0.0247 {
		t.Errorf("q and v: %v, want 0.0247", c.Rate())
	}
	c.TargetModules = Names{"all-linear"}
	if c.Rate() != 0.0132 {
		t.Errorf("every projection: %v, want 0.0132", c.Rate())
	}
	c.LoraAlpha = 64
	if c.Rate() != 0.00331 {
		t.Errorf("every projection, alpha 64: %v, want 0.00331", c.Rate())
	}
	c.LoraR, c.LoraAlpha, c.UseRSLoRA = 16, 32, Off // a scale of 2, as of alpha 8 at √r
	if c.Rate() != 0.0265 {
		t.Errorf("every projection, α/r: %v, want 0.0265", c.Rate())
	}
	c.Optimizer = "adamw"
	if c.Rate() != optim.AdamW.Rate(2, 8) {
		t.Errorf("adamw: %v, want %v", c.Rate(), optim.AdamW.Rate(2, 8))
	}
	c.LearningRate = 3e-4
	if c.Rate() != 3e-4 {
		t.Errorf("set: %v", c.Rate())
	}
}

// A rate that is another optimizer's is remarked on, once; one that trains is not.
func TestRatesOfOtherOptimizersAreRemarkedOn(t *testing.T) {
	for _, x := range []struct {
		init      Init
		optimizer Optimizer
		targets   string
		rate      float64
		remark    string
	}{
		{"loraone", "", "q_proj", 0, ""},
		{"loraone", "", "q_proj", 2e-3, ""},
		{"loraone", "", "q_proj", 0.3, ""},
		{"lora", "adamw", "q_proj", 2e-4, ""}, // what most write for it
		{"lora", "adamw", "q_proj", 0.04, ""},
		{"lorasb", "", "q_proj", 1e-3, ""},
		{
			"loraone", "", "q_proj,v_proj", 2e-4,
			"learning_rate 0.0002 is 1/123 of preconditioned-adamw's default for this run, 0.0247: its rate is the size of a step in B·A, and 0.0002 is a rate of AdamW",
		},
		{
			"lora", "", "all-linear", 5e-5,
			"learning_rate 5e-05 is 1/264 of preconditioned-adamw's default for this run, 0.0132: its rate is the size of a step in B·A, and 5e-05 is a rate of AdamW",
		},
		{
			"loraone", "", "q_proj,v_proj", 1e-7,
			"learning_rate 1e-07 is 1/247000 of preconditioned-adamw's default for this run, 0.0247: its rate is the size of a step in B·A",
		},
		{
			"loraone", "", "q_proj,v_proj", 1,
			"learning_rate 1 is 40.5 times preconditioned-adamw's default for this run, 0.0247: its rate is the size of a step in B·A",
		},
		{
			"lora", "adamw", "q_proj", 0.05,
			"learning_rate 0.05 is 12.5 times adamw's default for this run, 0.004: its rate is about the size of a step of each number, and 0.05 is a rate of preconditioned AdamW",
		},
		{
			"lorasb", "", "q_proj", 2e-4,
			"learning_rate 0.0002 is 1/100 of adamw's default for this run, 0.02: its rate is about the size of a step of each number",
		},
	} {
		c := valid()
		c.Init, c.Optimizer, c.LearningRate = x.init, Optimizer(cmp.Or(string(x.optimizer), string(ByMethod))), x.rate
		c.Notes = []string{"first"}
		if err := c.Set("target_modules", x.targets); err != nil {
			t.Fatal(err)
		}
		r, err := c.Resolve()
		if err == nil {
			r, err = r.Resolve() // said once even so
		}
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"first"}
		if x.remark != "" {
			want = append(want, x.remark)
		}
		if !slices.Equal(r.Notes, want) || len(c.Notes) != 1 {
			t.Errorf("%s %s %g:\n%q, want\n%q", x.init, x.optimizer, x.rate, r.Notes, want)
		}
	}
}

// What settings do not say is the method's: optimizer, rate, ratio of the rates, and γ.
func TestMethodsDecideWhatIsNotSet(t *testing.T) {
	for _, x := range []struct {
		init      Init
		optimizer Optimizer
		rate      float64
		ratio     float64 // of B's rate
		gamma     float64
	}{
		{"loraone", "preconditioned-adamw", 0.0247, 0, 128},
		{"lora", "preconditioned-adamw", 0.0247, 0, 0},
		{"loraplus", "adamw", 5e-4, 16, 0},
		{"pissa", "preconditioned-adamw", 0.07, 0, 0},
		{"olora", "preconditioned-adamw", 0.07, 0, 0},
		{"loraga", "preconditioned-adamw", 0.0247, 0, 64},
		{"lorasb", "adamw", 2e-2, 0, 0},
		{"gora", "preconditioned-adamw", 0.0247, 0, 0},
		{"adarankgrad", "adarankgrad", 5e-4, 0, 0},
	} {
		c := Default()
		c.Model, c.Data, c.Init = "m", "d", x.init
		r, err := c.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		if ratio := r.Updates().Factors["B"]; r.Optimizer != x.optimizer || r.LearningRate != x.rate || r.InitGamma != x.gamma || ratio != x.ratio {
			t.Errorf("%s: %s at %g, B's by %g, γ %g", x.init, r.Optimizer, r.LearningRate, ratio, r.InitGamma)
		}
		if again, err := r.Resolve(); err != nil || again.Recipe.Resumes(&r.Recipe) != nil {
			t.Errorf("%s: resolved again it is another recipe: %v", x.init, err)
		}
	}
	c := Default()
	c.Model, c.Data, c.Init, c.LearningRate, c.InitGamma, c.LoraPlusLRRatio = "m", "d", "loraplus", 1e-3, 32, 4
	r, err := c.Resolve()
	if err != nil || r.LearningRate != 1e-3 || r.InitGamma != 32 || r.Updates().Factors["B"] != 4 {
		t.Errorf("what is set is not what is taken: %+v, %v", r, err)
	}
	c.LearningRate, c.Optimizer = 0, "scaled-adamw"
	if c.Rate() != optim.ScaledAdamW.Rate(2, 16) {
		t.Errorf("loraplus with another optimizer: %g", c.Rate())
	}
}

func TestScale(t *testing.T) {
	for _, x := range []struct {
		use  Switch
		want float64
	}{{Auto, 8}, {On, 8}, {Off, 2}} {
		c := Default()
		c.LoraR, c.LoraAlpha, c.UseRSLoRA = 16, 32, x.use
		if got := c.Scale(); got != x.want {
			t.Errorf("use_rslora %s: %v, want %v", x.use, got, x.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"2GB": 2e9, "1.5 GiB": 3 << 29, "800000000": 8e8, "0": 0} {
		c := Default()
		if err := c.Set("memory", text); err != nil || c.Memory != want {
			t.Errorf("%s: %d, %v, want %d", text, c.Memory, err, want)
		}
	}
}
