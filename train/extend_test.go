package train

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// TestFinishedRunIsGivenMore: it continues at the new length's rate, keeps the best so far
// until it is beaten and the adapter until the new one is there, and has the same bits
// wherever it is interrupted.
func TestFinishedRunIsGivenMore(t *testing.T) {
	t.Parallel()
	o, dir := newOffice(t), t.TempDir()
	short := func(name string) recipe.Config {
		c := o.config(filepath.Join(dir, name))
		c.NumTrainEpochs = 1
		return c
	}
	c := short("whole")
	first := o.run(t, c)
	c.Resume = true
	for _, epochs := range []float64{1, 0.5} {
		c.NumTrainEpochs = epochs
		if again := finishing(t, o.session(t, c), Already); again.Steps != 7 {
			t.Errorf("%g epochs: %d steps", epochs, again.Steps)
		}
	}
	c.NumTrainEpochs = 3
	told := Extended{}
	s := o.session(t, c)
	s.Report = func(e any) {
		if x, ok := e.(Extended); ok {
			told = x
		}
	}
	result := finishing(t, s, Finished)
	if result.Steps != 21 || told != (Extended{Step: 7, Steps: 21}) || result.Base != first.Base || result.Start != first.Start || result.Best > first.Best {
		t.Errorf("%+v, told %+v; before %+v", result, told, first)
	}
	lines, err := rundir.ReadMetrics(filepath.Join(c.OutputDir, rundir.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		total := 7
		if l.Step > 7 {
			total = 21
		}
		if want := newSchedule(&resolved(t, c).Recipe, total).at(l.Step - 1); l.LearningRate != nil && *l.LearningRate != want {
			t.Errorf("step %d: rate %g, want %g", l.Step, *l.LearningRate, want)
		}
	}
	if p, err := rundir.ReadProvenance(c.OutputDir); err != nil || !slices.Equal(p.Extended, []int{7}) || p.Recipe.NumTrainEpochs != 3 {
		t.Errorf("finetune.json: %+v, %v", p, err)
	}

	for name, when := range map[string]func(any) bool{
		"at once":     func(e any) bool { _, ok := e.(Planned); return ok },
		"at step 8":   func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 8 },
		"at step 13":  func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 13 },
		"at the last": func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 21 },
	} {
		c := short(name)
		o.run(t, c)
		adapter := snapshot(t, c.OutputDir)[rundir.AdapterWeights]
		c.Resume, c.NumTrainEpochs = true, 3
		o.stop(t, c, when)
		sameText(t, name+": the adapter meanwhile", adapter, snapshot(t, c.OutputDir)[rundir.AdapterWeights])
		o.run(t, c)
		for _, file := range []string{rundir.AdapterWeights, rundir.MetricsFile, rundir.PlotFile} {
			sameFile(t, name, filepath.Join(dir, "whole"), c.OutputDir, file)
		}
	}
}

// TestBestStaysUntilItIsBeaten: more steps at a rate that ruins the adapter leave it as it
// was.
func TestBestStaysUntilItIsBeaten(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	put(t, filepath.Join(o.data, "valid.jsonl"), `{"prompt": "ab", "completion": "QZJ"}`+"\n") // what is learned is no help
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.LearningRate, c.LRSchedulerType, c.MaxSteps, c.EvalSteps = 0.02, "constant", 10, 1
	first := o.run(t, c)
	adapter := snapshot(t, c.OutputDir)[rundir.AdapterWeights]
	c.Resume, c.MaxSteps = true, 14
	result := o.run(t, c)
	if result.Steps != 14 || result.BestStep != first.BestStep || result.Best != first.Best || !(result.Last > result.Best) || math.IsNaN(result.Last) {
		t.Fatalf("%+v, before %+v", result, first)
	}
	sameText(t, "the best adapter", adapter, snapshot(t, c.OutputDir)[rundir.AdapterWeights])
}

// TestEarlyStoppedRunIsGivenMore: it counts evaluations without improvement anew.
func TestEarlyStoppedRunIsGivenMore(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	put(t, filepath.Join(o.data, "valid.jsonl"), `{"prompt": "ab", "completion": "QZJ"}`+"\n")
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.LearningRate, c.LRSchedulerType, c.MaxSteps, c.EvalSteps, c.EarlyStopping = 0.02, "constant", 60, 1, 4
	first := o.run(t, c)
	if !first.StoppedEarly {
		t.Fatalf("%+v", first)
	}
	c.Resume = true
	if again := finishing(t, o.session(t, c), Already); again.Steps != first.Steps {
		t.Errorf("%+v", again)
	}
	c.MaxSteps = 61
	if more := o.run(t, c); more.Steps < first.Steps+4 {
		t.Errorf("%d steps after %d", more.Steps, first.Steps)
	}
}

// TestNoMoreForOtherRuns: only what ended can be given more, by its own recipe, from the
// checkpoint of its end.
func TestNoMoreForOtherRuns(t *testing.T) {
	t.Parallel()
	o, dir := newOffice(t), t.TempDir()
	c := o.config(filepath.Join(dir, "unfinished"))
	o.interrupt(t, c, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 5 })
	c.Resume, c.NumTrainEpochs = true, 3
	expect(t, "unfinished", o.fails(t, c), "num_train_epochs was 2 when this run started and is 3 now", "resume with --num-train-epochs 2, or begin again with --overwrite")

	c = o.config(filepath.Join(dir, "finished"))
	o.run(t, c)
	c.Resume, c.NumTrainEpochs, c.Seed = true, 3, 7
	_, err := look(t, c)
	expect(t, "another seed", err, "seed was 42 when this run started and is 7 now", "resume with --seed 42, or begin again with --overwrite")
	c.Seed = 42
	checkpoints := filepath.Join(c.OutputDir, rundir.CheckpointsDir)
	if err := flip(filepath.Join(checkpoints, "step-000014", "state.json")); err != nil {
		t.Fatal(err)
	}
	advice := "--adapter " + c.OutputDir + " --output-dir " + c.OutputDir + "-2 trains its adapter on, with fresh optimizer state"
	_, err = look(t, c)
	expect(t, "damaged", err, "giving a finished run more steps takes the checkpoint of its last one, 14: checkpoint: ", advice)
	if err := os.RemoveAll(checkpoints); err != nil {
		t.Fatal(err)
	}
	_, err = look(t, c)
	expect(t, "gone", err, "giving a finished run more steps takes the checkpoint of its last one, 14: it is not there", advice)

	from := o.config(filepath.Join(dir, "from"))
	o.run(t, from)
	copied := o.config(filepath.Join(dir, "copied"))
	copied.ResumeFrom, copied.NumTrainEpochs = filepath.Join(from.OutputDir, rundir.CheckpointsDir, "step-000014"), 3
	if result := o.run(t, copied); result.Steps != 21 {
		t.Errorf("from a checkpoint of the end: %+v", result)
	}
	copied.OutputDir, copied.NumTrainEpochs = filepath.Join(dir, "shorter"), 1
	expect(t, "shorter", o.fails(t, copied), "num_train_epochs was 2 when this run started and is 1 now", "resume with --num-train-epochs 2, or begin again with --overwrite")
}
