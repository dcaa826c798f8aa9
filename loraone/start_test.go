package loraone

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/internal/golden"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

func attach(t *testing.T, c *golden.Case, threads int, targets ...string) (*model.Engine, *Adapters) {
	t.Helper()
	m := c.Load(t)
	p := simd.NewPool(threads)
	t.Cleanup(p.Close)
	a, err := Attach(m, Config{R: c.Rank, Alpha: c.Alpha, TargetModules: targets})
	if err != nil {
		t.Fatal(err)
	}
	e := model.NewEngine(m, p)
	e.Layout.MicroBatch = 64
	return e, a
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
		var want [][]float32
		for i, v := range []struct{ threads, tokens int }{{1, 1}, {2, 64}, {3, 4096}} {
			e, a := attach(t, c, v.threads, "all-linear")
			e.Layout.MicroBatch = v.tokens
			if _, err := a.StartSpectral(t.Context(), e, c.Seqs(0, 8), options); err != nil {
				t.Fatal(err)
			}
			for k, l := range a.Layers {
				if i == 0 {
					want = append(want, l.A, l.Bt)
				} else if !slices.Equal(l.A, want[2*k]) || !slices.Equal(l.Bt, want[2*k+1]) {
					t.Errorf("%s differs with %d threads and micro-batches of %d", l.Name, v.threads, v.tokens)
				}
			}
		}
	})
}

func TestSketchedStartsAgreeWithTheExactOne(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		start := func(o StartOptions) *Adapters {
			e, a := attach(t, c, 2, "all-linear")
			if _, err := a.StartSpectral(t.Context(), e, c.Seqs(0, 8), o); err != nil {
				t.Fatal(err)
			}
			return a
		}
		exact := start(options)
		defer func(limit int64, side int) { formedLimit, exactSide = limit, side }(formedLimit, exactSide)
		each := options
		each.FormedBytes = 1 // in a pass of its own
		alone := start(each)
		exactSide = 0
		refined := start(options)
		formedLimit = 0
		streamed := start(options)
		for i, l := range exact.Layers {
			want := delta(l)
			if !slices.Equal(delta(alone.Layers[i]), want) {
				t.Errorf("%s differs when it is formed alone", l.Name)
			}
			golden.Close(t, l.Name+" formed", delta(refined.Layers[i]), want, 1e-3)
			golden.Close(t, l.Name+" streamed", delta(streamed.Layers[i]), want, 3e-2)
		}
	})
}

// A gradient of known spectrum: the sketch finds its leading part.
func TestSketchFindsTheLeadingSpectrum(t *testing.T) {
	const out, in, r = 300, 200, 8
	rng := rand.New(rand.NewPCG(1, 2))
	u, v := make([]float32, out*in), make([]float32, in*in)
	fill(rng, u)
	fill(rng, v)
	u, v = orthonormal(t, u, out, in), orthonormal(t, v, in, in)
	us := slices.Clone(u)
	for i := range us {
		us[i] *= float32(math.Pow(0.9, float64(i%in)))
	}
	g := simd.Dense(make([]float32, out*in), out, in)
	simd.Mul(g, simd.Dense(us, out, in), simd.Dense(v, in, in))
	sp, err := newSketch(NewLayer("test", in, out, r, 1), 0).of(g)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r {
		golden.Near(t, "singular value", sp.s[i], math.Pow(0.9, float64(i)), 1e-6)
		var along float64
		for k, x := range sp.ut.RawRowView(i) {
			along += x * float64(u[k*in+i])
		}
		if math.Abs(along) < 1-1e-5 {
			t.Errorf("left vector %d: |cosine| %.7f with the true one", i, math.Abs(along))
		}
	}
}

// A gradient of no rank, or of less than the sketch is wide, has no more directions.
func TestSketchOfLowRank(t *testing.T) {
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
		exact, err := decompose(g.Data, out, in)
		if err != nil {
			t.Fatal(err)
		}
		l := NewLayer("test", in, out, r, 1)
		sp, err := newSketch(l, 0).of(g)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rank {
			golden.Near(t, "singular value", sp.s[i], exact.s[i], 1e-6)
		}
		if got := l.startSpectral(sp, options); got != rank {
			t.Errorf("rank %d: %d pairs started from it, singular values %g", rank, got, sp.s)
		}
		if !finite(l.A) || !finite(l.Bt) {
			t.Errorf("rank %d: the start is not finite", rank)
		}
	}
}

// orthonormal returns a basis of the columns of x (rows×cols).
func orthonormal(t *testing.T, x []float32, rows, cols int) []float32 {
	t.Helper()
	sp, err := decompose(x, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	u := make([]float32, 0, rows*cols)
	for _, v := range mat.DenseCopyOf(sp.ut.T()).RawMatrix().Data {
		u = append(u, float32(v))
	}
	return u
}

func TestStartHasSpectralNormScaleOverGamma(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e, a := attach(t, c, 2, "q_proj", "v_proj")
		if _, err := a.StartSpectral(t.Context(), e, c.Seqs(0, 8), options); err != nil {
			t.Fatal(err)
		}
		for _, l := range a.Layers {
			sp, err := decompose(delta(l), l.Out, l.In)
			if err != nil {
				t.Fatal(err)
			}
			golden.Near(t, l.Name, sp.s[0], float64(l.Scale)/128, 1e-5)
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
		e, a := attach(t, c, 2, "all-linear")
		seq := model.Sequence{IDs: c.Sequences[0].IDs[:2], Learn: []bool{false, true}}
		report, err := a.StartSpectral(t.Context(), e, []model.Sequence{seq}, options)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range a.Layers {
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
		e, a := attach(t, c, 2, "q_proj")
		e.Model().Norm[3] = float32(math.Inf(1))
		_, err := a.StartSpectral(t.Context(), e, c.Seqs(0, 3), options)
		if n := new(NonFiniteError); !errors.As(err, &n) || n.Sequence != 0 {
			t.Errorf("got %v, want a NonFiniteError of sequence 0", err)
		}
	})
}

func TestStartStopsWhenItsContextEnds(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e, a := attach(t, c, 1, "q_proj")
		ctx, cancel := context.WithCancel(t.Context())
		o := options
		o.Progress = func(done, _ int) {
			if done > 1 {
				t.Error("went on")
			}
			cancel()
		}
		if _, err := a.StartSpectral(ctx, e, c.Seqs(0, 8), o); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if a.linears[0].Adapter != model.Adapter(a.Layers[0]) {
			t.Error("the layers are not back in place")
		}
	})
}

func TestConfigCheck(t *testing.T) {
	m := &model.Config{HiddenSize: 64, IntermediateSize: 160, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, HeadDim: 16}
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{R: 8, Alpha: 16, TargetModules: []string{"q_proj", "wq"}}, `target module "wq" not found in the model; it has q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or all-linear for all of them`},
		{Config{R: 33, Alpha: 16, TargetModules: []string{"q_proj", "v_proj"}}, "lora_r is 33, but v_proj is 32×64: want at most 32"},
		{Config{R: 0, Alpha: 16, TargetModules: []string{"q_proj"}}, "lora_r is 0, want at least 1"},
		{Config{R: 8, TargetModules: []string{"q_proj"}}, "lora_alpha is 0, want a positive number"},
		{Config{R: 8, Alpha: 16}, "no target modules"},
		{Config{R: 32, Alpha: 16, TargetModules: []string{"all-linear"}}, "<nil>"},
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
