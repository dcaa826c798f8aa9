package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
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
	if longest, made := r.Data.Train.Stats.Longest, r.Model.Config.MaxPositionEmbeddings; longest > made {
		r.Report(Warning{fmt.Sprintf("the longest row has %d tokens; the model was made for %d (max_position_embeddings): a lower max_length cuts it", longest, made)})
	}
	r.Report(Planned{Plan: r.Plan, MappedBytes: r.Model.MappedBytes(), ResumedFrom: path})
	r.started, r.saved.at = r.now(), r.now()
	if path != "" {
		return r.restore(path, st)
	}
	return r.fresh(ctx)
}

// restore takes over a checkpoint.
func (r *run) restore(path string, st *state) error {
	if err := r.c.Resumes(&st.Recipe); err != nil {
		return err
	}
	if err := sameInputs(path, st, &r.st); err != nil {
		return err
	}
	best, err := loadTensors(path, r.opt, st.Evaluated >= 0)
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
	return nil
}

// fresh starts the adapters and evaluates the model before and after.
func (r *run) fresh(ctx context.Context) error {
	settings, err := r.c.YAML()
	if err != nil {
		return err
	}
	if err := r.dir.Begin(settings); err != nil {
		return err
	}
	if r.st.Validated {
		r.adapters.Detach()
		r.st.Losses.Base, err = r.evalLoss(ctx)
		r.adapters.Reattach()
		if err != nil {
			return err
		}
	}
	if !r.c.Init.NeedsGradient() {
		r.adapters.StartLoRA(r.c.Seed)
		return nil
	}
	return r.startFromGradient(ctx)
}

// startFromGradient starts the adapters from the initial gradient, which is computed in
// float32 whatever compute says.
func (r *run) startFromGradient(ctx context.Context) error {
	indices := r.batches.initial(r.Plan.InitSamples)
	r.engine.SetCompute(simd.ComputeF32)
	defer r.engine.SetCompute(simd.Compute(r.c.Compute))
	seqs, err := r.Data.Train.Sequences(indices)
	if err != nil {
		return err
	}
	report, err := r.adapters.StartSpectral(ctx, r.engine, seqs, loraone.StartOptions{
		Gamma: r.c.InitGamma, Seed: r.c.Seed, FormedBytes: r.Plan.FormedBytes,
		Progress: func(done, total int) { r.Report(InitProgress{done, total}) },
	})
	var bad *loraone.NonFiniteError
	if errors.As(err, &bad) {
		return r.nonFinite(0, err, indices[bad.Sequence:bad.Sequence+1])
	}
	if err != nil {
		return err
	}
	if err := r.unchanged(); err != nil {
		return err
	}
	r.st.Init = report
	for _, m := range report.Modules {
		if m.Norm == 0 {
			r.Report(Warning{fmt.Sprintf("no gradient reaches %s: it gets the ordinary LoRA start", m.Name)})
		}
	}
	return nil
}
