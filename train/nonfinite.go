package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
)

// nonFinitePrefix begins the names of the files that hold the rows of a batch whose
// loss or gradient was not finite.
const nonFinitePrefix = "nonfinite-step-"

// A suspect is one line of such a file.
type suspect struct {
	Row    string  `json:"row"` // file:line
	Tokens []int32 `json:"tokens"`
	Learn  []bool  `json:"learn"` // the trained ones
}

// A nonFiniteError is a loss that is not finite, with the indices of its rows.
type nonFiniteError struct {
	error
	rows []int
}

// nonFinite completes an error about the loss or the gradient of rows at a step,
// from 1 (0 is the start): it names them and writes them to a file.
func (r *run) nonFinite(step int, err error, indices []int) error {
	var lines bytes.Buffer
	rows := slices.Sorted(slices.Values(indices))
	seqs, e := r.s.Data.Train.Sequences(rows)
	if e != nil {
		return err
	}
	for i, seq := range seqs {
		text, e := json.Marshal(suspect{r.s.Data.Train.Origin(rows[i]).String(), seq.IDs, seq.Learn})
		if e != nil {
			return err
		}
		lines.Write(append(text, '\n'))
	}
	name := fmt.Sprintf("%s%06d.jsonl", nonFinitePrefix, step)
	kept := "their tokens are in " + filepath.Join(r.c.OutputDir, name)
	if e := files.Write(r.path(name), lines.Bytes()); e != nil {
		kept = "their tokens could not be written: " + e.Error()
	}
	err = fmt.Errorf("step %d: %w; its rows are %s; %s", step, err, r.rows(rows), kept)
	if step == 0 {
		return hint.New(err, "the model's weights or this row are damaged")
	}
	return hint.Newf(err, "a lower learning_rate (%g) or max_grad_norm; the checkpoints before it are good", r.c.LearningRate)
}
