package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/rundir"
)

// This file holds what may go wrong under a run: numbers that are not finite, and
// weight files that change.

// A suspect is one line of the file for rows whose loss or gradient was not finite.
type suspect struct {
	Row    string  `json:"row"` // file:line
	Tokens []int32 `json:"tokens"`
	Mask   []bool  `json:"mask"` // the trained ones
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
	seqs, e := r.Data.Train.Sequences(rows)
	if e != nil {
		return err
	}
	for i, seq := range seqs {
		text, e := json.Marshal(suspect{r.Data.Train.Origin(rows[i]).String(), seq.IDs, seq.Mask})
		if e != nil {
			return err
		}
		lines.Write(append(text, '\n'))
	}
	name := rundir.NonFiniteFile(step)
	kept := "their tokens are in " + r.dir.Path(name)
	if e := r.dir.Write(name, lines.Bytes()); e != nil {
		kept = "their tokens could not be written: " + e.Error()
	}
	err = fmt.Errorf("step %d: %w; its rows are %s; %s", step, err, r.rows(rows), kept)
	if step == 0 {
		return hint.New(err, "the model's weights or this row are damaged")
	}
	return hint.Newf(err, "a lower learning_rate (%g) or max_grad_norm; the checkpoints before it are good", r.c.LearningRate)
}

// rows names the rows of a batch, ten at most, in the file's order.
func (r *run) rows(indices []int) string {
	sorted := slices.Sorted(slices.Values(indices))
	var names []string
	for _, i := range sorted[:min(10, len(sorted))] {
		names = append(names, r.Data.Train.Origin(i).String())
	}
	if more := len(sorted) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// hashBase puts the hashes of the weight files into the state.
func (r *run) hashBase() error {
	var err error
	r.st.Base, err = rundir.Hash(r.Model.Files(), r.Pool)
	return err
}

// A changedError is a weight file that was written to while it is mapped: the numbers
// change under the run.
type changedError struct{ error }

// unchanged returns a changedError if a weight file was written to since it was
// mapped. What is computed before counts only where it returns nil.
func (r *run) unchanged() error {
	if err := r.Model.Unchanged(); err != nil {
		return changedError{err}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
