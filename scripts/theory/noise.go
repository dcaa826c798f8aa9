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

// noisy trains an adapter of rank 8 for 60 steps of a linearly falling rate with an
// optimizer of the program, from the spectral start made small. Each gradient gets noise
// of the norm of the first, times a share. It returns ‖BA-D‖/‖D‖ at the end.
func noisy(kind *optim.Kind, kappa, share, rate float64, seed uint64) float64 {
	const r, steps, small = 2 * trueRank, 60, 0.05
	p := newProblem(samples, kappa, seed)
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
	size := share * mat.Norm(p.descent(), 2) / math.Sqrt(out*in)
	for t := range steps {
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
		if err := o.Step(t, rate*(1-float64(t)/steps)); err != nil {
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
func byRate(kind *optim.Kind, kappa, share float64, seeds int) (rates, errors []float64, best float64) {
	best = math.Inf(1)
	for _, rate := range []float64{3e-3, 1e-2, 3e-2, 1e-1} {
		var mean float64
		for seed := range seeds {
			mean += noisy(kind, kappa, share, rate, uint64(seed+1)) / float64(seeds)
		}
		rates, errors, best = append(rates, rate), append(errors, mean), min(best, mean)
	}
	return rates, errors, best
}

// compared are the optimizers of the program that train two factors.
var compared = []*optim.Kind{optim.AdamW, optim.ScaledAdamW, optim.PreconditionedAdamW}

func noise(w io.Writer) []byte {
	fmt.Fprintln(w, "\n4. Behind Adam and under noise: the error after 60 steps by rate (rank 8, κ 30, noise as large as the first gradient, 3 seeds)")
	plot := plot{title: "Error after 60 noisy steps", x: "learning rate", y: "‖BA-D‖/‖D‖", logX: true, logY: true}
	for _, kind := range compared {
		rates, errors, best := byRate(kind, 30, 1, 3)
		fmt.Fprintf(w, "   %-22s", kind.Name)
		for i, rate := range rates {
			fmt.Fprintf(w, "  %g: %.3f", rate, errors[i])
		}
		fmt.Fprintf(w, "  best %.3f\n", best)
		plot.add(kind.Title, rates, errors)
	}
	return plot.svg()
}
