package train

import (
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/train/optim"
	"example.com/finetune/train/recipe"
)

// curveBound is the spec's: PyTorch's own float32 is within 1e-6 relative of the
// float64 curves.
const curveBound = 1e-5

// TestCurvesMatchPyTorch takes the ten steps of golden.py's train: two sequences a
// step, warm-up of three, clip 1, weight decay 0.01.
func TestCurvesMatchPyTorch(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		for name, want := range c.Train.Runs {
			s := recipe.Default()
			s.Optimizer = recipe.Optimizer(optim.AdamW.Name)
			if name == "loraone-preconditioned" {
				s.Optimizer = recipe.Optimizer(optim.ScaledAdamW.Name)
			}
			s.LearningRate, s.WarmupSteps, s.MaxGradNorm, s.WeightDecay, s.PreconditionReg = c.Train.LR, c.Train.Warmup, c.Train.Clip, c.Train.WD, c.Train.Lam
			t.Run(name, func(t *testing.T) { followCurve(t, c, name != "lora", s, want) })
		}
		p := c.Preconditioned
		s := recipe.Default()
		s.Optimizer = recipe.Optimizer(optim.PreconditionedAdamW.Name)
		s.LearningRate, s.WarmupSteps, s.MaxGradNorm, s.WeightDecay = p.Rate, p.Warmup, p.Clip, p.WD
		t.Run(optim.PreconditionedAdamW.Name, func(t *testing.T) { followCurve(t, c, true, s, p.Curve) })
	})
}

// followCurve trains as a golden run did, from the spectral start or LoRA's.
func followCurve(t *testing.T, c *golden.Case, spectral bool, s recipe.Config, want golden.Curve) {
	p := simd.NewPool(2)
	defer p.Close()
	e := model.NewEngine(c.Load(t), p)
	a := startCurve(t, c, spectral, e)
	o, err := newUpdater(&s.Recipe, len(want.Loss), a, p)
	if err != nil {
		t.Fatal(err)
	}
	for step := range want.Loss {
		a.ZeroGrad()
		loss := add(e.LossBackward(c.Seqs(2*step, 2*step+2), nil))
		norm, rate, err := o.step(step, loss.Targets)
		if err != nil {
			t.Fatal(err)
		}
		golden.Near(t, "loss", loss.Sum/float64(loss.Targets), want.Loss[step], curveBound)
		golden.Near(t, "grad_norm", norm, want.GradNorm[step], curveBound)
		golden.Near(t, "lr", rate, want.LR[step], 1e-12)
	}
	after := add(e.Loss(c.Seqs(0, len(c.Sequences))))
	golden.Near(t, "loss after", after.Sum/float64(after.Targets), want.LossAfter, curveBound)
}

// startCurve returns the adapters of a run, attached: A as given and B zero, or the
// spectral start.
func startCurve(t *testing.T, c *golden.Case, spectral bool, e *model.Engine) *loraone.Adapters {
	t.Helper()
	method := loraone.LoRA
	if spectral {
		method = loraone.LoRAOne
	}
	config := loraone.Config{Method: method, R: c.Rank, Alpha: c.Alpha, TargetModules: c.Targets}
	a, _, err := loraone.Start(t.Context(), e, config, c.Seqs(0, c.InitSamples), loraone.StartOptions{Gamma: c.Gamma, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !spectral {
		for _, m := range a.Modules {
			values, _ := c.Tensor(t, "given."+m.At().Name+".lora_A")
			copy(m.(*loraone.Layer).A, values)
			m.Sync()
		}
	}
	a.Attach(e)
	return a
}

func add(losses []model.Loss) (sum model.Loss) {
	for _, l := range losses {
		sum.Sum += l.Sum
		sum.Targets += l.Targets
	}
	return sum
}
