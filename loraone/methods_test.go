package loraone

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// methodNumbers are testdata/methods.safetensors, from scripts/golden_methods.py.
type methodNumbers struct {
	t    *testing.T
	file *safetensors.File
}

func readMethodNumbers(t *testing.T) *methodNumbers {
	t.Helper()
	f, err := safetensors.Open("testdata/methods.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &methodNumbers{t, f}
}

func (n *methodNumbers) matrix(name string) simd.View {
	n.t.Helper()
	x, ok := n.file.Tensor(name)
	if !ok {
		n.t.Fatalf("no tensor %s", name)
	}
	values := make([]float32, len(x.Data)/4)
	simd.Convert(values, x.Data, simd.F32)
	return simd.Dense(values, x.Shape[0], len(values)/x.Shape[0])
}

// product returns the product of two matrices, scaled.
func product(b, a simd.View, scale float32) []float32 {
	c := simd.Dense(make([]float32, b.Rows*a.Cols), b.Rows, a.Cols)
	simd.Mul(c, b, a)
	simd.Scale(c.Data, scale)
	return c.Data
}

// The rank and α of the numbers, and how far a start in float32 may be from them, of the
// largest value: the starts are within 2e-6.
const (
	numbersRank  = 4
	numbersAlpha = 8
	numbersBound = 1e-5
)

func TestStartsMatchPEFTAndTheAuthors(t *testing.T) {
	numbers := readMethodNumbers(t)
	for _, shape := range []string{"tall", "wide"} {
		of := func(name string) simd.View { return numbers.matrix(shape + "." + name) }
		w, g := of("W"), of("G")
		at := model.Projection{Name: "q_proj", Out: w.Rows, In: w.Cols}
		start := func(m *Method) Module {
			c := Config{Method: m, R: numbersRank, Alpha: numbersAlpha}
			module := m.New(at, c.R, c.Scale(c.R))
			given := &Given{StartOptions: StartOptions{Gamma: m.Gamma, FirstRate: 1e-3, Seed: 1}, W: w}
			if m.Need(Gradient) {
				target := spectrum.Target{Projection: at, Pairs: m.pairs(c.R)}
				sp, err := spectrum.Leading(target, g, 1)
				if err != nil {
					t.Fatal(err)
				}
				given.Gradient = &spectrum.Gradient{Target: target, Norm: 1, Spectrum: sp, G: simd.Dense(slices.Clone(g.Data), g.Rows, g.Cols)}
			}
			pairs, err := m.Start(module, given)
			if err != nil || pairs != c.R {
				t.Fatalf("%s, %s: %d pairs, %v", m.Name, shape, pairs, err)
			}
			module.Sync()
			return module
		}
		near := func(what string, got, want []float32) {
			t.Helper()
			golden.Close(t, fmt.Sprintf("%s, %s", what, shape), got, want, numbersBound)
		}

		l := start(PiSSA).(*Layer)
		near("pissa: s·B·A", delta(l), product(of("pissa.B"), of("pissa.A"), 2))
		near("pissa: what is subtracted", delta(l.offset), product(of("pissa.B"), of("pissa.A"), -2))

		l = start(OLoRA).(*Layer)
		near("olora: A", l.A, of("olora.A").Data)
		near("olora: B", transposed(l.Bt, l.R, l.Out), of("olora.B").Data)
		near("olora: what is subtracted", delta(l.offset), product(of("olora.B"), of("olora.A"), -2))

		l = start(LoRAGA).(*Layer)
		near("loraga: A", l.A, oriented(of("loraga.A")))
		b := of("loraga.B")
		bt := simd.Dense(transposed(b.Data, b.Rows, b.Cols), b.Cols, b.Rows)
		near("loraga: B", l.Bt, oriented(bt))
		near("loraga: what is subtracted", delta(l.offset), delta(&Layer{Projection: at, R: l.R, Scale: -l.Scale, A: l.A, Bt: l.Bt}))

		f := start(LoRASB).LowRank()
		near("lorasb: B·R·A", product(simd.Dense(f.B, f.Out, f.R), simd.Dense(f.A, f.R, f.In), f.Scale), of("lorasb.delta").Data)

		l = start(LoRAOne).(*Layer)
		near("loraone: s·B·A", delta(l), product(of("loraone.delta"), identity(at.In), l.Scale))

		l = newLayer(at, numbersRank, GoRA.Scale(numbersAlpha, numbersRank)).(*Layer)
		copy(l.A, of("gora.A").Data)
		if err := l.descend(g); err != nil {
			t.Fatal(err)
		}
		near("gora: B", transposed(l.Bt, l.R, l.Out), of("gora.B").Data)
	}
}

func transposed(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	simd.Transpose(simd.Dense(y, cols, rows), simd.Dense(x, rows, cols))
	return y
}

func identity(n int) simd.View {
	x := simd.Dense(make([]float32, n*n), n, n)
	for i := range n {
		x.Row(i)[i] = 1
	}
	return x
}

// oriented gives each row of x the sign that makes its largest entry positive.
func oriented(x simd.View) []float32 {
	for i := range x.Rows {
		row, wide := x.Row(i), make([]float64, x.Cols)
		for k, v := range row {
			wide[k] = float64(v)
		}
		simd.Scale(row, float32(orientation(wide)))
	}
	return x.Data
}

func TestRanksMatchGoRA(t *testing.T) {
	numbers := readMethodNumbers(t)
	var at []model.Projection
	var weighed [][]float64
	for _, x := range []struct {
		name  string
		scale float32
	}{{"tall", 1}, {"wide", 1}, {"wide", 0.125}} {
		w, g := numbers.matrix(x.name+".W"), numbers.matrix(x.name+".G")
		simd.Scale(g.Data, x.scale)
		at = append(at, model.Projection{Out: w.Rows, In: w.Cols})
		weighed = append(weighed, GoRA.Weigh(&Given{W: w, Gradient: &spectrum.Gradient{G: g}}))
	}
	ranks := goraRanks(numbersRank, at, weighed)
	for i, want := range numbers.matrix("gora.ranks").Data {
		if ranks[i] != int(want) {
			t.Errorf("ranks %v, want %v", ranks, numbers.matrix("gora.ranks").Data)
			break
		}
	}
}

// GoRA's ranks respect their bounds, whatever the gradients: all on one projection, or
// none at all.
func TestRanksOfGoRAHaveBounds(t *testing.T) {
	at := []model.Projection{{Out: 64, In: 64}, {Out: 64, In: 6}, {Out: 64, In: 64}, {Out: 256, In: 64}}
	for _, x := range []struct {
		importance []float64
		want       []int
	}{
		{[]float64{1, 0, 0, 0}, []int{32, 4, 4, 4}},
		{[]float64{0, 1, 0, 0}, []int{4, 6, 4, 4}},
		{[]float64{0, 0, 0, 0}, []int{10, 6, 10, 4}},
	} {
		var weighed [][]float64
		for _, v := range x.importance {
			weighed = append(weighed, []float64{v})
		}
		if got := goraRanks(8, at, weighed); !slices.Equal(got, x.want) {
			t.Errorf("importance %v: ranks %v, want %v", x.importance, got, x.want)
		}
	}
	if got := goraRanks(1, at[:1], [][]float64{{1}}); !slices.Equal(got, []int{1}) {
		t.Errorf("rank 1 alone becomes %v", got)
	}
}

// Where no gradient reaches a projection, its start changes nothing, and can be trained.
func TestStartsWithoutGradient(t *testing.T) {
	at := model.Projection{Name: "q_proj", Out: 20, In: 30}
	zero := simd.Dense(make([]float32, 600), 20, 30)
	for _, m := range Methods {
		if !m.Need(Gradient) {
			continue
		}
		target := spectrum.Target{Projection: at, Pairs: m.pairs(4)}
		sp, err := spectrum.Leading(target, zero, 1)
		if err != nil {
			t.Fatal(err)
		}
		module := m.New(at, 4, 2)
		pairs, err := m.Start(module, &Given{StartOptions: StartOptions{Gamma: m.Gamma, FirstRate: 1e-3}, W: zero, Gradient: &spectrum.Gradient{Target: target, Spectrum: sp, G: zero}})
		if err != nil || pairs != 0 {
			t.Errorf("%s: %d pairs, %v", m.Name, pairs, err)
		}
		module.Sync()
		p := simd.NewPool(1)
		x, y := simd.Dense(make([]float32, 60), 2, 30), simd.Dense(make([]float32, 40), 2, 20)
		for i := range x.Data {
			x.Data[i] = float32(i%7) - 3
		}
		module.Forward(p, y, x)
		if slices.Max(y.Data) != 0 || slices.Min(y.Data) != 0 {
			t.Errorf("%s: the start adds %g", m.Name, y.Data)
		}
		for i := range y.Data {
			y.Data[i] = float32(i%5) - 1
		}
		module.Backward(p, simd.View{}, y, x)
		p.Close()
		if !slices.ContainsFunc(module.Params(), func(p *Param) bool { return slices.Max(p.Grad) > 0 }) {
			t.Errorf("%s: no gradient reaches a parameter", m.Name)
		}
	}
}

// What a module holds is what its method says to the plan.
func TestSizeIsWhatModulesHold(t *testing.T) {
	const T, R = 11, 8
	at := model.Projection{Name: "q_proj", Out: 20, In: 30}
	p := simd.NewPool(1)
	defer p.Close()
	for _, m := range Methods {
		module := m.New(at, R, 1)
		x, y := simd.Dense(make([]float32, T*at.In), T, at.In), simd.Dense(make([]float32, T*at.Out), T, at.Out)
		dx := simd.Dense(make([]float32, T*at.In), T, at.In)
		module.Sync()
		module.Forward(p, y, x)
		module.Backward(p, dx, y, x)
		held, buffers := 0, 0
		count := func(l *Layer) {
			held += len(l.A) + len(l.DA) + len(l.at) + len(l.Bt) + len(l.DBt) + len(l.b)
			buffers += len(l.h) + len(l.dh)
		}
		switch l := module.(type) {
		case *Layer:
			if count(l); l.offset != nil {
				count(l.offset)
			}
		case *denseDelta:
			held = len(l.w) + len(l.dw) + len(l.wt)
		case *core:
			count(l.outer)
			held += len(l.r) + len(l.dr) + len(l.rt)
			buffers += len(l.h) + len(l.z) + len(l.dh)
		}
		trained := 0
		for _, p := range module.Params() {
			trained += len(p.Value)
		}
		got := Size{Trained: trained, Held: held, PerToken: buffers / T}
		if m == GoRA { // and what raising low ranks may add
			got.Held, got.PerToken = got.Held*3/2, got.PerToken*3/2
		}
		if want := m.Size(at, R); got != want {
			t.Errorf("%s: %+v, want %+v", m.Name, want, got)
		}
	}
}

// A start that makes the model worse than the base is halved until it does not, and
// reports it.
func TestNeverWorseThanTheBase(t *testing.T) {
	halvings := 0
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e := newEngine(t, c, 2)
		losses := func(gamma float64) (*StartReport, []*Layer) {
			o := options
			o.Gamma = gamma
			a, report, err := Start(t.Context(), e, config(c, LoRAOne, "all-linear"), c.Seqs(0, 4), o)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(e.Adapters(), func(a model.Adapter) bool { return a != nil }) {
				t.Error("the engine has other adapters than before")
			}
			a.Attach(e)
			defer e.SetAdapters(nil)
			loss, err := spectrum.Loss(t.Context(), e, c.Seqs(0, 4))
			if err != nil || loss != report.StartLoss {
				t.Errorf("γ %g: the loss is %g, reported %g, %v", gamma, loss, report.StartLoss, err)
			}
			return report, layers(a)
		}
		fine, _ := losses(1e6)
		if fine.Halvings != 0 || !(fine.StartLoss < fine.BaseLoss) {
			t.Errorf("a small step was halved %d times: from %g to %g", fine.Halvings, fine.BaseLoss, fine.StartLoss)
		}
		worse, halved := losses(0.5)
		halvings += worse.Halvings // none where norms behind a half keep any step small
		if worse.Halvings > mostHalvings || !(worse.StartLoss <= worse.BaseLoss) || worse.BaseLoss != fine.BaseLoss {
			t.Errorf("a large step was halved %d times: from %g to %g", worse.Halvings, worse.BaseLoss, worse.StartLoss)
		}
		for _, l := range halved { // γ of the start as it is now
			sp, err := spectrum.Leading(spectrum.Target{Projection: l.Projection, Pairs: 1}, simd.Dense(delta(l), l.Out, l.In), 0)
			if err != nil {
				t.Fatal(err)
			}
			golden.Near(t, l.Name, sp.S[0], float64(l.Scale)/0.5*math.Pow(0.5, float64(worse.Halvings)), 1e-5)
		}
		if worse.BaseLoss > math.Log(float64(e.Model().Config.VocabSize)) {
			return // a random model is worse than one that an endless step has made say nothing
		}
		if endless, _ := losses(1e-9); endless.Halvings != mostHalvings || !(endless.StartLoss > endless.BaseLoss) {
			t.Errorf("an endless step was halved %d times: from %g to %g", endless.Halvings, endless.BaseLoss, endless.StartLoss)
		}
	})
	if halvings == 0 {
		t.Error("no large step was halved")
	}
}

