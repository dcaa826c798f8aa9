package train

import (
	"time"

	"example.com/finetune/model"
	"example.com/finetune/train/rundir"
)

// The events that a run reports, by value.
type (
	// Planned comes once, before the first pass over the model.
	Planned struct {
		Plan
		MappedBytes int64  // of the weights
		ResumedFrom string // a checkpoint's folder; "" for a fresh start
	}

	// Extended comes where a run that had ended is given more steps: Step are done.
	Extended struct{ Step, Steps int }

	// InitProgress comes after each micro-batch of the initial gradient.
	InitProgress struct{ Done, Total int }

	// Ranked comes after a start whose method has chosen the modules' ranks.
	Ranked struct {
		Least, Most int
		Parameters  int // trained
	}

	// Stepped comes every logging_steps steps; Loss is the mean over the targets
	// since the last one.
	Stepped struct {
		Step, Steps     int
		Epoch           float64
		Loss            float64
		LearningRate    float64
		GradNorm        float64 // of the last step, before clipping
		Tokens          int     // seen so far
		TokensPerSecond float64
		Seconds         float64       // of the whole run
		Left            time.Duration // at the pace of this start
	}

	// EvalProgress comes after each micro-batch of an evaluation.
	EvalProgress struct{ Done, Total int }

	// Sampled comes after each evaluation of a run with sample_prompts.
	Sampled struct {
		Step    int
		Samples []rundir.Sample
	}

	// AnswerProgress comes after each answer that is scored.
	AnswerProgress struct {
		What        string
		Done, Total int
	}

	// Evaluated comes after each evaluation. Base is the loss of the model
	// without adapters.
	Evaluated struct {
		Step, Steps int
		Loss, Base  float64
		Best        bool
	}

	// Saved comes after each checkpoint.
	Saved struct {
		Step int
		Path string
	}

	// Profiled comes at the end, where settings ask for it: what the steps of this
	// start have spent their time on.
	Profiled struct {
		Steps   int
		Profile *model.Profile
	}

	// Warning is a remark that needs no answer.
	Warning struct{ Text string }
)
