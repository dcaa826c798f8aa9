package main

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/train/optim"
)

// A noisy descent trains an adapter of rank 8 for some steps of a linearly falling rate
// with an optimizer of the program, from the spectral start made small. Each gradient gets
// noise of the norm of the first, times a share.
type noisy struct {
	kappa, share float64
	steps        int
}

// off returns ‖BA-D‖/‖D‖ at the end.
func (n noisy) off(kind *optim.Kind, rate float64, seed uint64) float64 {
	const r, small = 2 * trueRank, 0.05
	p := newProblem(samples, n.kappa, seed)
	x := p.spectral(r)
	l := loraone.NewLayer(model.Projection{Name: "linear", Out: out, In: in}, r, 1)
	set := func(dst []float32, m mat.Matrix, size float64) {
		rows, cols := m.Dims()
		for i := range rows {
			for j := range cols {
				dst[i*cols+j] = float32(size * m.At(i, j))
			}
		}
	}
	set(l.A, x.a, math.Sqrt(small))
	set(l.Bt, x.b.T(), math.Sqrt(small))
	pool := simd.NewPool(1)
	defer pool.Close()
	settings := optim.Settings{Beta1: kind.Beta1, Beta2: kind.Beta2, Epsilon: 1e-8, Reg: 1e-6}
	o, err := optim.New(kind, settings, []loraone.Module{l}, pool)
	if err != nil {
		panic(err)
	}
	size := n.share * mat.Norm(p.descent(), 2) / math.Sqrt(out*in)
	for t := range n.steps {
		a, b := wide(l.A, r, in), mat.DenseCopyOf(wide(l.Bt, r, out).T())
		e := pair{b, a}.product()
		e.Sub(e, p.d)
		var g, ga, gb mat.Dense
		g.Mul(e, p.h)
		g.Add(&g, p.normal(out, in, size))
		ga.Mul(b.T(), &g)
		gb.Mul(a, g.T())
		set(l.DA, &ga, 1)
		set(l.DBt, &gb, 1)
		if err := o.Step(t, rate*(1-float64(t)/float64(n.steps))); err != nil {
			return math.Inf(1)
		}
	}
	e := pair{mat.DenseCopyOf(wide(l.Bt, r, out).T()), wide(l.A, r, in)}.product()
	e.Sub(e, p.d)
	return mat.Norm(e, 2) / mat.Norm(p.d, 2)
}

func wide(x []float32, rows, cols int) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	for i, v := range x {
		m.Set(i/cols, i%cols, float64(v))
	}
	return m
}

// byRate returns the error for each rate, the mean over seeds, and the least.
func (n noisy) byRate(kind *optim.Kind, seeds int) (rates, errors []float64, best float64) {
	best = math.Inf(1)
	for _, rate := range []float64{3e-3, 1e-2, 3e-2, 1e-1, 3e-1} {
		var mean float64
		for seed := range seeds {
			mean += n.off(kind, rate, uint64(seed+1)) / float64(seeds)
		}
		rates, errors, best = append(rates, rate), append(errors, mean), min(best, mean)
	}
	return rates, errors, best
}

// compared are the optimizers of the program that train two factors.
var compared = []*optim.Kind{optim.AdamW, optim.ScaledAdamW, optim.PreconditionedAdamW}

// The two halves: noise of fixed size, and none at a condition number that tells.
var (
	withNoise    = noisy{kappa: 30, share: 1, steps: 60}
	withoutNoise = noisy{kappa: 1000, share: 0, steps: 300}
)

func noise(w io.Writer) []byte {
	fmt.Fprintln(w, "\n5a. Behind Adam and under noise as large as the first gradient: the error after 60 steps by rate (rank 8, κ 30, 3 seeds)")
	return withNoise.draw(w, 3, "Error after 60 noisy steps")
}

func noiseless(w io.Writer) []byte {
	fmt.Fprintln(w, "\n5b. Behind Adam without noise: the error after 300 steps by rate (rank 8, κ 1000)")
	return withoutNoise.draw(w, 1, "Error after 300 steps without noise")
}

func (n noisy) draw(w io.Writer, seeds int, title string) []byte {
	plot := plot{title: title, x: "learning rate", y: "‖BA-D‖/‖D‖", logX: true, logY: true}
	for _, kind := range compared {
		rates, errors, best := n.byRate(kind, seeds)
		fmt.Fprintf(w, "   %-22s", kind.Name)
		for i, rate := range rates {
			fmt.Fprintf(w, "  %g: %.2g", rate, errors[i])
		}
		fmt.Fprintf(w, "  best %.2g\n", best)
		plot.add(kind.Title, rates, errors)
	}
	return plot.svg()
}
