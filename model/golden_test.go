package model_test

import (
	"fmt"
	"slices"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// PyTorch's own float32 agrees with the float64 numbers to 1e-6 of the largest
// logit and 1e-6 relative in the losses.
const (
	logitsBound = 1e-5
	lossBound   = 1e-5
)

func engine(t *testing.T, m *model.Model, threads int) *model.Engine {
	p := simd.NewPool(threads)
	t.Cleanup(p.Close)
	return model.NewEngine(m, p)
}

func TestLogitsAndLossesMatchPyTorch(t *testing.T) {
	golden.Each(t, ".", func(t *testing.T, c *golden.Case) {
		e := engine(t, c.Load(t), 2)
		for i, name := range []string{"logits.0", "logits.1"} {
			want, _ := c.Tensor(t, name)
			golden.Close(t, name, e.Logits(c.Sequences[i].IDs).Data, want, logitsBound)
		}
		for i, l := range e.Loss(c.Seqs(0, len(c.Sequences))) {
			golden.Near(t, "loss", l.Sum, c.LossSums[i], lossBound)
			if l.Targets != c.TargetCounts[i] {
				t.Errorf("sequence %d: %d targets, want %d", i, l.Targets, c.TargetCounts[i])
			}
		}
	})
}

func TestDecodingMatchesPyTorch(t *testing.T) {
	golden.Each(t, ".", func(t *testing.T, c *golden.Case) {
		e := engine(t, c.Load(t), 2)
		text := new(model.Text)
		var got []int32
		var s model.Sampler
		for next := c.Greedy.Prompt; len(got) < len(c.Greedy.Tokens); next = got[len(got)-1:] {
			got = append(got, s.Next(e.Extend([]model.Portion{{Text: text, IDs: next, Ask: true}}).Row(0)))
		}
		if !slices.Equal(got, c.Greedy.Tokens) {
			t.Errorf("greedy tokens %v, want %v", got, c.Greedy.Tokens)
		}
	})
}

// A text that grows past what its rope was made for, or shrinks again, is as if it had
// been read at once.
func TestDecodingWithARopeThatDependsOnTheLength(t *testing.T) {
	golden.Each(t, ".", func(t *testing.T, c *golden.Case) {
		if c.Name != "phi3" {
			t.Skip("another rope")
		}
		e := engine(t, c.Load(t), 2)
		ids := c.Sequences[0].IDs[:21]
		text := new(model.Text)
		extend := func(ids []int32) []float32 {
			return e.Extend([]model.Portion{{Text: text, IDs: ids, Ask: true}}).Row(0)
		}
		same := func(n int, got []float32) {
			t.Helper()
			got = slices.Clone(got)
			golden.Close(t, fmt.Sprintf("%d tokens", n), got, e.Logits(ids[:n]).Row(n-1), 1e-6)
		}
		for n := 1; n <= len(ids); n++ {
			same(n, extend(ids[n-1:n]))
		}
		fork := text.Fork(4)
		text.Truncate(4)
		same(9, extend(ids[4:9]))
		same(21, extend(ids[9:]))
		text = fork
		same(9, extend(ids[4:9]))
	})
}
