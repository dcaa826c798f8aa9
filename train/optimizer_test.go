package train

import (
	"math"
	"slices"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/train/optim"
	"example.com/finetune/train/recipe"
)

// layer returns a 3×4 layer of rank 2 with small numbers in everything.
func layer(name string) *loraone.Layer {
	l := loraone.NewLayer(model.Projection{Name: name, Out: 3, In: 4}, 2, 1)
	for _, x := range [][]float32{l.A, l.Bt, l.DA, l.DBt} {
		for i := range x {
			x[i] = float32(math.Sin(float64(3*i+len(x)))) / 4
		}
	}
	l.Sync()
	return l
}

// updaterOf returns an updater of some layers for ten steps.
func updaterOf(t testing.TB, c *recipe.Config, p *simd.Pool, layers ...*loraone.Layer) *updater {
	t.Helper()
	var modules []loraone.Module
	for _, l := range layers {
		modules = append(modules, l)
	}
	u, err := newUpdater(&c.Recipe, 10, loraone.Of(nil, modules), p)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// values lists the parameters' values.
func values(u *updater) [][]float32 {
	var list [][]float32
	for _, p := range u.adapters.Params() {
		list = append(list, p.Value)
	}
	return list
}

func TestOptimizerStepInFloat64(t *testing.T) {
	c := recipe.Default()
	c.Optimizer, c.LearningRate, c.LRSchedulerType, c.WarmupSteps, c.WeightDecay, c.MaxGradNorm = "adamw", 0.1, "constant", 0, 0.1, 0.05
	p := simd.NewPool(1)
	defer p.Close()
	l := layer("one")
	o := updaterOf(t, &c, p, l)
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
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, x := range []struct {
		optimizer  string
		grad, b    float32 // put into the second layer
		want, what string
	}{
		{optim.PreconditionedAdamW.Name, nan, 0, "the gradient of second is not finite", "a NaN"},
		{optim.PreconditionedAdamW.Name, inf, 0, "the gradient of second is not finite", "an infinity"},
		{optim.PreconditionedAdamW.Name, 0, inf, "second: the Gram matrix of lora_B is not finite", "a parameter"},
		{optim.ScaledAdamW.Name, 3e38, 0, "the preconditioned gradient of second is not finite", "too large"},
		{optim.AdamW.Name, nan, 0, "the gradient of second is not finite", "a NaN"},
	} {
		c := recipe.Default()
		c.Optimizer, c.MaxGradNorm = recipe.Optimizer(x.optimizer), 0
		first, second := layer("first"), layer("second")
		o := updaterOf(t, &c, p, first, second)
		a, m := append([]float32{}, first.A...), append([]float32{}, o.optimizer.State()[0].Value...)
		second.DBt[1] = x.grad
		if x.b != 0 {
			second.Bt[0] = x.b
		}
		_, _, err := o.step(0, 1)
		if err == nil || err.Error() != x.want {
			t.Errorf("%s, %s: got %v, want %s", x.optimizer, x.what, err, x.want)
		}
		for i := range a {
			if first.A[i] != a[i] || o.optimizer.State()[0].Value[i] != m[i] {
				t.Fatalf("%s, %s: the first layer has changed", x.optimizer, x.what)
			}
		}
	}
}

// A step gives the same bits on any number of threads.
func TestOptimizerStepOnMoreThreads(t *testing.T) {
	for _, name := range []string{optim.PreconditionedAdamW.Name, optim.AdamW.Name, optim.ScaledAdamW.Name} {
		var want []float32
		for _, threads := range []int{1, 3} {
			c := recipe.Default()
			c.Optimizer = recipe.Optimizer(name)
			p := simd.NewPool(threads)
			layers := []*loraone.Layer{layer("a"), layer("b"), layer("c")}
			o := updaterOf(t, &c, p, layers...)
			for step := range 3 {
				if _, _, err := o.step(step, 3); err != nil {
					t.Fatal(err)
				}
			}
			p.Close()
			var got []float32
			for _, x := range values(o) {
				got = append(got, x...)
			}
			if want == nil {
				want = got
			} else if !slices.Equal(got, want) {
				t.Errorf("%s: three threads give other bits than one", name)
			}
		}
	}
}
