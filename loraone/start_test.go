package loraone

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

func newEngine(t *testing.T, c *golden.Case, threads int) *model.Engine {
	t.Helper()
	p := simd.NewPool(threads)
	t.Cleanup(p.Close)
	e := model.NewEngine(c.Load(t), p)
	e.Layout.MicroBatch = 64
	return e
}

func config(c *golden.Case, m *Method, targets ...string) Config {
	return Config{Method: m, R: c.Rank, Alpha: c.Alpha, TargetModules: targets}
}

// started returns an engine with the adapters of a LoRA-One start.
func started(t *testing.T, c *golden.Case, e *model.Engine, o StartOptions, targets ...string) *Adapters {
	t.Helper()
	a, _, err := Start(t.Context(), e, config(c, LoRAOne, targets...), c.Seqs(0, 8), o)
	if err != nil {
		t.Fatal(err)
	}
	a.Attach(e)
	return a
}

// ordinary returns an engine with the adapters of the ordinary start.
func ordinary(t *testing.T, c *golden.Case, threads int, targets ...string) (*model.Engine, *Adapters) {
	t.Helper()
	e := newEngine(t, c, threads)
	a, _, err := Start(t.Context(), e, config(c, LoRA, targets...), nil, StartOptions{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	a.Attach(e)
	return e, a
}

func layers(a *Adapters) []*Layer {
	var list []*Layer
	for _, m := range a.Modules {
		list = append(list, m.(*Layer))
	}
	return list
}

var options = StartOptions{Gamma: 128, Seed: 1}

// delta returns Scale·B·A.
func delta(l *Layer) []float32 {
	d := simd.Dense(make([]float32, l.Out*l.In), l.Out, l.In)
	simd.Mul(d, simd.Dense(l.Bt, l.R, l.Out).T(), simd.Dense(l.A, l.R, l.In))
	simd.Scale(d.Data, l.Scale)
	return d.Data
}

func TestStartIsTheSameForAnyThreadsAndMicroBatch(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		for _, m := range Methods {
			var want []*Param
			for i, v := range []struct{ threads, tokens int }{{1, 1}, {2, 64}, {3, 4096}} {
				e := newEngine(t, c, v.threads)
				e.Layout.MicroBatch = v.tokens
				o := options
				o.FirstRate = 1e-3
				a, _, err := Start(t.Context(), e, config(c, m, "q_proj", "down_proj"), c.Seqs(0, 8), o)
				if err != nil {
					t.Fatal(err)
				}
				got := a.Params()
				for _, m := range a.Modules {
					got = append(got, m.Frozen()...)
				}
				for k, p := range got {
					if i > 0 && !slices.Equal(p.Value, want[k].Value) {
						t.Errorf("%s: %s differs with %d threads and micro-batches of %d", m.Name, p.Name, v.threads, v.tokens)
					}
				}
				want = got
			}
		}
	})
}

// A pair whose singular value float32 cannot tell from 0 gets the ordinary start.
func TestStartFromLowRank(t *testing.T) {
	const out, in, r = 150, 130, 8
	rng := rand.New(rand.NewPCG(3, 4))
	for rank := range 3 {
		g := simd.Dense(make([]float32, out*in), out, in)
		for range rank {
			u, v := make([]float32, out), make([]float32, in)
			fill(rng, u)
			fill(rng, v)
			simd.AddMul(g, simd.Dense(u, out, 1), simd.Dense(v, 1, in))
		}
		target := spectrum.Target{Projection: at(out, in), Pairs: r}
		sp, err := spectrum.Leading(target, g, 0)
		if err != nil {
			t.Fatal(err)
		}
		l := NewLayer(target.Projection, r, 1)
		got, err := startOne(l, &Given{StartOptions: options, Gradient: &spectrum.Gradient{Target: target, Spectrum: sp}})
		if err != nil || got != rank {
			t.Errorf("rank %d: %d pairs started from it, singular values %g; %v", rank, got, sp.S, err)
		}
		for _, v := range slices.Concat(l.A, l.Bt) {
			if v-v != 0 {
				t.Fatalf("rank %d: the start is not finite", rank)
			}
		}
	}
}

func TestStartHasSpectralNormScaleOverGamma(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		a := started(t, c, newEngine(t, c, 2), options, "q_proj", "v_proj")
		for _, l := range layers(a) {
			sp, err := spectrum.Leading(spectrum.Target{Projection: l.Projection, Pairs: 1}, simd.Dense(delta(l), l.Out, l.In), 0)
			if err != nil {
				t.Fatal(err)
			}
			golden.Near(t, l.Name, sp.S[0], float64(l.Scale)/128, 1e-5)
			if u := l.Bt[:l.Out]; slices.Max(u) < -slices.Min(u) {
				t.Errorf("%s: the largest entry of u₀ is negative", l.Name)
			}
		}
	})
}

