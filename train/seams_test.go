package train

import (
	"math"
	"path/filepath"
	"testing"

	"example.com/finetune/loraone/peft"
)

// TestSeams trains with methods and an optimizer of this package's tests, each a file and
// a row: through plan, start, steps, checkpoints, resuming and the file that PEFT reads.
func TestSeams(t *testing.T) {
	for _, v := range []struct {
		init, optimizer string
		rate            float64
		rank            int // of the file's first module: v_proj of the first layer
	}{
		{"pissa", "momentum", 0.02, 8},
		{"pissa", "preconditioned-adamw", 0, 8},
		{"loraone", "momentum", 0.1, 4},
		{"inner", "momentum", 0.5, 0},
		{"inner", "adamw", 1e-3, 0},
	} {
		t.Run(v.init+" "+v.optimizer, func(t *testing.T) {
			t.Parallel()
			o, dir := newOffice(t), t.TempDir()
			config := func(name string) Config {
				c := o.config(filepath.Join(dir, name))
				c.Init, c.Optimizer, c.LearningRate, c.NumTrainEpochs = v.init, v.optimizer, v.rate, 1
				return c
			}
			whole := config("whole")
			result := o.run(t, whole)
			if !(result.BestLoss < result.StartLoss) {
				t.Errorf("the validation loss went from %g to %g", result.StartLoss, result.BestLoss)
			}
			if v.init == "pissa" && math.Abs(result.StartLoss-result.BaseLoss) > 1e-4*result.BaseLoss {
				t.Errorf("a start that is subtracted moves the loss from %g to %g", result.BaseLoss, result.StartLoss)
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
	c := Default()
	c.Model, c.Data, c.Init = "m", "d", "inner"
	expect(t, "no pairs", c.Validate(), "init inner trains other arrays than the two factors of B·A, which preconditioned-adamw needs", "--optimizer adamw trains anything", true)
}
