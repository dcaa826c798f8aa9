package train

import (
	"math"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
)

// Learning rates used when learning_rate is not given, from runs on GSM8K with
// SmolLM2-135M and on three tasks with stories260K. The usual 2e-4 is far too low
// for short runs. That of preconditioned-adamw is divided by √k for k adapted
// projections a block, which move the model together.
const (
	rateAdamW          = 2e-3
	rateScaled         = 2e-3
	ratePreconditioned = 0.035
)

// A Config holds the settings of a run. The keys are those of Hugging Face and
// PEFT; [Default] holds the defaults.
type Config struct {
	Model     string `yaml:"model"` // folder
	Data      string `yaml:"data"`  // file or folder
	OutputDir string `yaml:"output_dir"`

	NumTrainEpochs            float64 `yaml:"num_train_epochs"`
	MaxSteps                  int     `yaml:"max_steps"` // 0: by epochs
	BatchSize                 int     `yaml:"batch_size"`
	GradientAccumulationSteps int     `yaml:"gradient_accumulation_steps"`

	LearningRate    float64 `yaml:"learning_rate"` // 0: by optimizer
	LRSchedulerType string  `yaml:"lr_scheduler_type"`
	WarmupSteps     float64 `yaml:"warmup_steps"` // a count, or a share of all steps below 1
	WeightDecay     float64 `yaml:"weight_decay"`
	AdamBeta1       float64 `yaml:"adam_beta1"` // 0: by optimizer
	AdamBeta2       float64 `yaml:"adam_beta2"` // 0: by optimizer
	AdamEpsilon     float64 `yaml:"adam_epsilon"`
	MaxGradNorm     float64 `yaml:"max_grad_norm"` // 0: no clipping

	MaxLength int    `yaml:"max_length"`
	Overlong  string `yaml:"overlong"`

	LoraR         int     `yaml:"lora_r"`
	LoraAlpha     float64 `yaml:"lora_alpha"`
	LoraDropout   float64 `yaml:"lora_dropout"`
	TargetModules Names   `yaml:"target_modules"`

	Init            string  `yaml:"init"`
	InitSamples     Count   `yaml:"init_samples"`
	InitGamma       float64 `yaml:"init_gamma"`
	Optimizer       string  `yaml:"optimizer"`
	PreconditionReg float64 `yaml:"precondition_reg"`
	EvalSteps       int     `yaml:"eval_steps"` // 0: each tenth of the run
	LoggingSteps    int     `yaml:"logging_steps"`
	EvalSamples     int     `yaml:"eval_samples"` // 0: all
	SaveSteps       int     `yaml:"save_steps"`
	SaveTotalLimit  int     `yaml:"save_total_limit"`
	EarlyStopping   int     `yaml:"early_stopping_patience"` // 0: off
	ValSplit        float64 `yaml:"val_split"`
	TrainOn         string  `yaml:"train_on"`
	ChatTemplate    string  `yaml:"chat_template"`
	Date            string  `yaml:"date"` // what strftime_now shows, YYYY-MM-DD
	Map             Columns `yaml:"map"`
	Seed            uint64  `yaml:"seed"`
	Threads         int     `yaml:"threads"` // 0: all cores
	Compute         string  `yaml:"compute"`
	Memory          Size    `yaml:"memory"` // bytes a run may allocate; 0: what the fastest way takes
	Profile         bool    `yaml:"profile"`
	Packing         bool    `yaml:"packing"`
	Progress        string  `yaml:"progress"`

	// Switches of one start, never written to run.yaml.
	Resume     bool   `yaml:"resume,omitempty"`
	ResumeFrom string `yaml:"resume_from,omitempty"`
	Overwrite  bool   `yaml:"overwrite,omitempty"`
}

// Default returns the settings of a run that says nothing but model and data.
func Default() Config {
	return Config{
		OutputDir:      "adapter",
		NumTrainEpochs: 1, BatchSize: 8, GradientAccumulationSteps: 1,
		LRSchedulerType: "linear", WarmupSteps: 0.03,
		AdamEpsilon: 1e-8, MaxGradNorm: 1,
		MaxLength: 1024, Overlong: "truncate",
		LoraR: 8, LoraAlpha: 16, TargetModules: Names{"q_proj", "v_proj"},
		Init: "loraone", InitSamples: 8, InitGamma: 128,
		Optimizer: preconditionedAdamW, PreconditionReg: 1e-6,
		LoggingSteps: 1, EvalSamples: 100, SaveSteps: 100, SaveTotalLimit: 2,
		ValSplit: 0.05, TrainOn: "assistant", ChatTemplate: "auto",
		Seed: 42, Compute: "f32", Progress: "auto",
	}
}

// Rate returns the learning rate, that of the optimizer where none is set.
func (c *Config) Rate() float64 {
	switch {
	case c.LearningRate != 0:
		return c.LearningRate
	case c.Optimizer == plainAdamW:
		return rateAdamW
	case c.Optimizer == scaledAdamW:
		return rateScaled
	}
	targets, _ := c.Lora("").Targets() // validated
	rate := ratePreconditioned / math.Sqrt(float64(max(1, len(targets))))
	return math.Round(rate*1e4) / 1e4
}

// beta1 returns β₁, that of the optimizer where none is set.
func (c *Config) beta1() float64 { return c.orOptimizers(c.AdamBeta1, 0.8, 0.9) }

// beta2 returns β₂, that of the optimizer where none is set.
func (c *Config) beta2() float64 { return c.orOptimizers(c.AdamBeta2, 0.99, 0.999) }

func (c *Config) orOptimizers(set, preconditioned, other float64) float64 {
	switch {
	case set != 0:
		return set
	case c.Optimizer == preconditionedAdamW:
		return preconditioned
	}
	return other
}

// resolved returns the settings with the numbers that the optimizer chooses.
func (c *Config) resolved() *Config {
	d := *c
	d.LearningRate, d.AdamBeta1, d.AdamBeta2 = c.Rate(), c.beta1(), c.beta2()
	return &d
}

// compute returns what simd calls it.
func (c *Config) compute() simd.Compute {
	compute, _ := simd.ParseCompute(c.Compute) // validated
	return compute
}

// Lora returns the adapter's configuration. base is base_model_name_or_path.
func (c *Config) Lora(base string) loraone.Config {
	return loraone.Config{R: c.LoraR, Alpha: c.LoraAlpha, TargetModules: c.TargetModules, BaseModel: base}
}

// sequences returns how many sequences a full batch has.
func (c *Config) sequences() int { return c.BatchSize * c.GradientAccumulationSteps }
