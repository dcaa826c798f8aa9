package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/simd"
	"example.com/finetune/train/report"
	"example.com/finetune/train/rundir"
)

// finish leaves the adapter in the output folder. All of it is written under other
// names and verified before any of it takes its place. Whatever fails, the last
// checkpoint is that of the last step.
func (r *run) finish(ctx context.Context) (*Result, error) {
	p, err := r.publish(ctx)
	if err != nil {
		return nil, hint.New(fmt.Errorf("saving the adapter: %w", err), "nothing is lost: --resume finishes the run from its last checkpoint")
	}
	return &Result{Dir: r.c.OutputDir, Summary: p.Summary}, nil
}

func (r *run) publish(ctx context.Context) (*rundir.Provenance, error) {
	st := &r.st
	if st.Validated {
		r.restoreBest()
		if st.BestStep == 0 {
			r.Report(Warning{"no step made the validation loss lower than the start: the start itself is saved; a lower learning_rate may help"})
		}
	} else {
		st.BestStep = st.Step
	}
	if err := r.truncate(ctx); err != nil {
		return nil, err
	}
	if err := r.answer(ctx); err != nil {
		return nil, err
	}
	adapter, err := peft.Prepare(r.c.OutputDir, r.adapters, r.Base.Name())
	if err != nil {
		return nil, err
	}
	defer adapter.Discard()
	if err := r.probe(adapter.Dir()); err != nil {
		return nil, err
	}
	p := r.provenance()
	pages, err := r.pages(p)
	if err != nil {
		return nil, err
	}
	return p, r.dir.Publish(pages, adapter.Publish)
}

// restoreBest puts the best adapter so far back into the modules.
func (r *run) restoreBest() {
	for i, p := range r.adapters.Params() {
		copy(p.Value, r.best[i])
	}
	r.adapters.Sync()
}

// truncate makes the modules what files of their rank can hold, where they are more, and
// says what that costs. The loss of the run's summary is then that of the file.
func (r *run) truncate(ctx context.Context) error {
	var kept, all float64
	more := make([]loraone.Truncator, 0, len(r.adapters.Modules))
	for _, m := range r.adapters.Modules {
		if t, ok := m.(loraone.Truncator); ok {
			more = append(more, t)
		}
	}
	if len(more) == 0 {
		return nil
	}
	parts := make([][2]float64, len(more))
	r.engine.Pool().Run(len(more), func(_, i int) { parts[i][0], parts[i][1] = more[i].Truncate() })
	for _, p := range parts {
		kept, all = kept+p[0], all+p[1]
	}
	if all == 0 { // the base itself
		return nil
	}
	r.share = kept / all
	text := fmt.Sprintf("the file holds the leading part of rank %d of each ΔW, %.1f%% of all their squares; a higher lora_r holds more", r.c.LoraR, 100*r.share)
	if r.st.Validated {
		loss, rows, err := r.evalLoss(ctx)
		if err != nil {
			return err
		}
		text += fmt.Sprintf(" (validation loss %.4f, and %.4f with the whole)", loss, r.st.Losses.Best)
		r.st.Losses.Best, r.st.BestRows = loss, rows
	}
	r.Report(Warning{text})
	return nil
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
	first, err := r.Data.Train.Sequence(0)
	if err != nil {
		return err
	}
	ids := first.IDs[:min(probeTokens, len(first.IDs))]
	r.engine.SetCompute(simd.ComputeF32) // in bf16 the last bit of a sum can move the first of the next
	defer r.engine.SetCompute(simd.Compute(r.c.Compute))
	want := r.engine.Logits(ids).Data
	loaded, err := peft.Load(dir, r.Model.Config)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	loaded.Attach(r.engine)
	defer r.adapters.Attach(r.engine)
	got := r.engine.Logits(ids).Data
	largest, difference := compare(want, got)
	bound := probeBound * largest
	if difference > bound {
		_, moved := compare(got, r.nudged(loaded, ids))
		bound = max(bound, probeSlack*moved)
	}
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
	for _, m := range a.Modules {
		lora := m.(*loraone.Layer) // as peft.Load returns them
		for i, v := range lora.A {
			lora.A[i] = math.Float32frombits(math.Float32bits(v) ^ 1)
		}
	}
	a.Sync()
	return r.engine.Logits(ids).Data
}

