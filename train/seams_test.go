package train

import (
	"math"
	"path/filepath"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// TestSeams trains every method as it is where settings say nothing, the one of these
// tests (rows_test.go) among them, and some with an optimizer of these tests
// (momentum_test.go): through plan, start, steps, checkpoints, resuming and
// the file that PEFT reads.
func TestSeams(t *testing.T) {
	type run struct {
		init      recipe.Init
		optimizer recipe.Optimizer
		rate      float64
	}
	runs := []run{{"loraone", "momentum", 0.1}, {"pissa", "momentum", 0.02}, {"lorasb", "momentum", 0.5}}
	for _, m := range loraone.Methods {
		runs = append(runs, run{init: recipe.Init(m.Name), optimizer: recipe.ByMethod})
	}
	for _, v := range runs {
		t.Run(string(v.init)+" "+string(v.optimizer), func(t *testing.T) {
			t.Parallel()
			o, dir := newOffice(t), t.TempDir()
			config := func(name string) recipe.Config {
				c := o.config(filepath.Join(dir, name))
				c.Init, c.Optimizer, c.LearningRate, c.NumTrainEpochs = v.init, v.optimizer, v.rate, 1
				c.TargetModules = recipe.Names{"q_proj", "v_proj", "down_proj"}
				return c
			}
			whole := config("whole")
			s, ranked := o.session(t, whole), 0
			s.Report = func(e any) {
				if e, ok := e.(Ranked); ok {
					ranked = e.Parameters
				}
			}
			result := finishing(t, s, Finished)
			if !(result.Best < result.Start) {
				t.Errorf("the validation loss went from %g to %g", result.Start, result.Best)
			}
			moves := v.init.Method().Halve != nil
			if !moves && math.Abs(result.Start-result.Base) > 1e-5*result.Base {
				t.Errorf("a start that adds nothing moves the loss from %g to %g", result.Base, result.Start)
			}
			if moves && result.Start == result.Base {
				t.Errorf("a start that moves the model leaves the loss at %g", result.Base)
			}
			resumed := config("resumed")
			o.interrupt(t, resumed, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 5 })
			resumed.Resume = true
			o.run(t, resumed)
			for _, name := range []string{"adapter_model.safetensors", "adapter_config.json", "metrics.jsonl"} {
				sameFile(t, "resumed", whole.OutputDir, resumed.OutputDir, name)
			}
			checkRanks(t, whole, o, ranked)
		})
	}
}

// checkRanks wants every module of the adapter's file, all of one rank. ranked is how many
// parameters the run has said that the ranks make, 0 for nothing said.
func checkRanks(t *testing.T, c recipe.Config, o *office, ranked int) {
	t.Helper()
	config, err := peft.ReadConfig(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := peft.Load(c.OutputDir, o.session(t, c).Model.Config)
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Ranks)+len(config.Alphas) > 0 || len(a.Modules) != 6 {
		t.Errorf("%d modules, rank_pattern %v, alpha_pattern %v", len(a.Modules), config.Ranks, config.Alphas)
	}
	p, err := rundir.ReadProvenance(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	want, parameters := c.LoraR, 0
	switch c.Init {
	case "pissa", "olora", "loraga":
		want = 2 * c.LoraR // with the start that is subtracted
	case "gora":
		parameters = p.Parameters
		if want = config.R; want <= c.LoraR {
			t.Errorf("the largest rank is %d, want more than %d", want, c.LoraR)
		}
	}
	if c.Init == "adarankgrad" != (p.Share > 0 && p.Share < 1) {
		t.Errorf("the file holds a share of %v", p.Share)
	}
	if ranked != parameters {
		t.Errorf("said that %d parameters are trained, want %d", ranked, parameters)
	}
	if config.R != want {
		t.Errorf("the file's rank is %d, want %d", config.R, want)
	}
}

// An optimizer that cannot update what a method trains says so before a file is opened.
func TestOptimizerThatNeedsPairs(t *testing.T) {
	c := recipe.Default()
	c.Model, c.Data, c.Init, c.Optimizer = "m", "d", "lorasb", "preconditioned-adamw"
	_, err := c.Resolve()
	expect(t, "no pairs", err, "init lorasb trains other arrays than the two factors of B·A, which preconditioned-adamw needs", "--optimizer adamw trains anything")
	c.Init = "loraplus"
	_, err = c.Resolve()
	expect(t, "rates by group", err, "preconditioned-adamw sets the size of both factors' steps itself: learning rates by group are for adamw", "--optimizer adamw trains anything")
}