// What a file holds of a trained module is what it adds.
func TestLowRankIsWhatModulesAdd(t *testing.T) {
	const T, R = 5, 4
	at := model.Projection{Name: "q_proj", Out: 9, In: 12}
	p := simd.NewPool(1)
	defer p.Close()
	for _, m := range Methods {
		rng := rand.New(rand.NewPCG(8, 0))
		module := m.New(at, R, 1.5)
		for _, x := range append(module.Params(), module.Frozen()...) {
			fill(rng, x.Value)
		}
		module.Sync()
		if m, ok := module.(Truncator); ok {
			m.Truncate()
		}
		x, y := simd.Dense(make([]float32, T*at.In), T, at.In), simd.Dense(make([]float32, T*at.Out), T, at.Out)
		fill(rng, x.Data)
		module.Forward(p, y, x)
		f := module.LowRank().Folded()
		h := product(x, simd.Dense(transposed(f.A, f.R, f.In), f.In, f.R), 1)
		want := product(simd.Dense(h, T, f.R), simd.Dense(transposed(f.B, f.Out, f.R), f.R, f.Out), 1)
		golden.Close(t, m.Name, y.Data, want, 1e-5)
	}
}

// A dense ΔW of no more than the rank loses nothing to its file; another loses the share of
// its squares that is said, and is then what the file holds. Any change forgets that.
func TestTruncate(t *testing.T) {
	const R = 3
	at := model.Projection{Name: "q_proj", Out: 9, In: 12}
	for _, rank := range []int{0, 1, R, R + 2} {
		d := newDelta(at, R, 1).(*denseDelta)
		rng := rand.New(rand.NewPCG(uint64(rank), 0))
		var want float64
		for k := range rank { // disjoint entries: singular values 1, 2, 3, …
			d.w[k*at.In+k] = float32(k + 1)
			if k >= rank-R {
				want += float64((k + 1) * (k + 1))
			}
		}
		before := slices.Clone(d.w)
		d.Sync()
		kept, all := d.Truncate()
		golden.Near(t, "kept", kept, want, 1e-5)
		golden.Near(t, "all", all, squares(before), 1e-6)
		l := d.LowRank()
		if l.R != R {
			t.Errorf("rank %d in the file, want %d", l.R, R)
		}
		golden.Close(t, "ΔW", d.w, product(simd.Dense(l.B, at.Out, R), simd.Dense(l.A, R, at.In), l.Scale), 1e-6)
		if rank <= R {
			golden.Close(t, "ΔW of the rank", d.w, before, 1e-5)
		}
		fill(rng, d.w)
		d.Sync()
		golden.Near(t, "the largest value after a change", float64(slices.Max(d.LowRank().A)), float64(slices.Max(freshLow(d).A)), 1e-9)
	}
}

func freshLow(d *denseDelta) LowRank {
	other := newDelta(d.Projection, d.r, 1).(*denseDelta)
	copy(other.w, d.w)
	return other.LowRank()
}
