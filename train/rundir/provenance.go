package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
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

	Answers *Answers `json:"answers,omitempty"` // scored; nil where nothing was asked

	AllocatedBytes int64 `json:"allocated_bytes,omitempty"` // at the highest, as planned, beside the mapped weights
}

// Answers are how the base and the saved adapter answered validation rows: accuracies, and
// their difference with a 95 % interval.
type Answers struct {
	Score      string  `json:"score"`
	MaxTokens  int     `json:"max_tokens"`
	Asked      int     `json:"asked"`
	LeftOut    int     `json:"left_out"`
	Base       float64 `json:"base"`
	Adapter    float64 `json:"adapter"`
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`

	Rows map[int]Verdict `json:"-"` // by validation row: heldout.jsonl has them
}

// A FileHash is a file's name and SHA-256, which for a weight file of the Hub is the
// one shown there.
type FileHash struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Hash returns the hashes of a model's files, which it reads side by side.
func Hash(paths []string, p *simd.Pool) ([]FileHash, error) {
	list, errs := make([]FileHash, len(paths)), make([]error, len(paths))
	p.Run(len(paths), func(_, i int) {
		list[i].Name = filepath.Base(paths[i])
		list[i].SHA256, errs[i] = files.SHA256(paths[i])
	})
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("hashing: %w", err)
		}
	}
	return list, nil
}

// Begun is the finished adapter that a run began from.
type Begun struct {
	Dir   string     `json:"dir"`
	Files []FileHash `json:"files"`
}

// A Provenance is finetune.json: where an adapter comes from.
type Provenance struct {
	Version  string `json:"version"` // of finetune
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernels  string `json:"kernels"`

	Base struct {
		Name         string     `json:"name"` // its id on the Hub, else Dir
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

	// Share of Σ‖ΔW‖² that the file holds, where the method trains more than its rank.
	Share float64 `json:"share_held,omitempty"`

	Adapter  *Begun `json:"adapter,omitempty"`  // that the run began from
	Extended []int  `json:"extended,omitempty"` // steps at whose end the run was given more

	Summary
	Parameters int `json:"parameters"`

	Init *loraone.StartReport `json:"init,omitempty"`
}

// BaseRef is the base as it was found then.
func (p *Provenance) BaseRef() hub.Ref {
	if filepath.IsAbs(p.Base.Name) || !hub.IsID(p.Base.Name) {
		return hub.Ref{Arg: p.Base.Name, Dir: p.Base.Name}
	}
	return hub.Ref{Arg: p.Base.Name, Dir: p.Base.Dir, ID: p.Base.Name}
}

// ReadProvenance reads finetune.json of an adapter's folder.
func ReadProvenance(dir string) (*Provenance, error) {
	p := new(Provenance)
	path := filepath.Join(dir, ProvenanceFile)
	err := readJSON(path, p)
	if err == nil && p.Steps == 0 {
		err = fmt.Errorf("%s: it tells of no run: it has no steps", path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, hint.New(err, "bring the file back from a copy; moved away, the adapter is read as that of another program")
	}
	return p, nil
}

// OtherBase says in words that the adapter in a folder was trained on another base than
// the one here, by the digest of one of its weight files; "" where that file is the same
// or the adapter's are not known.
func (p *Provenance) OtherBase(adapter, here string, now FileHash) string {
	if p == nil || len(p.Base.Files) == 0 {
		return ""
	}
	then := p.Base.Files
	i := slices.IndexFunc(then, func(f FileHash) bool { return f.Name == now.Name })
	switch {
	case i < 0:
		return fmt.Sprintf("%s was trained on %s, whose weights lay in other files (%s with SHA-256 %.12s): the base here, %s, has %s with SHA-256 %.12s",
			adapter, p.BaseRef().Label(), then[0].Name, then[0].SHA256, here, now.Name, now.SHA256)
	case then[i].SHA256 != now.SHA256:
		return fmt.Sprintf("%s was trained on %s, and the base here is another, %s: its %s has SHA-256 %.12s, that one had %.12s",
			adapter, p.BaseRef().Label(), here, now.Name, now.SHA256, then[i].SHA256)
	}
	return ""
}
