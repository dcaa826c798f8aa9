package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/finetune/loraone"
	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/simd"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// prepare brings the run to its first step, from a checkpoint or from nothing.
func (r *run) prepare(ctx context.Context, found *Found) error {
	if err := r.hashBase(); err != nil {
		return err
	}
	var st *state
	path, skipped, err := rundir.Newest(found.checkpoints, func(path string) (err error) {
		st, err = readState(path)
		return err
	})
	if err != nil {
		return err
	}
	for _, err := range skipped {
		r.Report(Warning{fmt.Sprintf("skipped: %v", err)})
	}
	if err := r.hashAdapter(); err != nil {
		return err
	}
	if longest, made := r.Data.Train.Stats.Longest, r.Model.Config.MaxPositionEmbeddings; longest > made {
		r.Report(Warning{fmt.Sprintf("the longest row has %d tokens; the model was made for %d (max_position_embeddings): a lower max_length cuts it", longest, made)})
	}
	if n := len(r.speech.samples); n < r.speech.wanted {
		r.Report(Warning{fmt.Sprintf("sample_prompts: %d of %d are answered, and %d at most", n, r.speech.wanted, mostSamples)})
	}
	r.Report(Planned{Plan: r.Plan, MappedBytes: r.Model.MappedBytes(), ResumedFrom: path})
	r.started, r.saved.at = r.now(), r.now()
	if path != "" {
		return r.restore(path, st)
	}
	return r.fresh(ctx)
}

// openEvents begins TensorBoard's events, where they are asked for.
func (r *run) openEvents() error {
	if r.c.ReportTo != recipe.TensorBoard {
		return nil
	}
	return r.dir.TensorBoard(r.started)
}

// restore takes over a checkpoint.
func (r *run) restore(path string, st *state) error {
	if st.extend(&r.st) {
		r.Report(Extended{Step: st.Step, Steps: st.Total})
	}
	if err := r.c.Resumes(&st.Recipe); err != nil {
		return err
	}
	if err := sameInputs(path, st, &r.st); err != nil {
		return err
	}
	adapters, err := loraone.New(r.Model.Config, r.lora, st.Ranks)
	if err != nil {
		return fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	if err := r.adopt(adapters); err != nil {
		return err
	}
	best, err := loadTensors(path, r.updater, st.Evaluated >= 0)
	if err != nil {
		return err
	}
	r.st, r.best = *st, best
	r.started = r.started.Add(-time.Duration(st.Seconds * float64(time.Second)))
	settings, err := r.c.YAML()
	if err != nil {
		return err
	}
	own, short, err := r.dir.Resume(path, st.Step, r.c.SaveTotalLimit, st.Metrics, settings)
	if err != nil {
		return err
	}
	if short {
		r.Report(Warning{"metrics.jsonl is shorter than the checkpoint says: lines are missing"})
	}
	r.saved.path, r.saved.revision = own, r.st.revision
	return r.openEvents()
}

// adopt makes adapters those of the run.
func (r *run) adopt(a *loraone.Adapters) (err error) {
	a.Attach(r.engine)
	r.adapters = a
	r.updater, err = newUpdater(&r.c.Recipe, r.batches.total, a, r.Pool)
	return err
}

// hashAdapter puts the hashes of the adapter that the run begins from into the state, and
// warns where it is another base's.
func (r *run) hashAdapter() (err error) {
	if r.begin == nil {
		return nil
	}
	if r.st.Adapter, err = rundir.Hash(r.begin.files, r.Pool); err != nil {
		return err
	}
	for _, file := range r.st.Base {
		if other := r.begin.origin.OtherBase(r.begin.dir, r.Base.Label(), file); other != "" {
			r.Report(Warning{other})
			break
		}
	}
	return nil
}

// fresh evaluates the base and starts the adapters.
func (r *run) fresh(ctx context.Context) error {
	settings, err := r.c.YAML()
	if err != nil {
		return err
	}
	if err := r.dir.Begin(settings); err != nil {
		return err
	}
	if err := r.openEvents(); err != nil {
		return err
	}
	if r.st.Validated {
		if r.st.Losses.Base, r.st.BestRows, err = r.evalLoss(ctx); err != nil {
			return err
		}
	}
	adapters, err := r.start(ctx)
	if err != nil {
		return err
	}
	return r.adopt(adapters)
}

// start returns adapters at the beginning of their training: where a finished one is, or
// where the method puts them.
func (r *run) start(ctx context.Context) (*loraone.Adapters, error) {
	if r.begin != nil {
		adapters, err := loraone.Continue(r.lora, r.begin.adapters, r.c.Seed)
		if err == nil {
			r.st.Ranks = adapters.Ranks()
		}
		return adapters, err
	}
	indices := r.batches.initial(r.Plan.InitSamples)
	r.engine.SetCompute(simd.ComputeF32) // the initial gradient, whatever compute says
	defer r.engine.SetCompute(simd.Compute(r.c.Compute))
	seqs, err := r.Data.Train.Sequences(indices)
	if err != nil {
		return nil, err
	}
	adapters, report, err := loraone.Start(ctx, r.engine, r.lora, seqs, loraone.StartOptions{
		Gamma: r.c.InitGamma, FirstRate: newSchedule(&r.c.Recipe, r.batches.total).at(0), Seed: r.c.Seed, MaterialisedBytes: r.Plan.MaterialisedBytes,
		Progress: func(done, total int) { r.Report(InitProgress{done, total}) },
	})
	var bad *spectrum.NonFiniteError
	if errors.As(err, &bad) {
		return nil, r.nonFinite(0, err, indices[bad.Sequence:bad.Sequence+1])
	}
	if err != nil {
		return nil, err
	}
	if err := r.unchanged(); err != nil {
		return nil, err
	}
	r.st.Init, r.st.Ranks = report, adapters.Ranks()
	r.warnOfStart(report)
	if ranks := adapters.Ranks(); ranks != nil {
		r.Report(Ranked{Least: slices.Min(ranks), Most: slices.Max(ranks), Parameters: adapters.Parameters()})
	}
	return adapters, nil
}

// warnOfStart names the modules that no gradient reaches, and says where the start was
// halved.
func (r *run) warnOfStart(report *loraone.StartReport) {
	if report == nil {
		return
	}
	for _, m := range report.Modules {
		if m.Norm == 0 {
			r.Report(Warning{fmt.Sprintf("no gradient reaches %s: its start changes nothing", m.Name)})
		}
	}
	if n := report.Halvings; n > 0 {
		r.Report(Warning{fmt.Sprintf("the start made the loss of its rows higher than the base's, %.4f, and was halved %s: it is %.4f now", report.BaseLoss, times(n), report.StartLoss)})
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
