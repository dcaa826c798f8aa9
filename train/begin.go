package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/finetune/loraone"
	"example.com/finetune/model/atomicfile"
)

// begin brings the run to its first step, from a checkpoint or from nothing.
func (r *run) begin(ctx context.Context) error {
	path, st, passed, err := findCheckpoint(r.c)
	if err != nil {
		return err
	}
	for _, err := range passed {
		r.s.Report(Warning{fmt.Sprintf("passed over: %v", err)})
	}
	if r.c.Packing {
		r.s.Report(Warning{"packing has nothing to do: sequences lie end to end without padding anyway"})
	}
	if longest, made := r.s.Data.Train.Stats.Longest, r.s.Model.Config.MaxPositionEmbeddings; longest > made {
		r.s.Report(Warning{fmt.Sprintf("the longest row has %d tokens; the model was made for %d (max_position_embeddings): a lower max_length cuts it", longest, made)})
	}
	r.s.Report(Planned{Plan: r.plan, MappedBytes: r.s.Model.MappedBytes(), ResumedFrom: path})
	r.started, r.saved = r.s.now(), r.s.now()
	if st != nil {
		return r.restore(path, st)
	}
	return r.fresh(ctx)
}

// restore takes over a checkpoint.
func (r *run) restore(path string, st *state) error {
	if err := sameSettings(r.c, st.Settings); err != nil {
		return err
	}
	if !slices.Equal(st.Base, r.st.Base) {
		return hint(fmt.Errorf("the weights in %s are not those that %s was made with", r.s.Model.Dir, path), "--overwrite begins again")
	}
	if st.Data != r.st.Data || st.Total != r.st.Total {
		return hint(fmt.Errorf("the rows are not those that %s was made from", path), "data, map and chat_template must be as they were; --overwrite begins again")
	}
	best, err := loadTensors(path, r.opt, st.Evaluated >= 0)
	if err != nil {
		return err
	}
	r.st, r.best = *st, best
	r.started = r.started.Add(-time.Duration(st.Seconds * float64(time.Second)))
	if err := removeAdapter(r.c.OutputDir); err != nil {
		return err
	}
	return r.open()
}

// fresh starts the adapters and evaluates the model before and after.
func (r *run) fresh(ctx context.Context) error {
	if err := prepareOutput(r.c.OutputDir); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	if r.st.Validated {
		r.adapters.Detach()
		loss, err := r.evalLoss(ctx)
		r.adapters.Reattach()
		if err != nil {
			return r.early(err)
		}
		r.st.BaseLoss = loss
	}
	if r.c.Init == "lora" {
		r.adapters.StartLoRA(r.c.Seed)
		return nil
	}
	indices := r.batches.initial(r.plan.InitSamples)
	report, err := r.adapters.StartSpectral(ctx, r.engine, pick(r.s.Data.Train, indices), loraone.StartOptions{
		Gamma: r.c.InitGamma, Seed: r.c.Seed, MicroBatch: r.s.MicroBatch,
		Progress: func(done, total int) { r.s.Report(InitProgress{done, total}) },
	})
	var bad *loraone.NonFiniteError
	if errors.As(err, &bad) {
		return hint(fmt.Errorf("%v: %w", r.s.Data.Train.Origins[indices[bad.Sequence]], err), "the model's weights or this row are damaged")
	}
	if err != nil {
		return r.early(err)
	}
	r.st.Init = report
	for _, m := range report.Modules {
		if m.Norm == 0 {
			r.s.Report(Warning{fmt.Sprintf("no gradient reaches %s: it gets the ordinary LoRA start", m.Name)})
		}
	}
	return nil
}

// early is an interruption before there is anything to save.
func (r *run) early(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &InterruptedError{}
	}
	return err
}

// open writes run.yaml and goes on with metrics.jsonl.
func (r *run) open() error {
	text, err := r.c.YAML()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(r.path(settingsFile), text); err != nil {
		return err
	}
	m, short, err := openMetrics(r.path(metricsFile), r.st.Metrics)
	if err != nil {
		return err
	}
	if short {
		r.s.Report(Warning{"metrics.jsonl is shorter than the checkpoint says: lines are missing"})
	}
	r.metrics = m
	return nil
}
