package train

import (
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// curveBound is the spec's: PyTorch's own float32 is within 1e-6 relative of the
// float64 curves.
const curveBound = 1e-5

// TestCurvesMatchPyTorch takes the ten steps of golden.py's train: two sequences a
// step, warm-up of three, clip 1, weight decay 0.01.
func TestCurvesMatchPyTorch(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		for name, want := range c.Train.Runs {
			s := Default()
			s.Optimizer = plainAdamW
			if name == "loraone-preconditioned" {
				s.Optimizer = scaledAdamW
			}
			s.LearningRate, s.WarmupSteps, s.MaxGradNorm, s.WeightDecay, s.PreconditionReg = c.Train.LR, c.Train.Warmup, c.Train.Clip, c.Train.WD, c.Train.Lam
			t.Run(name, func(t *testing.T) { followCurve(t, c, name != "lora", s, want) })
		}
		p := c.Preconditioned
		s := Default()
		s.Optimizer = preconditionedAdamW
		s.LearningRate, s.WarmupSteps, s.MaxGradNorm, s.WeightDecay = p.Rate, p.Warmup, p.Clip, p.WD
		t.Run(preconditionedAdamW, func(t *testing.T) { followCurve(t, c, true, s, p.Curve) })
	})
}

// followCurve trains as a golden run did, from the spectral start or LoRA's.
func followCurve(t *testing.T, c *golden.Case, spectral bool, s Config, want golden.Curve) {
	p := simd.NewPool(2)
	defer p.Close()
	m := c.Load(t)
	a, err := loraone.Attach(m, loraone.Config{R: c.Rank, Alpha: c.Alpha, TargetModules: c.Targets})
	if err != nil {
		t.Fatal(err)
	}
	e := model.NewEngine(m, p)
	startCurve(t, c, spectral, e, a)
	o := newOptimizer(&s, len(want.Loss), a.Layers, p)
	for step := range want.Loss {
		for _, l := range a.Layers {
			l.ZeroGrad()
		}
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

// startCurve gives the adapters the start of a run: A as given and B zero, or the
// spectral one.
func startCurve(t *testing.T, c *golden.Case, spectral bool, e *model.Engine, a *loraone.Adapters) {
	t.Helper()
	if spectral {
		if _, err := a.StartSpectral(t.Context(), e, c.Seqs(0, c.InitSamples), loraone.StartOptions{Gamma: c.Gamma, Seed: 1}); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, l := range a.Layers {
		values, _ := c.Tensor(t, "given."+l.Name+".lora_A")
		copy(l.A, values)
		l.Sync()
	}
}

func add(losses []model.Loss) (sum model.Loss) {
	for _, l := range losses {
		sum.Sum += l.Sum
		sum.Targets += l.Targets
	}
	return sum
}
