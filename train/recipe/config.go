package recipe

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/train/optim"
)

// A Config holds the settings of a run. The keys are those of Hugging Face and PEFT;
// [Default] holds the defaults.
type Config struct {
	Recipe
	Where
	Machine
	Start

	// Notes are what settings that were taken need said about them: another program's
	// word for what is done anyway, or cannot be done.
	Notes []string
}

// A Recipe is what decides the result of a run, given its files.
type Recipe struct {
	NumTrainEpochs            float64 `json:"num_train_epochs"`
	MaxSteps                  int     `json:"max_steps"` // 0: by epochs
	BatchSize                 int     `json:"batch_size"`
	GradientAccumulationSteps int     `json:"gradient_accumulation_steps"`

	LearningRate    float64   `json:"learning_rate"` // 0: by method and optimizer
	LRSchedulerType Scheduler `json:"lr_scheduler_type"`
	WarmupSteps     float64   `json:"warmup_steps"` // a count, or a share of all steps below 1
	WeightDecay     float64   `json:"weight_decay"`
	AdamBeta1       float64   `json:"adam_beta1"` // 0: by optimizer
	AdamBeta2       float64   `json:"adam_beta2"` // 0: by optimizer
	AdamEpsilon     float64   `json:"adam_epsilon"`
	MaxGradNorm     float64   `json:"max_grad_norm"` // 0: no clipping

	MaxLength int      `json:"max_length"`
	Overlong  Overlong `json:"overlong"`

	LoraR         int     `json:"lora_r"`
	LoraAlpha     float64 `json:"lora_alpha"`
	UseRSLoRA     Switch  `json:"use_rslora"`
	TargetModules Names   `json:"target_modules"`

	ExcludeModules Names `json:"exclude_modules"` // of target_modules

	Init            Init      `json:"init"`
	InitSamples     Count     `json:"init_samples"`
	InitGamma       float64   `json:"init_gamma"` // 0: by method
	Optimizer       Optimizer `json:"optimizer"`
	PreconditionReg float64   `json:"precondition_reg"`
	LoraPlusLRRatio float64   `json:"loraplus_lr_ratio"`       // of B's learning rate to A's; 0: by method
	EvalSteps       AutoCount `json:"eval_steps"`              // 0: each tenth of the run
	EvalSamples     AutoCount `json:"eval_samples"`            // 0: all
	EarlyStopping   int       `json:"early_stopping_patience"` // 0: off
	ValSplit        float64   `json:"val_split"`
	TrainOn         TrainOn   `json:"train_on"`
	ChatTemplate    string    `json:"chat_template"` // auto, none or a file
	Date            string    `json:"date"`          // what strftime_now shows, YYYY-MM-DD
	Map             Columns   `json:"map"`
	Seed            uint64    `json:"seed"`
	Compute         Compute   `json:"compute"`
}

// Where says where things are.
type Where struct {
	Model     string `json:"model"` // folder, or a Hub id
	Data      string `json:"data"`  // file or folder
	OutputDir string `json:"output_dir"`
	Adapter   Folder `json:"adapter"` // a finished one to train on; "" for none
}

// Machine says how the computer is used, and what is shown and kept: nothing that
// changes a bit of the result.
type Machine struct {
	LoggingSteps   int      `json:"logging_steps"`
	SaveSteps      int      `json:"save_steps"`
	SaveTotalLimit int      `json:"save_total_limit"`
	Threads        int      `json:"threads"` // 0: all cores
	Memory         Size     `json:"memory"`  // bytes a run may allocate; 0: what the fastest way takes
	Profile        bool     `json:"profile"`
	Progress       Progress `json:"progress"`
	ReportTo       ReportTo `json:"report_to"`

	Score         Score  `json:"score"`          // of answers to the validation rows, at the end
	SamplePrompts string `json:"sample_prompts"` // a file, or a number of validation rows; "" for none
}

// Start says what one start does. It is never written to run.yaml.
type Start struct {
	Resume     bool   `json:"resume"`
	ResumeFrom string `json:"resume_from"`
	Overwrite  bool   `json:"overwrite"`
}

// Resuming reports whether a run is to be resumed.
func (s Start) Resuming() bool { return s.Resume || s.ResumeFrom != "" }

