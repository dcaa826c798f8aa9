package rundir

import (
	"path/filepath"

	"example.com/finetune/loraone"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

// Losses are those of the validation rows, in nats per trained token; 0 without any.
type Losses struct {
	Base  float64 `json:"base_eval_loss,omitempty"`  // of the model alone
	Start float64 `json:"start_eval_loss,omitempty"` // with the adapters as they start
	Best  float64 `json:"best_eval_loss,omitempty"`
	Last  float64 `json:"last_eval_loss,omitempty"`
}

// A Summary is what a run came to.
type Summary struct {
	Steps     int  `json:"steps"`
	BestStep  int  `json:"best_step"` // the step whose adapter was saved
	Validated bool `json:"validated"` // there were validation rows
	Losses
	TrainLoss    float64 `json:"train_loss"` // over the steps of the last log line
	StoppedEarly bool    `json:"stopped_early,omitempty"`
	Tokens       int     `json:"tokens"`
	Seconds      float64 `json:"seconds"`
}

// A FileHash is a file's name and SHA-256, which for a weight file of the Hub is the
// one shown there.
type FileHash struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// A Provenance is finetune.json: where an adapter comes from.
type Provenance struct {
	Version  string `json:"version"` // of finetune
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernels  string `json:"kernels"`

	Base struct {
		Name         string     `json:"name"` // base_model_name_or_path
		Dir          string     `json:"dir"`
		Files        []FileHash `json:"files"`
		ChatTemplate bool       `json:"chat_template"` // the rows went through one
	} `json:"base"`

	Data struct {
		Files      []data.File `json:"files"`
		Sequences  string      `json:"sequences"` // digest of the tokens and masks
		Train      data.Stats  `json:"train"`
		Validation *data.Stats `json:"validation,omitempty"`
	} `json:"data"`

	Recipe recipe.Recipe `json:"settings"`

	Summary
	Parameters int `json:"parameters"`

	Init *loraone.StartReport `json:"init,omitempty"`
}

// ReadProvenance reads finetune.json of an adapter's folder.
func ReadProvenance(dir string) (*Provenance, error) {
	p := new(Provenance)
	if err := readJSON(filepath.Join(dir, ProvenanceFile), p); err != nil {
		return nil, err
	}
	return p, nil
}
