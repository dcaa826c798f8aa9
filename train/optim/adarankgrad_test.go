package optim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// Eight steps with a new subspace every third, of ranks that fall with the gradient's
// spectrum, against PyTorch in float64 (scripts/golden_methods.py).
func TestAdaRankGradTakesTheStepsOfItsEquations(t *testing.T) {
	f, err := safetensors.Open("../../loraone/testdata/methods.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(name string) []float32 {
		x, ok := f.Tensor("adarankgrad." + name)
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		values := make([]float32, len(x.Data)/4)
		simd.Convert(values, x.Data, simd.F32)
		return values
	}
	m := loraone.AdaRankGrad.New(model.Projection{Name: "q_proj", Out: 24, In: 40}, 4, 1)
	rule, err := AdaRankGrad.New(Settings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1}, []loraone.Module{m})
	if err != nil {
		t.Fatal(err)
	}
	rule.(*adaRankGrad).every = 3
	w := m.Params()[0]
	copy(w.Value, read("before"))
	var ranks []float32
	for step := range 8 {
		copy(w.Grad, read(fmt.Sprintf("%d.dW", step)))
		rule.Begin(step, 1e-2)
		if err := rule.Prepare(0); err != nil {
			t.Fatal(err)
		}
		rule.Update(0)
		if step%3 == 0 {
			ranks = append(ranks, rule.State()[3].Value[0])
		}
	}
	if want := read("ranks"); !slices.Equal(ranks, want) || want[0] == want[1] || want[1] == want[2] {
		t.Errorf("ranks %v, want %v, which differ", ranks, want)
	}
	golden.Close(t, "ΔW", w.Value, read("after"), 1e-5)
}

// Without a gradient nothing moves, and the subspace is chosen when there is one.
func TestAdaRankGradWaitsForAGradient(t *testing.T) {
	m := loraone.AdaRankGrad.New(model.Projection{Name: "q_proj", Out: 6, In: 5}, 2, 1)
	rule, err := AdaRankGrad.New(Settings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, []loraone.Module{m})
	if err != nil {
		t.Fatal(err)
	}
	w := m.Params()[0]
	for step := range 2 {
		w.Grad[0] = float32(step)
		rule.Begin(step, 0.1)
		if err := rule.Prepare(0); err != nil {
			t.Fatal(err)
		}
		rule.Update(0)
		if moved := w.Value[0] != 0; moved != (step == 1) {
			t.Errorf("step %d: ΔW[0] is %g", step, w.Value[0])
		}
	}
}

func TestAdaRankGradNeedsADenseDelta(t *testing.T) {
	l := loraone.NewLayer(model.Projection{Name: "some.q_proj", Out: 3, In: 3}, 2, 1)
	if _, err := AdaRankGrad.New(Settings{}, []loraone.Module{l}); err == nil || !strings.Contains(err.Error(), "some.q_proj trains no dense ΔW") {
		t.Errorf("got %v", err)
	}
}