// With two tokens the one query sees only itself: no gradient reaches q and k at
// all, and that of v has rank 1.
func TestStartWithoutEnoughGradient(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e := newEngine(t, c, 2)
		seq := model.Sequence{IDs: c.Sequences[0].IDs[:2], Mask: []bool{false, true}}
		a, report, err := Start(t.Context(), e, config(c, LoRAOne, "all-linear"), []model.Sequence{seq}, options)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range layers(a) {
			want := 1
			if strings.HasSuffix(l.Name, "q_proj") || strings.HasSuffix(l.Name, "k_proj") {
				want = 0
			}
			if got := report.Modules[i].Spectral; got != want {
				t.Errorf("%s: %d pairs from the gradient, want %d", l.Name, got, want)
			}
			for k := want; k < l.R; k++ {
				if slices.Max(l.Bt[k*l.Out:(k+1)*l.Out]) != 0 || slices.Max(l.A[k*l.In:(k+1)*l.In]) == 0 {
					t.Errorf("%s: pair %d is not an ordinary LoRA start", l.Name, k)
				}
			}
		}
	})
}

func TestStartRefusesWhatIsNotFinite(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e := newEngine(t, c, 2)
		e.Model().Norm[3] = float32(math.Inf(1))
		_, _, err := Start(t.Context(), e, config(c, LoRAOne, "q_proj"), c.Seqs(0, 3), options)
		if n := new(spectrum.NonFiniteError); !errors.As(err, &n) || n.Sequence != 0 {
			t.Errorf("got %v, want a NonFiniteError of sequence 0", err)
		}
	})
}

func TestStartStopsWhenItsContextEnds(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e, before := ordinary(t, c, 1, "q_proj")
		ctx, cancel := context.WithCancel(t.Context())
		o := options
		e.Layout.MicroBatch = 1
		calls := 0
		o.Progress = func(int, int) {
			if calls++; calls > 1 {
				t.Error("went on")
			}
			cancel()
		}
		if _, _, err := Start(ctx, e, config(c, LoRAOne, "q_proj"), c.Seqs(0, 8), o); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if e.Adapters()[0] != model.Adapter(before.Modules[0]) {
			t.Error("the engine has not got its adapters back")
		}
	})
}

func TestConfigCheck(t *testing.T) {
	m := &model.Config{HiddenSize: 64, IntermediateSize: 160, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, HeadDim: 16}
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Method: LoRA, R: 8, Alpha: 16, TargetModules: []string{"q_proj", "wq"}}, `target module "wq" not found in the model; it has q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or all-linear for all of them`},
		{Config{Method: LoRA, R: 33, Alpha: 16, TargetModules: []string{"q_proj", "v_proj"}}, "lora_r is 33, but v_proj is 32×64: want at most 32"},
		{Config{Method: LoRA, R: 0, Alpha: 16, TargetModules: []string{"q_proj"}}, "lora_r is 0, want at least 1"},
		{Config{Method: LoRAGA, R: 17, Alpha: 16, TargetModules: []string{"q_proj", "v_proj"}}, "lora_r is 17, and loraga starts from 34 singular vectors, but v_proj is 32×64"},
		{Config{Method: LoRA, R: 8, TargetModules: []string{"q_proj"}}, "lora_alpha is 0, want a positive number"},
		{Config{Method: LoRA, R: 8, Alpha: 16}, "no target modules"},
		{Config{Method: LoRA, R: 32, Alpha: 16, TargetModules: []string{"all-linear"}}, "<nil>"},
	} {
		err := c.config.Check(m)
		if got := "<nil>"; err != nil {
			got = err.Error()
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		} else if got != c.want {
			t.Errorf("no error, want %q", c.want)
		}
	}
}

func TestScale(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		method *Method
		rs     *bool
		want   float64
	}{
		{LoRA, nil, 8},
		{LoRAOne, nil, 8},
		{LoRA, &no, 4},
		{LoRAOne, &yes, 8},
		{&Method{Scale: ByRank}, nil, 4},
		{&Method{Scale: ByRank}, &yes, 8},
	} {
		if got := (Config{Method: c.method, Alpha: 16, UseRSLoRA: c.rs}).Scale(4); got != c.want {
			t.Errorf("%s: scale %g, want %g", c.method.Name, got, c.want)
		}
	}
}

func TestNewRefusesRanksThatDoNotFit(t *testing.T) {
	m := &model.Config{HiddenSize: 64, IntermediateSize: 160, NumHiddenLayers: 1, NumAttentionHeads: 4, NumKeyValueHeads: 2, HeadDim: 16}
	c := Config{Method: LoRA, R: 4, Alpha: 16, TargetModules: []string{"q_proj", "v_proj"}}
	for want, ranks := range map[string][]int{
		"1 ranks for 2 projections":                                   {4},
		"rank 33 for model.layers.0.self_attn.v_proj, which is 32×64": {4, 33},
		"rank -1 for model.layers.0.self_attn.q_proj, which is 64×64": {-1, 4},
		"the ranks leave no module":                                   {0, 0},
	} {
		if _, err := New(m, c, ranks); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if a, err := New(m, c, []int{0, 32}); err != nil || len(a.Modules) != 1 || a.Parameters() != 32*(32+64) {
		t.Errorf("%+v, %v", a, err)
	}
}
