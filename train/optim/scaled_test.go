package optim

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

func TestPreconditionSolvesTheSystem(t *testing.T) {
	const In, Out, R, lambda = 11, 7, 3, 0.25
	rng := rand.New(rand.NewPCG(2, 0))
	l := loraone.NewLayer(model.Projection{Name: "test", Out: Out, In: In}, R, 2.5)
	for _, x := range [][]float32{l.A, l.Bt, l.DA, l.DBt} {
		copy(x, singles(normals(rng, len(x))))
	}
	gA, gB := append([]float32(nil), l.DA...), append([]float32(nil), l.DBt...)
	if err := prepared(l, lambda); err != nil {
		t.Fatal(err)
	}
	check := func(name string, m, x, g []float32) { // (m·mᵀ+λI)·x = g
		n, w := len(m)/R, len(g)/R
		for i := range R {
			for c := range w {
				got := lambda * float64(x[i*w+c])
				for j := range R {
					var dot float64
					for k := range n {
						dot += float64(m[i*n+k]) * float64(m[j*n+k])
					}
					got += dot * float64(x[j*w+c])
				}
				if want := float64(g[i*w+c]); math.Abs(got-want) > 1e-5 {
					t.Errorf("%s[%d,%d]: %g, want %g", name, i, c, got, want)
				}
			}
		}
	}
	check("A", l.Bt, l.DA, gA)
	check("B", l.A, l.DBt, gB)
}

// With B = 0 the system is λI: allowed, as in the ordinary start.
func TestPreconditionWithZeroB(t *testing.T) {
	l := loraone.NewLayer(model.Projection{Name: "test", Out: 3, In: 3}, 2, 1)
	copy(l.A, []float32{1, 2, 3, 3, 2, 1})
	l.DA[0] = 1
	if err := prepared(l, 1e-6); err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(l.DA[0])-1e6) > 1 {
		t.Errorf("got %g, want 1e6", l.DA[0])
	}
}

// prepared preconditions the gradients of a layer.
func prepared(l *loraone.Layer, lambda float64) error {
	rule, err := ScaledAdamW.New(Settings{Reg: lambda}, []loraone.Module{l})
	if err != nil {
		return err
	}
	return rule.Prepare(0)
}

// An optimizer that needs pairs says which module has none, and one that sets the sizes
// of both factors takes no rates by group.
func TestKindsRefuseWhatTheyCannotUpdate(t *testing.T) {
	l := loraone.NewLayer(model.Projection{Name: "some.q_proj", Out: 3, In: 3}, 2, 1)
	for _, kind := range []*Kind{PreconditionedAdamW, ScaledAdamW} {
		want := "some.q_proj trains other arrays than the two factors of B·A, which " + kind.Name + " needs"
		if _, err := kind.New(Settings{}, []loraone.Module{struct{ loraone.Module }{l}}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	s := Settings{Factors: map[string]float64{"B": 16}}
	if _, err := PreconditionedAdamW.New(s, []loraone.Module{l}); err == nil || !strings.Contains(err.Error(), "learning rates by group are for adamw") {
		t.Errorf("got %v", err)
	}
}

// A group's factor multiplies its learning rate: LoRA+ is a factor for B.
func TestFactorsByGroup(t *testing.T) {
	moved := func(factors map[string]float64) (a, b float64) {
		l := loraone.NewLayer(model.Projection{Name: "test", Out: 3, In: 3}, 1, 1)
		copy(l.DA, []float32{1, 1, 1})
		copy(l.DBt, []float32{1, 1, 1})
		p := simd.NewPool(1)
		defer p.Close()
		o, err := New(AdamW, Settings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Factors: factors}, []loraone.Module{l}, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Step(0, 1e-3); err != nil {
			t.Fatal(err)
		}
		return float64(l.A[0]), float64(l.Bt[0])
	}
	a, b := moved(nil)
	plusA, plusB := moved(map[string]float64{"B": 16})
	if a != b || plusA != a || math.Abs(plusB/b-16) > 1e-5 {
		t.Errorf("steps of %g and %g, with a factor of 16 for B %g and %g", a, b, plusA, plusB)
	}
}
