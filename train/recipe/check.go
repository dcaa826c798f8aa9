package recipe

import (
	"cmp"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/train/data"
	"example.com/finetune/train/optim"
)

// Resolved are settings that can be, with everything decided: the only ones that a run
// is made of. [Config.Resolve] makes them.
type Resolved struct{ Config }

// Resolve checks every setting by itself, opening no file, and puts in what follows
// from others: the optimizer and γ of the method, the rate and the moments. Notes get a
// remark on a rate that is another optimizer's, and on what is set and changes nothing. Its
// errors are mistakes of usage.
func (c *Config) Resolve() (*Resolved, error) {
	r := &Resolved{*c}
	if c.Adapter != "" {
		r.Init = Continued // whatever init says: there is no other start
	}
	checks := []func(*Config) error{checkFolders, checkRecipe, checkMachine}
	for _, check := range checks {
		if err := check(&r.Config); err != nil {
			return nil, err
		}
	}
	for _, remark := range append(r.idleRemarks(), r.rateRemark()) {
		if remark != "" && !slices.Contains(r.Notes, remark) {
			r.Notes = append(slices.Clone(r.Notes), remark)
		}
	}
	updates := r.Updates()
	r.Optimizer, r.InitGamma = Optimizer(r.Kind().Name), cmp.Or(r.InitGamma, r.Init.Method().Gamma)
	r.LearningRate, r.AdamBeta1, r.AdamBeta2 = r.Rate(), updates.Beta1, updates.Beta2
	return r, nil
}

// An idle setting is one that was changed and that changes nothing.
type idle struct{ key, by, has string }

// idle lists the settings that the optimizer or the method does not use.
func (r *Recipe) idle() (list []idle) {
	kind, method, standard := r.Kind(), r.Init.Method(), Default()
	if r.AdamEpsilon != standard.AdamEpsilon && kind == optim.PreconditionedAdamW {
		list = append(list, idle{"adam_epsilon", "optimizer", kind.Name})
	}
	if r.PreconditionReg != standard.PreconditionReg && kind != optim.ScaledAdamW {
		list = append(list, idle{"precondition_reg", "optimizer", kind.Name})
	}
	if r.InitSamples != standard.InitSamples && !method.Need(loraone.Gradient) {
		list = append(list, idle{"init_samples", "init", method.Name})
	}
	if r.InitGamma != 0 && method.Gamma == 0 {
		list = append(list, idle{"init_gamma", "init", method.Name})
	}
	return list
}

// idleRemarks says so. A γ that is the default of another method comes with the run.yaml of
// such a run.
func (r *Recipe) idleRemarks() (list []string) {
	for _, x := range r.idle() {
		if x.key == "init_gamma" && slices.ContainsFunc(loraone.Methods, func(m *loraone.Method) bool { return m.Gamma == r.InitGamma }) {
			continue
		}
		list = append(list, fmt.Sprintf("%s changes nothing: %s is %s, which does not use it", x.key, x.by, x.has))
	}
	return list
}

// Effective returns settings that come to the same, without those that change nothing: two
// runs are one where theirs are.
func (r *Resolved) Effective() *Resolved {
	c, standard := *r, Default()
	for _, x := range r.idle() {
		v, _ := c.value(x.key)
		was, _ := standard.value(x.key)
		v.Set(was)
	}
	if c.MaxSteps > 0 {
		c.NumTrainEpochs = standard.NumTrainEpochs
	}
	return &c
}

// ResolveRecipe is Resolve for settings that name no files: those of an adapter.
func (c *Config) ResolveRecipe() (*Resolved, error) {
	if err := checkRecipe(c); err != nil {
		return nil, err
	}
	return &Resolved{*c}, nil
}

func usage(advice, format string, args ...any) error {
	return hint.New(hint.Usagef(format, args...), advice)
}

func checkFolders(c *Config) error {
	switch {
	case c.Model == "":
		return usage("--model is a folder with config.json, tokenizer.json and model.safetensors", "no model")
	case c.Data == "":
		return usage(`--data is a file with one JSON object a line, such as {"prompt": "2+2=", "completion": "4"}`, "no data")
	case c.OutputDir == "":
		return usage("", "output_dir is empty")
	case c.Overwrite && c.Resuming():
		return usage("", "overwrite and resume contradict each other")
	case c.Init == Continued && c.Adapter == "":
		return usage("--adapter names its folder", "init is %s, and there is no adapter to begin from", c.Init)
	}
	return nil
}