// pages returns the files that describe the adapter.
func (r *run) pages(p *rundir.Provenance) ([]rundir.Page, error) {
	lines, err := rundir.ReadMetrics(r.dir.Path(rundir.MetricsFile))
	if err != nil { // a report, which the adapter does not depend on
		r.Report(Warning{fmt.Sprintf("%s is not drawn: %v", rundir.PlotFile, err)})
	}
	text, err := rundir.EncodeJSON(p)
	if err != nil {
		return nil, err
	}
	pages := []rundir.Page{
		{Name: rundir.PlotFile, Text: report.Plot(lines, r.st.BestStep)},
		{Name: rundir.CardFile, Text: report.Card(&r.c.Config, p, r.Data.Split, lines)},
		{Name: rundir.ProvenanceFile, Text: text},
	}
	if len(r.st.BestRows) > 0 {
		rows, err := rundir.EncodeHeldOut(r.heldOut())
		if err != nil {
			return nil, err
		}
		pages = append(pages, rundir.Page{Name: rundir.HeldOutFile, Text: rows})
	}
	if r.dir.ForeignCard() {
		r.Report(Warning{fmt.Sprintf("%s is not of a run and stays as it is: no model card is written", r.dir.Path(rundir.CardFile))})
		pages = slices.Delete(pages, 1, 2)
	}
	return pages, nil
}

// heldOut lists the validation rows with the loss that the adapter has on each.
func (r *run) heldOut() []rundir.HeldOutRow {
	rows := make([]rundir.HeldOutRow, len(r.eval))
	for i, s := range r.eval {
		at := r.Data.Valid.Origin(r.held[i])
		rows[i] = rundir.HeldOutRow{File: filepath.Base(at.File), Line: at.Line, Tokens: s.Targets(), Nats: r.st.BestRows[i]}
		if r.answers != nil {
			if v, asked := r.answers.Rows[i]; asked {
				rows[i].Answers = &v
			}
		}
	}
	return rows
}

// provenance gathers what finetune.json says.
func (r *run) provenance() *rundir.Provenance {
	p := &rundir.Provenance{Version: r.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Kernels: simd.Kernels()}
	p.Base.Dir, p.Base.Files, p.Base.ChatTemplate = r.Base.Dir, r.st.Base, r.ChatTemplate
	if abs, err := filepath.Abs(p.Base.Dir); err == nil {
		p.Base.Dir = abs
	}
	p.Base.Name = cmp.Or(r.Base.ID, p.Base.Dir)
	p.Data.Files, p.Data.Sequences, p.Data.Train = r.Data.Files, r.st.Data, r.Data.Train.Stats
	if r.st.Validated {
		p.Data.Validation = &r.Data.Valid.Stats
	}
	st := &r.st
	p.Recipe, p.Parameters, p.Init, p.Extended = st.Recipe, r.adapters.Parameters(), st.Init, st.Extended
	p.Share = r.share
	if r.begin != nil {
		p.Adapter = &rundir.Begun{Dir: r.begin.dir, Files: st.Adapter}
	}
	p.Summary = rundir.Summary{
		Steps: st.Step, BestStep: st.BestStep, Validated: st.Validated, Losses: st.Losses, TrainLoss: st.Logged,
		StoppedEarly: st.stopped(r.c.EarlyStopping), Tokens: st.Tokens, Seconds: st.Seconds,
		AllocatedBytes: r.Plan.AllocatedBytes, Answers: r.answers,
	}
	return p
}
