package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/loraone"
	"example.com/finetune/simd"
)

// begin brings the run to its first step, from a checkpoint or from nothing.
func (r *run) begin(ctx context.Context) error {
	if err := r.hashBase(); err != nil {
		return err
	}
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
	r.s.Report(Planned{Plan: r.s.Plan, MappedBytes: r.s.Model.MappedBytes(), ResumedFrom: path})
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
	if err := sameInputs(path, st, &r.st); err != nil {
		return err
	}
	best, err := loadTensors(path, r.opt, st.Evaluated >= 0)
	if err != nil {
		return err
	}
	r.st, r.best = *st, best
	r.started = r.started.Add(-time.Duration(st.Seconds * float64(time.Second)))
	if _, err := keepAdapter(r.c.OutputDir); err != nil {
		return err
	}
	dir := r.path(checkpointsDir)
	if err := settle(dir, path, st.Step); err != nil {
		return err
	}
	if err := prune(dir, r.c.SaveTotalLimit); err != nil { // what an interruption has left
		return err
	}
	if ownCheckpoint(r.c.OutputDir, path) {
		r.last = filepath.Join(dir, stepName(st.Step))
	}
	if err := r.writeSettings(settingsFile); err != nil {
		return err
	}
	if err := removeFrom(r.c.OutputDir, beginningFile); err != nil {
		return err
	}
	return r.openMetrics()
}

// fresh starts the adapters and evaluates the model before and after.
func (r *run) fresh(ctx context.Context) error {
	if err := r.clear(); err != nil {
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
	indices := r.batches.initial(r.s.Plan.InitSamples)
	r.engine.SetCompute(simd.ComputeF32) // the one gradient, whatever compute says
	defer r.engine.SetCompute(r.c.compute())
	seqs, err := r.s.Data.Train.Sequences(indices)
	if err != nil {
		return err
	}
	report, err := r.adapters.StartSpectral(ctx, r.engine, seqs, loraone.StartOptions{
		Gamma: r.c.InitGamma, Seed: r.c.Seed, FormedBytes: r.s.Plan.FormedBytes,
		Progress: func(done, total int) { r.s.Report(InitProgress{done, total}) },
	})
	var bad *loraone.NonFiniteError
	if errors.As(err, &bad) {
		return r.nonFinite(0, err, indices[bad.Sequence:bad.Sequence+1])
	}
	if err != nil {
		return r.early(err)
	}
	if err := r.unchanged(); err != nil {
		return err
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

// clear makes the folder that of a new run. The settings take it over in one step,
// whatever of the run before is still there.
func (r *run) clear() error {
	if err := r.writeSettings(beginningFile); err != nil {
		return err
	}
	kept, err := keepAdapter(r.c.OutputDir)
	if err != nil {
		return err
	}
	if err := clearOutput(r.c.OutputDir, kept); err != nil {
		return err
	}
	if err := os.Rename(r.path(beginningFile), r.path(settingsFile)); err != nil {
		return err
	}
	return r.openMetrics()
}

func (r *run) writeSettings(name string) error {
	text, err := r.c.YAML()
	if err != nil {
		return err
	}
	return files.Write(r.path(name), text)
}

// openMetrics goes on with metrics.jsonl where the state is.
func (r *run) openMetrics() error {
	m, short, err := openMetrics(r.path(metricsFile), r.st.Metrics)
	if err != nil {
		return err
	}
	if short {
		r.s.Report(Warning{"metrics.jsonl is shorter than the checkpoint says: lines are missing"})
	}
	r.metrics = m
	return files.SyncDir(r.c.OutputDir)
}
