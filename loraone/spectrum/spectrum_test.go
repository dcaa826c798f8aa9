package spectrum

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/internal/golden"
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

// targets are all projections of a model.
func targets(m *model.Config, pairs int) []Target {
	var list []Target
	for _, p := range m.Linears() {
		list = append(list, Target{p, min(pairs, p.Out, p.In)})
	}
	return list
}

// gradients returns those of all targets, by index, and copies of their G.
func gradients(t *testing.T, c *golden.Case, o Options) (list []*Gradient, sketched bool) {
	t.Helper()
	e := newEngine(t, c, 2)
	all := targets(e.Model().Config, c.Rank)
	list = make([]*Gradient, len(all))
	pass, err := Each(t.Context(), e, c.Seqs(0, 8), all, o, func(i int, g *Gradient) error {
		list[i] = g
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	golden.Near(t, "loss", pass.Loss, firstLoss(c, 8), 1e-5)
	return list, pass.Sketched
}

// firstLoss is the mean of the first k sequences' mean losses, from PyTorch.
func firstLoss(c *golden.Case, k int) (loss float64) {
	for i := range k {
		loss += c.LossSums[i] / float64(c.TargetCounts[i]*k)
	}
	return loss
}

// leading returns Σ sᵢ·uᵢ·vᵢᵀ over the wanted pairs, relative to s₀.
func leading(g *Gradient) []float32 {
	sum := mat.NewDense(g.Out, g.In, nil)
	for i := range g.Pairs {
		if sp := g.Spectrum; sp.S[0] > 0 && sp.S[i] > 0x1p-20*sp.S[0] {
			sum.RankOne(sum, sp.S[i]/sp.S[0], mat.NewVecDense(g.Out, sp.U(i)), mat.NewVecDense(g.In, sp.V(i)))
		}
	}
	var list []float32
	for _, v := range sum.RawMatrix().Data {
		list = append(list, float32(v))
	}
	return list
}

func TestSketchesAgreeWithTheExactSpectrum(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		exact, sketched := gradients(t, c, Options{Seed: 1})
		if sketched {
			t.Fatal("sketched")
		}
		defer func(limit int64, side int) { materialisedLimit, exactSide = limit, side }(materialisedLimit, exactSide)
		alone, _ := gradients(t, c, Options{Seed: 1, MaterialisedBytes: 1}) // in a pass of its own
		exactSide = 0
		refined, _ := gradients(t, c, Options{Seed: 1})
		materialisedLimit = 0
		streamed, sketched := gradients(t, c, Options{Seed: 1})
		if !sketched {
			t.Fatal("not sketched")
		}
		whole, sketched := gradients(t, c, Options{Seed: 1, Whole: true})
		if sketched {
			t.Fatal("sketched, though every G was wanted")
		}
		for i, g := range exact {
			want := leading(g)
			if !slices.Equal(leading(alone[i]), want) || alone[i].Norm != g.Norm {
				t.Errorf("%s differs when it is materialised alone", g.Name)
			}
			golden.Close(t, g.Name+" refined", leading(refined[i]), want, 1e-3)
			golden.Close(t, g.Name+" streamed", leading(streamed[i]), want, 3e-2)
			golden.Near(t, g.Name+" norm", streamed[i].Norm, g.Norm, 0.5) // an estimate
			if !slices.Equal(whole[i].G.Data, g.G.Data) || streamed[i].G.Data != nil {
				t.Errorf("%s: another G", g.Name)
			}
		}
	})
}

// Nothing is decomposed where no pairs are wanted.
func TestGradientsWithoutPairs(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		e := newEngine(t, c, 2)
		all := targets(e.Model().Config, 0)
		var mu sync.Mutex
		seen := 0
		if _, err := Each(t.Context(), e, c.Seqs(0, 2), all, Options{}, func(_ int, g *Gradient) error {
			mu.Lock()
			defer mu.Unlock()
			seen++
			if g.Spectrum != nil || g.G.Rows != g.Out || g.G.Cols != g.In {
				t.Errorf("%s: %+v", g.Name, g)
			}
			return nil
		}); err != nil || seen != len(all) {
			t.Errorf("%d of %d gradients, %v", seen, len(all), err)
		}
	})
}

func TestCost(t *testing.T) {
	list := []Target{{model.Projection{Out: 100, In: 50}, 8}, {model.Projection{Out: 100, In: 50}, 8}, {model.Projection{Out: 10, In: 10}, 8}}
	for _, c := range []struct {
		bytes  int64
		peak   int64
		passes int
	}{{0, 40400, 1}, {20400, 20400, 2}, {20000, 20000, 3}, {1, 20000, 3}} {
		if peak, passes := Cost(list, Options{MaterialisedBytes: c.bytes}); peak != c.peak || passes != c.passes {
			t.Errorf("%d bytes: %d in %d passes, want %d in %d", c.bytes, peak, passes, c.peak, c.passes)
		}
	}
	large := []Target{{model.Projection{Out: 1 << 15, In: 1 << 14}, 8}}
	sketch := int64(4 * 16 * 2 * (1<<15 + 1<<14))
	if peak, _ := Cost(large, Options{}); peak != sketch {
		t.Errorf("a large gradient: %d bytes, want %d of its sketch", peak, sketch)
	}
	if peak, passes := Cost(large, Options{Whole: true}); peak != 4<<29 || passes != 1 {
		t.Errorf("a large gradient that is wanted whole: %d bytes in %d passes", peak, passes)
	}
}

func fill(rng *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
}

func target(out, in, pairs int) Target {
	return Target{model.Projection{Name: "test", Out: out, In: in}, pairs}
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
	sp, err := newSketch(target(out, in, r), 0).of(g)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r {
		golden.Near(t, "singular value", sp.S[i], math.Pow(0.9, float64(i)), 1e-6)
		var along float64
		for k, x := range sp.U(i) {
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
		sp, err := newSketch(target(out, in, r), 0).of(g)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rank {
			golden.Near(t, "singular value", sp.S[i], exact.S[i], 1e-6)
		}
		for _, v := range sp.S[rank:] {
			if v > 150*0x1p-23*sp.S[0] { // float32 cannot tell it from 0
				t.Errorf("rank %d: singular values %g", rank, sp.S)
			}
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
