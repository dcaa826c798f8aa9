package train

import (
	"math"
	"path/filepath"
	"testing"

	"example.com/finetune/loraone/peft"
	"example.com/finetune/train/recipe"
)

// TestSeams trains with methods and an optimizer of this package's tests, each a file and
// a row: through plan, start, steps, checkpoints, resuming and the file that PEFT reads.
func TestSeams(t *testing.T) {
	for _, v := range []struct {
		init      recipe.Init
		optimizer recipe.Optimizer
		rate      float64
		rank      int // of the file's first module: v_proj of the first layer
	}{
		{"pissa", "momentum", 0.02, 8},
		{"pissa", "preconditioned-adamw", 0, 8},
		{"loraone", "momentum", 0.1, 4},
		{"inner", "momentum", 0.5, 0},
		{"inner", "adamw", 1e-3, 0},
	} {
		t.Run(string(v.init)+" "+string(v.optimizer), func(t *testing.T) {
			t.Parallel()
			o, dir := newOffice(t), t.TempDir()
			config := func(name string) recipe.Config {
				c := o.config(filepath.Join(dir, name))
				c.Init, c.Optimizer, c.LearningRate, c.NumTrainEpochs = v.init, v.optimizer, v.rate, 1
				return c
			}
			whole := config("whole")
			result := o.run(t, whole)
			if !(result.Best < result.Start) {
				t.Errorf("the validation loss went from %g to %g", result.Start, result.Best)
			}
			if v.init == "pissa" && math.Abs(result.Start-result.Base) > 1e-4*result.Base {
				t.Errorf("a start that is subtracted moves the loss from %g to %g", result.Base, result.Start)
			}
			resumed := config("resumed")
			o.interrupt(t, resumed, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 5 })
			resumed.Resume = true
			o.run(t, resumed)
			for _, name := range []string{"adapter_model.safetensors", "adapter_config.json", "metrics.jsonl"} {
				sameFile(t, "resumed", whole.OutputDir, resumed.OutputDir, name)
			}
			a, err := peft.Load(whole.OutputDir, o.session(t, whole).Model.Config)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Modules[0].LowRank().R; v.rank != 0 && got != v.rank {
				t.Errorf("the file's rank is %d, want %d", got, v.rank)
			}
			if v.init == "inner" && len(a.Modules) != 3 {
				t.Errorf("%d modules, want 3 of 4", len(a.Modules))
			}
		})
	}
}

// An optimizer that cannot update what a method trains says so before a file is opened.
func TestOptimizerThatNeedsPairs(t *testing.T) {
	c := recipe.Default()
	c.Model, c.Data, c.Init = "m", "d", "inner"
	_, err := c.Resolve()
	expect(t, "no pairs", err, "init inner trains other arrays than the two factors of B·A, which preconditioned-adamw needs", "--optimizer adamw trains anything")
}
