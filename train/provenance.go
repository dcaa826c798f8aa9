package train

import (
	"path/filepath"
	"runtime"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
	"example.com/finetune/train/data"
)

// A Provenance is finetune.json: where an adapter comes from.
type Provenance struct {
	Version  string `json:"version"` // of finetune
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernels  string `json:"kernels"`

	Base struct {
		Name         string     `json:"name"` // base_model_name_or_path
		Dir          string     `json:"dir"`
		Files        []fileHash `json:"files"`
		ChatTemplate bool       `json:"chat_template"` // the rows went through one
	} `json:"base"`
	Data struct {
		Files      []data.File `json:"files"`
		Sequences  string      `json:"sequences"` // digest of the tokens and masks
		Train      data.Stats  `json:"train"`
		Validation *data.Stats `json:"validation,omitempty"`
	} `json:"data"`
	Settings map[string]any `json:"settings"`

	Steps         int     `json:"steps"`
	BestStep      int     `json:"best_step"`
	Validated     bool    `json:"validated"`
	BaseEvalLoss  float64 `json:"base_eval_loss,omitempty"`
	StartEvalLoss float64 `json:"start_eval_loss,omitempty"`
	BestEvalLoss  float64 `json:"best_eval_loss,omitempty"`
	LastEvalLoss  float64 `json:"last_eval_loss,omitempty"`
	TrainLoss     float64 `json:"train_loss"` // of the last log line
	StoppedEarly  bool    `json:"stopped_early,omitempty"`
	Tokens        int     `json:"tokens"`
	Seconds       float64 `json:"seconds"`
	Parameters    int     `json:"parameters"`

	Init *loraone.StartReport `json:"init,omitempty"`
}

// ReadProvenance reads finetune.json of an adapter's folder.
func ReadProvenance(dir string) (*Provenance, error) {
	p := new(Provenance)
	if err := readJSON(filepath.Join(dir, provenanceFile), p); err != nil {
		return nil, err
	}
	return p, nil
}

// finishedResult is what the finished run in dir came to.
func finishedResult(dir string) (*Result, error) {
	p, err := ReadProvenance(dir)
	if err != nil {
		return nil, err
	}
	result := p.result(dir)
	result.Finished = true
	return result, nil
}

// provenance gathers what finetune.json says.
func (r *run) provenance() *Provenance {
	p := &Provenance{Version: r.s.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Kernels: simd.Kernels()}
	p.Base.Name, p.Base.Dir, p.Base.Files, p.Base.ChatTemplate = r.s.baseName(), r.s.Model.Dir, r.st.Base, r.s.ChatTemplate
	if abs, err := filepath.Abs(p.Base.Dir); err == nil {
		p.Base.Dir = abs
	}
	p.Data.Files, p.Data.Sequences, p.Data.Train = r.s.Data.Files, r.st.Data, r.s.Data.Train.Stats
	if r.st.Validated {
		p.Data.Validation = &r.s.Data.Valid.Stats
	}
	p.Settings = r.st.Settings
	st := r.st
	p.Steps, p.BestStep, p.Validated = st.Step, st.BestStep, st.Validated
	p.BaseEvalLoss, p.StartEvalLoss, p.BestEvalLoss, p.LastEvalLoss = st.BaseLoss, st.StartLoss, st.BestLoss, st.LastLoss
	p.TrainLoss, p.StoppedEarly, p.Tokens, p.Seconds = st.Logged, st.stopped(r.c.EarlyStopping), st.Tokens, st.Seconds
	p.Parameters, p.Init = r.adapters.Parameters(), st.Init
	return p
}

// result is the same for the caller of Run.
func (p *Provenance) result(dir string) *Result {
	return &Result{
		Dir: dir, Steps: p.Steps, BestStep: p.BestStep, Validated: p.Validated,
		BaseLoss: p.BaseEvalLoss, StartLoss: p.StartEvalLoss, BestLoss: p.BestEvalLoss, LastLoss: p.LastEvalLoss,
		TrainLoss: p.TrainLoss, Stopped: p.StoppedEarly, Tokens: p.Tokens, Seconds: p.Seconds,
	}
}