// Default returns the settings of a run that says nothing but model and data.
func Default() Config {
	return Config{
		Recipe: Recipe{
			NumTrainEpochs: 1, BatchSize: 8, GradientAccumulationSteps: 1,
			LRSchedulerType: Linear, WarmupSteps: 0.03,
			AdamEpsilon: 1e-8, MaxGradNorm: 1,
			MaxLength: 1024, Overlong: Truncate,
			LoraR: 8, LoraAlpha: 16, UseRSLoRA: Auto, TargetModules: Names{"q_proj", "v_proj"},
			Init: Init(loraone.LoRAOne.Name), InitSamples: 8,
			Optimizer: ByMethod, PreconditionReg: 1e-6,
			EvalSteps: Chosen, EvalSamples: Chosen, ValSplit: 0.05, TrainOn: Assistant, ChatTemplate: "auto", Seed: 42,
		},
		Where:   Where{OutputDir: "adapter"},
		Machine: Machine{LoggingSteps: 1, SaveSteps: 100, SaveTotalLimit: 2, Progress: ProgressAuto, ReportTo: ReportNone},
	}
}

// Kind returns the optimizer, that of the method where none is set.
func (r *Recipe) Kind() *optim.Kind {
	if r.Optimizer == ByMethod {
		return optim.Find(r.Init.Method().Optimizer)
	}
	return optim.Find(string(r.Optimizer))
}

// targets returns the projections of an ordinary layer that get adapters, fused ones by
// their parts: the model is not known yet.
func (r *Recipe) targets() ([]string, error) {
	c := r.Lora()
	c.TargetModules = nil
	for _, t := range r.TargetModules {
		c.TargetModules = append(c.TargetModules, model.PartsOf(t)...)
	}
	return c.Targets(model.Leaves())
}

// Updates returns what an optimizer chooses from, its own β₁ and β₂ where none are set.
func (r *Recipe) Updates() optim.Settings {
	kind, factors := r.Kind(), r.Init.Method().Rates
	if r.LoraPlusLRRatio != 0 {
		factors = map[string]float64{"B": r.LoraPlusLRRatio}
	}
	return optim.Settings{
		Beta1: cmp.Or(r.AdamBeta1, kind.Beta1), Beta2: cmp.Or(r.AdamBeta2, kind.Beta2),
		Epsilon: r.AdamEpsilon, WeightDecay: r.WeightDecay, Reg: r.PreconditionReg, Factors: factors,
	}
}

// Sequences returns how many sequences a full batch has.
func (r *Recipe) Sequences() int { return r.BatchSize * r.GradientAccumulationSteps }

// Lora returns the adapters' configuration.
func (r *Recipe) Lora() loraone.Config {
	c := loraone.Config{Method: r.Init.Method(), R: r.LoraR, Alpha: r.LoraAlpha, TargetModules: r.TargetModules, ExcludeModules: r.ExcludeModules}
	if r.UseRSLoRA != Auto {
		root := r.UseRSLoRA == On
		c.UseRSLoRA = &root
	}
	return c
}

// Continues reports whether the run trains a finished adapter on.
func (r *Recipe) Continues() bool { return r.Init == Continued }

// WithLength returns the recipe with the length of another.
func (r Recipe) WithLength(of *Recipe) Recipe {
	r.NumTrainEpochs, r.MaxSteps = of.NumTrainEpochs, of.MaxSteps
	return r
}

// Adapted says in words which projections get adapters.
func (r *Recipe) Adapted() string {
	text := strings.Join(r.TargetModules, ", ")
	if len(r.ExcludeModules) > 0 {
		text += " but for " + strings.Join(r.ExcludeModules, ", ")
	}
	return text
}

// Scale returns s, which multiplies the product of B and A in a module of rank lora_r.
func (r *Recipe) Scale() float64 { return r.Lora().Scale(r.LoraR) }

// Absolute returns the settings with absolute paths, as they are written down. A model of
// the Hub keeps its id.
func (r *Resolved) Absolute(base hub.Ref) (*Resolved, error) {
	d := *r
	var err error
	if d.Model, err = base.Absolute(); err != nil {
		return nil, err
	}
	paths := []*string{&d.Data, &d.OutputDir}
	if d.TemplateFile() {
		paths = append(paths, &d.ChatTemplate)
	}
	if d.ResumeFrom != "" {
		paths = append(paths, &d.ResumeFrom)
	}
	if _, err := strconv.Atoi(d.SamplePrompts); err != nil && d.SamplePrompts != "" {
		paths = append(paths, &d.SamplePrompts)
	}
	if d.Adapter != "" {
		paths = append(paths, (*string)(&d.Adapter))
	}
	for _, p := range paths {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, err
		}
		*p = abs
	}
	return &d, nil
}

// TemplateFile reports whether chat_template names a file.
func (r *Recipe) TemplateFile() bool { return r.ChatTemplate != "auto" && r.ChatTemplate != "none" }
