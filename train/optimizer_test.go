package train

import (
	"math"
	"strings"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/simd"
	"example.com/finetune/train/recipe"
)

// layer returns a 3×4 layer of rank 2 with small numbers in everything.
func layer(name string) *loraone.Layer {
	l := loraone.NewLayer(name, 4, 3, 2, 1)
	for _, x := range [][]float32{l.A, l.Bt, l.DA, l.DBt} {
		for i := range x {
			x[i] = float32(math.Sin(float64(3*i+len(x)))) / 4
		}
	}
	l.Sync()
	return l
}

func TestOptimizerStepInFloat64(t *testing.T) {
	c := recipe.Default()
	c.Optimizer, c.LearningRate, c.LRSchedulerType, c.WarmupSteps, c.WeightDecay, c.MaxGradNorm = "adamw", 0.1, "constant", 0, 0.1, 0.05
	p := simd.NewPool(1)
	defer p.Close()
	l := layer("one")
	o := newOptimizer(&c.Recipe, 10, []*loraone.Layer{l}, p)
	type moment struct{ p, m, v float64 }
	twin := make([]moment, len(l.A)+len(l.Bt))
	params := func() []float32 { return append(append([]float32{}, l.A...), l.Bt...) }
	for i, x := range params() {
		twin[i].p = float64(x)
	}
	const targets = 5
	for step := range 3 {
		grads := append(append([]float32{}, l.DA...), l.DBt...)
		var squares float64
		for _, g := range grads {
			squares += float64(g) / targets * float64(g) / targets
		}
		factor := min(1, 0.05/(math.Sqrt(squares)+1e-6))
		for i, g := range grads {
			w, g := &twin[i], float64(g)/targets*factor
			w.m, w.v = 0.9*w.m+0.1*g, 0.999*w.v+0.001*g*g
			n := float64(step + 1)
			w.p = (1-0.1*0.1)*w.p - 0.1*(w.m/(1-math.Pow(0.9, n)))/(math.Sqrt(w.v/(1-math.Pow(0.999, n)))+1e-8)
		}
		norm, rate, err := o.step(step, targets)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(norm-math.Sqrt(squares)) > 1e-6*norm || rate != 0.1 {
			t.Errorf("step %d: norm %v, rate %v, want %v, 0.1", step, norm, rate, math.Sqrt(squares))
		}
		for i, x := range params() {
			if math.Abs(float64(x)-twin[i].p) > 2e-6 {
				t.Errorf("step %d: parameter %d is %v, want %v", step, i, x, twin[i].p)
			}
		}
		for i := range l.DA { // another gradient
			l.DA[i] += 0.1 * float32(i)
		}
	}
}

func TestOptimizerLeavesParametersAfterAnError(t *testing.T) {
	p := simd.NewPool(2)
	defer p.Close()
	for name, bad := range map[string]float32{"NaN": float32(math.NaN()), "Inf": float32(math.Inf(1)), "too large": 3e38} {
		c := recipe.Default()
		first, second := layer("first"), layer("second")
		o := newOptimizer(&c.Recipe, 10, []*loraone.Layer{first, second}, p)
		a, m := append([]float32{}, first.A...), append([]float32{}, o.m[0]...)
		second.DBt[1] = bad
		c.MaxGradNorm = 0
		_, _, err := o.step(0, 1)
		if err == nil || !strings.Contains(err.Error(), "gradient of second is not finite") {
			t.Errorf("%s: got %v", name, err)
		}
		for i := range a {
			if first.A[i] != a[i] || o.m[0][i] != m[i] {
				t.Fatalf("%s: the first layer has changed", name)
			}
		}
	}
}

func TestCorrectionIsOneMinusAPower(t *testing.T) {
	for _, n := range []int{1, 2, 10, 1000, 100000} {
		for _, beta := range []float32{0, 0.9, 0.999} {
			if got, want := correction(beta, n), float32(1-math.Pow(float64(beta), float64(n))); math.Abs(float64(got-want)) > 1e-7*float64(want) {
				t.Errorf("1-%v^%d: %v, want %v", beta, n, got, want)
			}
		}
	}
}
