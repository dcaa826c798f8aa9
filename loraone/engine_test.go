package loraone

import (
	"slices"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/model"
)

// gradients returns the losses of the case's first eight sequences and the
// gradients of all layers, whose A is the LoRA start and whose B is b everywhere.
func gradients(t *testing.T, c *golden.Case, threads int, layout model.Layout, b float32, targets ...string) ([]model.Loss, map[string][]float32) {
	t.Helper()
	e, a := attach(t, c, threads, targets...)
	a.StartLoRA(3)
	for _, l := range a.Layers {
		for i := range l.Bt {
			l.Bt[i] = b
		}
		l.Sync()
	}
	var losses []model.Loss
	e.Layout = layout
	for _, batch := range e.MicroBatches(c.Seqs(0, 8)) {
		losses = append(losses, e.LossBackward(batch, nil)...)
	}
	grads := make(map[string][]float32)
	for _, l := range a.Layers {
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
		for _, target := range projections {
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
		e, a := attach(t, c, 2, "all-linear")
		a.StartLoRA(3)
		e.LossBackward(c.Seqs(0, 3), nil)
		last := a.Layers[len(a.Layers)-7:]
		want := slices.Clone(last[0].DBt)
		for i, l := range a.linears {
			a.Layers[i].ZeroGrad()
			if i < len(a.Layers)-7 {
				l.Adapter = nil
			}
		}
		e.LossBackward(c.Seqs(0, 3), nil)
		if !slices.Equal(last[0].DBt, want) {
			t.Errorf("%s: the gradient differs", last[0].Name)
		}
	})
}

func TestZeroBLeavesLogitsAlone(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e, a := attach(t, c, 2, "all-linear")
		a.StartLoRA(3)
		ids := c.Sequences[0].IDs
		with := e.Logits(ids)
		a.Detach()
		if !slices.Equal(with.Data, e.Logits(ids).Data) {
			t.Error("logits differ")
		}
		a.Reattach()
		if !slices.Equal(with.Data, e.Logits(ids).Data) {
			t.Error("logits differ after reattaching")
		}
	})
}
