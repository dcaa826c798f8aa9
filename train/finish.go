package train

import (
	"fmt"
	"math"
	"os"
	"slices"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/simd"
)

// finish writes the output folder. All of it is written under other names and
// verified before any of it takes its place: first what describes the adapter, then
// the adapter. Until then an adapter that stands there is whole, and whatever fails,
// the last checkpoint is that of the last step.
func (r *run) finish() (*Result, error) {
	p, err := r.publish()
	if err != nil {
		return nil, hint.New(fmt.Errorf("saving the adapter: %w", err), "nothing is lost: --resume finishes the run from its last checkpoint")
	}
	return p.result(r.c.OutputDir), nil
}

func (r *run) publish() (*Provenance, error) {
	st := &r.st
	if st.Validated {
		r.restoreBest()
		if st.BestStep == 0 {
			r.s.Report(Warning{"no step made the validation loss lower than the start: the start itself is saved; a lower learning_rate may help"})
		}
	} else {
		st.BestStep = st.Step
	}
	adapter, err := peft.Prepare(r.c.OutputDir, r.adapters)
	if err != nil {
		return nil, err
	}
	defer adapter.Discard()
	if err := r.probe(adapter.Dir()); err != nil {
		return nil, err
	}
	p := r.provenance()
	pages, err := r.pages(p)
	defer pages.abort()
	if err != nil {
		return nil, err
	}
	if err := pages.commit(); err != nil {
		return nil, err
	}
	if err := adapter.Publish(); err != nil {
		return nil, err
	}
	return p, r.settled()
}

// settled takes away the mark of an earlier run's adapter.
func (r *run) settled() error {
	if !has(r.c.OutputDir, unfinishedFile) {
		return nil
	}
	if err := os.Remove(r.path(unfinishedFile)); err != nil {
		return err
	}
	return files.SyncDir(r.c.OutputDir)
}

// restoreBest puts the best adapter so far back into the layers.
func (r *run) restoreBest() {
	for i, x := range parameters(r.opt.layers) {
		copy(x, r.best[i])
	}
	for _, l := range r.opt.layers {
		l.Sync()
	}
}

// probeTokens is how much of the first row the probe reads, probeBound how far its
// logits may lie from those of the training form, relative to the largest: the file
// holds s·B rounded once, the training form multiplies by s on the way. A model that
// magnifies rounding may be off by probeSlack times what the last bits of A move.
const (
	probeTokens = 16
	probeBound  = 1e-5
	probeSlack  = 8
)

// probe reads the adapter in dir as everybody will, and compares what the model says
// with it to what it says with the adapter as it was trained.
func (r *run) probe(dir string) error {
	first, err := r.s.Data.Train.Sequence(0)
	if err != nil {
		return err
	}
	ids := first.IDs[:min(probeTokens, len(first.IDs))]
	r.engine.SetCompute(simd.ComputeF32) // in bf16 the last bit of a sum can move the first of the next
	defer r.engine.SetCompute(r.c.compute())
	want := r.engine.Logits(ids).Data
	loaded, err := peft.Load(dir, r.s.Model)
	defer r.adapters.Reattach()
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	got := r.engine.Logits(ids).Data
	largest, difference := compare(want, got)
	bound := probeBound * largest
	if difference > bound {
		_, moved := compare(got, r.nudged(loaded, ids))
		bound = max(bound, probeSlack*moved)
	}
	loaded.Detach()
	if !(difference <= bound) || !finite(largest) {
		return fmt.Errorf("reading back: logits of up to %g differ by %g from those of the training, want at most %g", largest, difference, bound)
	}
	return nil
}

// compare returns the largest value of want and the largest difference of got.
func compare(want, got []float32) (largest, difference float64) {
	for i, w := range want {
		largest = max(largest, math.Abs(float64(w)))
		difference = max(difference, math.Abs(float64(got[i])-float64(w)))
	}
	return largest, difference
}

// nudged returns the logits with the last bit of every value of A changed.
func (r *run) nudged(a *loraone.Adapters, ids []int32) []float32 {
	for _, l := range a.Layers {
		for i, v := range l.A {
			l.A[i] = math.Float32frombits(math.Float32bits(v) ^ 1)
		}
		l.Sync()
	}
	return r.engine.Logits(ids).Data
}

// pages returns the files that describe the adapter, written and not in their place.
func (r *run) pages(p *Provenance) (drafts, error) {
	var d drafts
	lines, err := ReadMetrics(r.path(metricsFile))
	if err != nil { // a report, which the adapter does not depend on
		r.s.Report(Warning{fmt.Sprintf("%s is not drawn: %v", plotFile, err)})
	}
	text, err := encodeJSON(p)
	if err != nil {
		return d, err
	}
	list := []struct {
		name string
		text []byte
	}{{plotFile, Plot(lines, r.st.BestStep)}, {cardFile, card(r.c, p, r.s.Data)}, {provenanceFile, text}}
	if has(r.c.OutputDir, cardFile) && !ownCard(r.c.OutputDir) {
		r.s.Report(Warning{fmt.Sprintf("%s is not of a run and stays as it is: no model card is written", r.path(cardFile))})
		list = slices.Delete(list, 1, 2)
	}
	for _, page := range list {
		if err := d.add(r.path(page.name), page.text); err != nil {
			return d, err
		}
	}
	return d, nil
}

// drafts are files that take their names together.
type drafts []*files.Draft

func (d *drafts) add(path string, text []byte) error {
	f, err := files.Create(path)
	if err != nil {
		return err
	}
	*d = append(*d, f)
	if _, err = f.Write(text); err != nil {
		return err
	}
	return f.Sync() // a full disk shows here, not in commit
}

func (d drafts) commit() error {
	for _, f := range d {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (d drafts) abort() {
	for _, f := range d {
		f.Abort()
	}
}
