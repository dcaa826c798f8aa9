package optim

import (
	"fmt"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// Three steps of AdamW with LoRA+'s rates, against PEFT's optimizer in float64
// (scripts/golden_methods.py).
func TestAdamWTakesTheStepsOfPEFTsLoRAPlus(t *testing.T) {
	f, err := safetensors.Open("../../loraone/testdata/methods.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(name string) simd.View {
		x, ok := f.Tensor("loraplus." + name)
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		values := make([]float32, len(x.Data)/4)
		simd.Convert(values, x.Data, simd.F32)
		return simd.Dense(values, x.Shape[0], x.Shape[1])
	}
	a, b := read("A"), read("B")
	l := loraone.NewLayer(model.Projection{Name: "q_proj", Out: b.Rows, In: a.Cols}, a.Rows, 2)
	set := func(dst []float32, x simd.View) { simd.Transpose(simd.Dense(dst, x.Cols, x.Rows), x) }
	copy(l.A, a.Data)
	set(l.Bt, b)
	p := simd.NewPool(1)
	defer p.Close()
	o, err := New(AdamW, Settings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1, Factors: loraone.LoRAPlus.Rates}, []loraone.Module{l}, p)
	if err != nil {
		t.Fatal(err)
	}
	for step := range 3 {
		copy(l.DA, read(fmt.Sprintf("%d.dA", step)).Data)
		set(l.DBt, read(fmt.Sprintf("%d.dB", step)))
		if err := o.Step(step, 1e-3); err != nil {
			t.Fatal(err)
		}
	}
	after := make([]float32, len(l.Bt))
	set(after, read("after.B"))
	golden.Close(t, "A", l.A, read("after.A").Data, 1e-6)
	golden.Close(t, "Bᵀ", l.Bt, after, 1e-6)
}