func checkRecipe(c *Config) error {
	for _, check := range []func(*Config) error{checkChoices, checkCounts, checkLength, checkOptimizer, checkLora, checkText, checkCompute} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

// checkChoices checks the words that a program rather than a user has set.
func checkChoices(c *Config) error {
	for _, key := range Keys() {
		v, _ := c.value(key)
		choice, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
		if !ok || v.Kind() != reflect.String {
			continue
		}
		if err := choice.UnmarshalText([]byte(v.String())); err != nil {
			return usage(hint.Of(err), "%s is %w", key, err)
		}
	}
	return nil
}

// The largest numbers that are counts of something: sums and products of them, and the time
// of so many steps, are numbers still.
const (
	mostCount  = math.MaxInt32
	mostEpochs = 1_000_000
)

// checkCounts checks that no whole number is larger than anything is counted to.
func checkCounts(c *Config) error {
	for _, key := range Keys() {
		if v, _ := c.value(key); v.Kind() == reflect.Int && v.Int() > mostCount {
			return usage("", "%s is %d, want at most %d", key, v.Int(), mostCount)
		}
	}
	return nil
}

func checkLength(c *Config) error {
	switch {
	case c.MaxSteps < 0:
		return usage("", "max_steps is %d, want a count, or 0 to go by epochs", c.MaxSteps)
	case !(c.NumTrainEpochs > 0 && c.NumTrainEpochs <= mostEpochs):
		return usage("", "num_train_epochs is %v, want a number above 0, and at most %d", c.NumTrainEpochs, mostEpochs)
	}
	return least([]count{
		{"batch_size", c.BatchSize, 1},
		{"gradient_accumulation_steps", c.GradientAccumulationSteps, 1},
		{"eval_steps", c.EvalSteps.given(), 0},
		{"eval_samples", c.EvalSamples.given(), 0},
		{"early_stopping_patience", c.EarlyStopping, 0},
	})
}

// A count is a whole number that has a least value.
type count struct {
	key          string
	value, least int
}

func least(counts []count) error {
	for _, n := range counts {
		if n.value < n.least {
			return usage("", "%s is %d, want at least %d", n.key, n.value, n.least)
		}
	}
	return nil
}

func checkOptimizer(c *Config) error {
	switch {
	case c.LearningRate < 0 || !finite(c.LearningRate):
		return usage("", "learning_rate is %v, want a number above 0, or 0 for the optimizer's own", c.LearningRate)
	case !(c.WarmupSteps >= 0 && c.WarmupSteps <= mostCount):
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
	case c.LoraPlusLRRatio < 0 || !finite(c.LoraPlusLRRatio):
		return usage("", "loraplus_lr_ratio is %v, want a number above 0, or 0 for the method's own", c.LoraPlusLRRatio)
	}
	return nil
}

func checkLora(c *Config) error {
	switch {
	case c.LoraR < 1:
		return usage("", "lora_r is %d, want at least 1", c.LoraR)
	case !(c.LoraAlpha > 0) || !finite(c.LoraAlpha):
		return usage("", "lora_alpha is %v, want a number above 0", c.LoraAlpha)
	case c.InitSamples < 1 && c.InitSamples != All:
		return usage("", "init_samples is %v, want at least 1, or all", c.InitSamples)
	case c.InitGamma < 0 || !finite(c.InitGamma):
		return usage("", "init_gamma is %v, want a number above 0, or 0 for the method's own", c.InitGamma)
	}
	if _, err := c.targets(); err != nil {
		return usage("", "target_modules: %v", err)
	}
	smallest := c.Init.Method().New(model.Projection{Name: "init " + string(c.Init), Out: 1, In: 1}, 1, 1)
	if _, err := c.Kind().New(c.Updates(), []loraone.Module{smallest}); err != nil {
		return usage("--optimizer adamw trains anything", "%v", err)
	}
	return nil
}

func checkText(c *Config) error {
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
	if err := simd.Compute(c.Compute).Supported(); err != nil {
		return usage("--compute f32 runs everywhere", "compute: %v", err)
	}
	return nil
}

func checkMachine(c *Config) error {
	if n, err := strconv.Atoi(c.SamplePrompts); err == nil && n < 1 {
		return usage("", "sample_prompts is %d, want a number of rows of at least 1, or a file", n)
	}
	if c.Memory < 0 {
		return usage("", "memory is %d, want a number of bytes", c.Memory)
	}
	return least([]count{
		{"threads", c.Threads, 0},
		{"logging_steps", c.LoggingSteps, 1},
		{"save_steps", c.SaveSteps, 1},
		{"save_total_limit", c.SaveTotalLimit, 1},
	})
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
