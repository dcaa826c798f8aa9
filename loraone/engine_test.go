package loraone

import (
	"slices"
	"sync"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// gradients returns the losses of the case's first eight sequences and the
// gradients of all layers, whose A is the LoRA start and whose B is b everywhere.
func gradients(t *testing.T, c *golden.Case, threads int, layout model.Layout, b float32, targets ...string) ([]model.Loss, map[string][]float32) {
	t.Helper()
	e, a := ordinary(t, c, threads, targets...)
	for _, l := range layers(a) {
		for i := range l.Bt {
			l.Bt[i] = b
		}
	}
	a.Sync()
	e.Layout = layout
	losses := e.LossBackward(c.Seqs(0, 8), nil)
	grads := make(map[string][]float32)
	for _, l := range layers(a) {
		grads[l.Name+".A"], grads[l.Name+".B"] = l.DA, l.DBt
	}
	return losses, grads
}

func TestGradientsAreTheSameForAnyThreadsAndLayout(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		losses, want := gradients(t, c, 1, model.Layout{MicroBatch: 1, Logits: 7}, 0.01, "all-linear")
		for _, v := range []struct {
			threads int
			layout  model.Layout
		}{
			{2, model.Layout{MicroBatch: 64, Logits: 1}},
			{4, model.Layout{MicroBatch: 4096, Logits: 256}},
			{3, model.Layout{MicroBatch: 64, Logits: 32, Recompute: 1}},
			{2, model.Layout{MicroBatch: 64, Logits: 32, Recompute: 2}},
		} {
			l, got := gradients(t, c, v.threads, v.layout, 0.01, "all-linear")
			if !slices.Equal(l, losses) {
				t.Errorf("losses differ with %d threads and %+v", v.threads, v.layout)
			}
			for name := range want {
				if !slices.Equal(got[name], want[name]) {
					t.Errorf("%s differs with %d threads and %+v", name, v.threads, v.layout)
				}
			}
		}
	})
}

// While B is zero, adapters elsewhere change nothing: each target alone sees the
// gradient it sees among all, wherever the backward pass may stop.
func TestEachTargetAloneHasTheSameGradient(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		_, all := gradients(t, c, 2, model.Layout{MicroBatch: 64, Logits: 64}, 0, "all-linear")
		for _, target := range model.Leaves() {
			_, alone := gradients(t, c, 2, model.Layout{MicroBatch: 64, Logits: 64, Recompute: 1}, 0, target)
			for name, g := range alone {
				if !slices.Equal(g, all[name]) {
					t.Errorf("%s alone differs", name)
				}
			}
		}
	})
}

// A run that adapts only upper layers keeps less, and sees the same gradients.
func TestLowestAdaptedBlock(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e, a := ordinary(t, c, 2, "all-linear")
		e.LossBackward(c.Seqs(0, 3), nil)
		last := layers(a)[len(a.Modules)-7:]
		want := slices.Clone(last[0].DBt)
		a.ZeroGrad()
		Of(e.Model().Config, a.Modules[len(a.Modules)-7:]).Attach(e)
		e.LossBackward(c.Seqs(0, 3), nil)
		if !slices.Equal(last[0].DBt, want) {
			t.Errorf("%s: the gradient differs", last[0].Name)
		}
	})
}

func TestZeroBLeavesLogitsAlone(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e, _ := ordinary(t, c, 2, "all-linear")
		ids := c.Sequences[0].IDs
		with := e.Logits(ids)
		e.SetAdapters(nil)
		if !slices.Equal(with.Data, e.Logits(ids).Data) {
			t.Error("logits differ")
		}
	})
}

// Two engines on one mapped model train two adapters at once, each to the bits that it
// gets alone.
func TestTwoEnginesOnOneMap(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		m := c.Load(t)
		train := func(method *Method, seed uint64) [][]float32 {
			p := simd.NewPool(2)
			defer p.Close()
			e := model.NewEngine(m, p)
			e.Layout.MicroBatch = 64
			a, _, err := Start(t.Context(), e, config(c, method, "all-linear"), c.Seqs(0, 8), StartOptions{Gamma: 128, Seed: seed})
			if err != nil {
				t.Error(err)
				return nil
			}
			a.Attach(e)
			for range 3 {
				a.ZeroGrad()
				e.LossBackward(c.Seqs(0, 4), nil)
				for _, x := range a.Params() {
					simd.Scale(x.Grad, -1e-3)
					simd.Add(x.Value, x.Grad)
				}
				a.Sync()
			}
			var values [][]float32
			for _, x := range a.Params() {
				values = append(values, x.Value)
			}
			return values
		}
		alone := [2][][]float32{train(LoRA, 1), train(LoRAOne, 2)}
		var together [2][][]float32
		var both sync.WaitGroup
		both.Go(func() { together[0] = train(LoRA, 1) })
		both.Go(func() { together[1] = train(LoRAOne, 2) })
		both.Wait()
		for run := range alone {
			for i, want := range alone[run] {
				if !slices.Equal(together[run][i], want) {
					t.Fatalf("run %d: array %d differs from the run alone", run, i)
				}
			}
		}
		if slices.Equal(alone[0][0], alone[1][0]) {
			t.Error("both runs train the same")
		}
	})
}
