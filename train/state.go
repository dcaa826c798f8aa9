package train

import (
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/train/optim"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// A state is where a run stands, but for the numbers of its tensors. It is what
// state.json holds. What changes it adds to revision, so that whoever has kept a
// revision sees whether it is still the same.
type state struct {
	Layout int `json:"version"` // of state.json and the tensors beside it
	Step   int `json:"step"`    // steps done
	Total  int `json:"total_steps"`

	Validated bool `json:"validated"` // there are validation rows
	Evaluated int  `json:"evaluated"` // the last step evaluated, -1 for none
	rundir.Losses
	BestStep int       `json:"best_step"`
	BestRows []float64 `json:"best_rows,omitempty"` // nats of each validation row at that step; none of an earlier version's
	Stale    int       `json:"stale"`               // evaluations since the best one

	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
	Window  window  `json:"window"`
	Logged  float64 `json:"logged_loss"` // of the last log line

	Metrics int64 `json:"metrics_bytes"` // of metrics.jsonl

	Rise rise `json:"rise"`

	Base     []rundir.FileHash    `json:"base"`
	Adapter  []rundir.FileHash    `json:"adapter,omitempty"` // that the run began from
	Files    []rundir.FileHash    `json:"files"`             // of rows
	Data     string               `json:"data"`              // digests of the training and validation sequences
	Recipe   recipe.Recipe        `json:"settings"`
	Init     *loraone.StartReport `json:"init,omitempty"`
	Ranks    []int                `json:"ranks,omitempty"`    // of the adapted projections, where the method or an adapter chose them
	Extended []int                `json:"extended,omitempty"` // steps at whose end the run was given more

	revision int
	early    bool // read from layout 2
}

// stateLayout is the layout of a checkpoint. Earlier ones are read too: their losses have
// other names, their settings are those of a whole run.yaml, and layout 2 called
// scaled-adamw preconditioned-adamw.
const (
	stateLayout    = 4
	earliestLayout = 2
)

// earlierLosses are the losses before layout 4.
type earlierLosses struct {
	BaseLoss  float64 `json:"base_loss"`
	StartLoss float64 `json:"start_loss"`
	BestLoss  float64 `json:"best_loss"`
	LastLoss  float64 `json:"last_loss"`
}

// readState returns the state of the checkpoint at path, verified.
func readState(path string) (*state, error) {
	var saved struct {
		state
		earlierLosses
	}
	if err := rundir.ReadState(path, &saved); err != nil {
		return nil, err
	}
	st := &saved.state
	if st.Layout == earliestLayout {
		st.early = true
		renameOptimizer(&st.Recipe)
	}
	if e := saved.earlierLosses; st.Layout >= earliestLayout && st.Layout < stateLayout {
		st.Losses = rundir.Losses{Base: e.BaseLoss, Start: e.StartLoss, Best: e.BestLoss, Last: e.LastLoss}
		st.Layout = stateLayout
	}
	switch {
	case st.Layout != stateLayout:
		return nil, hint.New(fmt.Errorf("checkpoint: %s: layout %d, this version reads %d to %d", path, st.Layout, earliestLayout, stateLayout),
			"it is of another version of finetune, which can resume it")
	case st.Step < 0 || st.Step > st.Total || st.Evaluated < -1 || st.Evaluated > st.Step || st.Metrics < 0:
		return nil, rundir.Damaged("%s: step %d of %d, evaluated at %d, %d bytes of metrics: not a state of a run", path, st.Step, st.Total, st.Evaluated, st.Metrics)
	}
	return st, nil
}

// renameOptimizer gives the optimizer of a recipe of layout 2 the name that it has now.
func renameOptimizer(r *recipe.Recipe) {
	if r.Kind() == optim.PreconditionedAdamW {
		r.Optimizer = recipe.Optimizer(optim.ScaledAdamW.Name)
	}
}

// sameInputs returns an error that names what has changed since a checkpoint was
// made: a weight file, a file of rows, or how rows become tokens.
func sameInputs(path string, then, now *state) error {
	if name := changed(then.Base, now.Base); name != "" {
		return hint.New(fmt.Errorf("%s of the base model is not the file that %s was made with", name, path), "put the old file back, or begin again with --overwrite")
	}
	if name := changed(then.Adapter, now.Adapter); name != "" {
		return hint.New(fmt.Errorf("%s of the adapter that the run began from is not the file that %s was made with", name, path), "put the old file back, or name it with --adapter; --overwrite begins again")
	}
	if then.Data == now.Data && then.Total == now.Total {
		return nil
	}
	before, files := then.Files, now.Files
	if a, b := trainingRows(then), trainingRows(now); a == b && len(before) > 1 && len(files) > 1 {
		before, files = before[1:], files[1:] // those for validation: the first has changed in its spelling at most
	}
	if name := changed(before, files); name != "" {
		return hint.New(fmt.Errorf("%s is not the file that %s was made from", name, path), "put the old file back, or begin again with --overwrite")
	}
	return hint.New(fmt.Errorf("the rows have other tokens than those that %s was made from", path), "tokenizer, chat_template, map and date must be as they were; --overwrite begins again")
}

// trainingRows is the digest of the sequences that are trained on.
func trainingRows(s *state) string {
	digest, _, _ := strings.Cut(s.Data, " ")
	return digest
}

// changed returns the name of the first file that differs between two lists, "" for
// none.
func changed(then, now []rundir.FileHash) string {
	for i, f := range now {
		if i >= len(then) || f != then[i] {
			return f.Name
		}
	}
	if len(then) > len(now) {
		return then[len(now)].Name
	}
	return ""
}

// A window is what has happened since the last log line.
type window struct {
	Sum     float64 `json:"sum"` // nats
	Targets int     `json:"targets"`
	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
}

// stepped counts one step, which took so many seconds.
func (s *state) stepped(b batchLoss, took float64) {
	s.Step++
	s.Tokens += b.tokens
	s.Window.Sum += b.sum
	s.Window.Targets += b.targets
	s.Window.Tokens += b.tokens
	s.Window.Seconds += took
	s.revision++
}

// logged ends the window and returns it, with its mean loss.
func (s *state) logged() (w window, loss float64) {
	w = s.Window
	s.Window, s.Logged = window{}, float64(w.Sum/float64(w.Targets))
	s.revision++
	return w, s.Logged
}

// evaluated takes in the validation loss of the present step and reports whether
// it is the best so far.
func (s *state) evaluated(loss float64) (best bool) {
	best = s.Evaluated < 0 || loss < s.Best
	if s.Evaluated < 0 {
		s.Start = loss
	}
	s.Evaluated, s.Last = s.Step, loss
	if best {
		s.Best, s.BestStep, s.Stale = loss, s.Step, 0
	} else {
		s.Stale++
	}
	s.revision++
	return best
}

// ended reports whether the run had nothing left to do.
func (s *state) ended() bool { return s.Step == s.Total || s.stopped(s.Recipe.EarlyStopping) }

// extend makes the state of a run that has ended that of a longer one, now, and reports
// whether it did. What is done stays, the best adapter included; early stopping counts
// anew.
func (s *state) extend(now *state) bool {
	if !s.ended() || now.Total <= s.Total {
		return false
	}
	s.Recipe, s.Total, s.Stale = s.Recipe.WithLength(&now.Recipe), now.Total, 0
	s.Extended = append(s.Extended, s.Step)
	return true
}

// stopped reports whether the run has gone long enough without improvement.
func (s *state) stopped(patience int) bool { return patience > 0 && s.Stale >= patience }

// tensors lists what a checkpoint keeps: parameters, trained and frozen, what the
// optimizer remembers, and the best adapter. best may be nil.
func tensors(u *updater, best [][]float32) []safetensors.Entry {
	var list []safetensors.Entry
	add := func(name string, p *loraone.Param, data []float32) {
		list = append(list, safetensors.Entry{Name: name, Shape: []int{p.Rows, p.Cols}, Data: data})
	}
	for _, m := range u.adapters.Modules {
		for _, p := range m.Frozen() {
			add(p.Name, p, p.Value)
		}
	}
	for i, p := range u.adapters.Params() {
		add(p.Name, p, p.Value)
		if best != nil {
			add("best."+p.Name, p, best[i])
		}
	}
	for _, p := range u.optimizer.State() {
		add(p.Name, p, p.Value)
	}
	return list
}

// loadTensors sets what tensors lists from a checkpoint. hasBest says whether it holds
// the best adapter.
func loadTensors(path string, u *updater, hasBest bool) (best [][]float32, err error) {
	if hasBest {
		for _, p := range u.adapters.Params() {
			best = append(best, make([]float32, len(p.Value)))
		}
	}
	if err := rundir.ReadTensors(path, tensors(u, best)); err != nil {
		return nil, err
	}
	u.adapters.Sync()
	return best, nil
}

// A rise watches the training losses for one that grows without end: the medians of
// three windows of riseWindow steps in a row grow, and every loss of the last one is
// above the lowest median so far, by a quarter and by a tenth of a nat. Bad batches
// alone do not do that, and a loss near zero may well double.
type rise struct {
	Losses []float64 `json:"losses,omitempty"` // of the window so far
	Last   []float64 `json:"last,omitempty"`   // the medians, three at most
	Lowest float64   `json:"lowest"`           // of all medians
	At     int       `json:"at"`               // the step where the lowest window ended
	Told   bool      `json:"told"`
}

// What counts as a rise.
const (
	riseWindow = 10 // steps
	riseShare  = 0.25
	riseLeast  = 0.1 // nats
)

// add takes in the mean loss of a step, from 1, and returns a warning, once.
func (r *rise) add(step int, loss float64) (warning string) {
	if r.Told {
		return ""
	}
	r.Losses = append(r.Losses, loss)
	if len(r.Losses) < riseWindow {
		return ""
	}
	slices.Sort(r.Losses)
	least, median := r.Losses[0], r.Losses[riseWindow/2]
	r.Losses = r.Losses[:0]
	r.Last = append(r.Last, median)
	if len(r.Last) > 3 {
		r.Last = slices.Delete(r.Last, 0, 1)
	}
	if r.At == 0 || median < r.Lowest {
		r.Lowest, r.At = median, step
	}
	grows := len(r.Last) == 3 && r.Last[0] < r.Last[1] && r.Last[1] < r.Last[2]
	if !grows || least < r.Lowest+max(riseLeast, riseShare*r.Lowest) {
		return ""
	}
	r.Told = true
	return fmt.Sprintf("the training loss is rising: %.4f in the middle of the last %d steps, and it was %.4f up to step %d; a lower learning_rate may help", median, riseWindow, r.Lowest, r.At)
}
