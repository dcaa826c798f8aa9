package loraone_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// PyTorch's own float32 is within 7e-6 (gradients) and 8e-6 (s·B₀A₀) of the
// float64 numbers, relative to the largest value of a tensor.
const gradientBound = 2e-5

func newEngine(t *testing.T, c *golden.Case) *model.Engine {
	t.Helper()
	p := simd.NewPool(2)
	t.Cleanup(p.Close)
	return model.NewEngine(c.Load(t), p)
}

func config(c *golden.Case) loraone.Config {
	return loraone.Config{Method: loraone.LoRAOne, R: c.Rank, Alpha: c.Alpha, TargetModules: c.Targets}
}

// transpose returns xᵀ for x (rows×cols).
func transpose(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	simd.Transpose(simd.Dense(y, cols, rows), simd.Dense(x, rows, cols))
	return y
}

// delta returns the first rows of Scale·B·A.
func delta(l *loraone.Layer, rows int) []float32 {
	d := simd.Dense(make([]float32, rows*l.In), rows, l.In)
	simd.Mul(d, simd.Dense(l.Bt, l.R, l.Out).T().Slice(0, rows), simd.Dense(l.A, l.R, l.In))
	simd.Scale(d.Data, l.Scale)
	return d.Data
}

func TestAdapterGradientsMatchPEFT(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e := newEngine(t, c)
		a, err := loraone.New(e.Model().Config, config(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Modules) != len(c.Modules()) {
			t.Fatalf("%d modules, want %d", len(a.Modules), len(c.Modules()))
		}
		a.Attach(e)
		for _, m := range a.Modules {
			l := m.(*loraone.Layer)
			A, _ := c.Tensor(t, "given."+l.Name+".lora_A")
			B, _ := c.Tensor(t, "given."+l.Name+".lora_B")
			copy(l.A, A)
			copy(l.Bt, transpose(B, l.Out, l.R))
			l.Sync()
		}
		var sum, n float64
		for _, l := range e.LossBackward(c.Seqs(0, c.InitSamples), nil) {
			sum, n = sum+l.Sum, n+float64(l.Targets)
		}
		golden.Near(t, "loss", sum/n, c.GivenLoss, 1e-5)
		for _, m := range a.Modules {
			l := m.(*loraone.Layer)
			simd.Scale(l.DA, float32(1/n))
			simd.Scale(l.DBt, float32(1/n))
			dA, _ := c.Tensor(t, "given."+l.Name+".dA")
			dB, _ := c.Tensor(t, "given."+l.Name+".dB")
			golden.Close(t, l.Name+".dA", l.DA, dA, gradientBound)
			golden.Close(t, l.Name+".dB", l.DBt, transpose(dB, l.Out, l.R), gradientBound)
		}
	})
}

// Rows that share their beginnings have the losses and add up the gradients that PyTorch has
// for each of them alone, with all that is shared in one micro-batch and held over many.
func TestSharedRowsMatchPEFT(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e, seqs := newEngine(t, c), c.SharedSeqs()
		tokens := 0
		for _, s := range seqs {
			tokens += len(s.IDs)
		}
		if computed, longest := e.Model().Config.SharedTokens(seqs); longest == 0 || computed >= tokens {
			t.Fatalf("%d of %d tokens are computed: the rows do not share", computed, tokens)
		}
		a, err := loraone.New(e.Model().Config, loraone.Config{
			Method: loraone.LoRA, R: c.Shared.Rank, Alpha: c.Shared.Alpha, TargetModules: []string{"all-linear"},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Attach(e)
		for _, m := range a.Modules {
			l := m.(*loraone.Layer)
			A, _ := c.SharedTensor(t, l.Name+".lora_A")
			B, _ := c.SharedTensor(t, l.Name+".lora_B")
			copy(l.A, A)
			copy(l.Bt, transpose(B, l.Out, l.R))
			l.Sync()
		}
		for _, tokens := range []int{4096, 40, 1} {
			e.Layout.MicroBatch = tokens
			for i, l := range e.LossBackward(seqs, c.Shared.Weights) {
				golden.Near(t, fmt.Sprintf("loss %d", i), l.Sum, c.Shared.LossSums[i], 1e-5)
			}
			for _, m := range a.Modules {
				l := m.(*loraone.Layer)
				dA, _ := c.SharedTensor(t, l.Name+".dA")
				dB, _ := c.SharedTensor(t, l.Name+".dB")
				golden.Close(t, l.Name+".dA", l.DA, dA, gradientBound)
				golden.Close(t, l.Name+".dB", l.DBt, transpose(dB, l.Out, l.R), gradientBound)
				clear(l.DA)
				clear(l.DBt)
			}
		}
	})
}

func TestStartMatchesPyTorch(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		a, report, err := loraone.Start(t.Context(), newEngine(t, c), config(c), c.Seqs(0, c.InitSamples), loraone.StartOptions{Gamma: c.Gamma, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, module := range a.Modules {
			l := module.(*loraone.Layer)
			m, want := report.Modules[i], c.Init[l.Name]
			golden.Near(t, l.Name+": norm", m.Norm, want.Frobenius, gradientBound)
			for k, s := range want.SingularValues {
				golden.Near(t, l.Name+": singular values", m.SingularValues[k]+want.SingularValues[0], s+want.SingularValues[0], gradientBound)
			}
			d, rows := c.Tensor(t, "init."+l.Name+".delta")
			golden.Close(t, l.Name+": s·B₀A₀", delta(l, rows), d, gradientBound)
			if m.Spectral != l.R || !strings.HasPrefix(l.Name, "model.layers.") {
				t.Errorf("%s: %d of %d pairs from the gradient", l.Name, m.Spectral, l.R)
			}
		}
	})
}
