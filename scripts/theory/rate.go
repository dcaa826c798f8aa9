package main

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/gonum/mat"
)

// A way is a start of rank r and a kind of step: with a damping λ it is preconditioned.
type way struct {
	name     string
	r        int
	spectral bool
	damping  float64
}

const trueDamping = 1e-6 // what does not show

var ways = []way{
	{"LoRA, gradient descent", trueRank, false, 0},
	{"spectral start, gradient descent", trueRank, true, 0},
	{"spectral start, preconditioned", trueRank, true, trueDamping},
}

// overWays have more pairs than D has, which start as LoRA's do.
var overWays = []way{
	{"rank 8, gradient descent", 2 * trueRank, true, 0},
	{"rank 8, preconditioned, λ 1e-6", 2 * trueRank, true, trueDamping},
	{"rank 8, preconditioned, λ 1e-3", 2 * trueRank, true, 1e-3},
	{"rank 8, preconditioned, λ 0.1", 2 * trueRank, true, 0.1},
}

// start is where the way begins.
func (v way) start(p *problem) pair {
	if !v.spectral {
		return p.lora(v.r, 1)
	}
	x, spare := p.spectral(trueRank), p.lora(v.r, 1)
	b, a := mat.NewDense(out, v.r, nil), mat.DenseCopyOf(spare.a)
	b.Slice(0, out, 0, trueRank).(*mat.Dense).Copy(x.b)
	a.Slice(0, trueRank, 0, in).(*mat.Dense).Copy(x.a)
	return pair{b, a}
}

// steps returns how many steps take the error below 1e-6 at the best of some rates, most
// where none does, and the errors of that run.
func (v way) steps(kappa float64, most int) (int, []float64) {
	return fewest([]float64{1, 0.5, 0.25}, 1e-6, most, func() func(rate float64) float64 {
		p := newProblem(samples, kappa, 1)
		x := v.start(p)
		return func(rate float64) float64 { return p.step(x, rate, v.damping) }
	})
}

// fewest runs a descent, whose steps return the error before them, at several rates, and
// returns the fewest steps that take the error below a bound, most where none does, and
// the errors of that run, of the last one where none does.
func fewest(rates []float64, below float64, most int, descent func() func(rate float64) float64) (best int, errors []float64) {
	best = most
	for _, rate := range rates {
		step := descent()
		var run []float64
		for len(run) <= best {
			off := step(rate)
			if math.IsNaN(off) || off > 1e3 {
				run = nil
				break
			}
			if run = append(run, off); off < below {
				break
			}
		}
		n := len(run)
		switch {
		case n > 0 && run[n-1] < below && n-1 <= best:
			best, errors = n-1, run
		case n > 0 && best == most:
			errors = run
		}
	}
	return best, errors
}

// mostSteps caps the slow ways: LoRA at κ 100 takes longer.
const mostSteps = 3000

func rates(w io.Writer) []byte {
	fmt.Fprintf(w, "3. Steps to an error of 1e-6 at the best rate of 1, ½, ¼: preconditioned they do not depend on κ (at most %d)\n", mostSteps)
	plot := plot{title: "Error by step, κ 10", x: "step", y: "‖BA-D‖/‖D‖", logX: true, logY: true}
	row := func(name string, most int, kappas []float64, steps func(kappa float64, most int) (int, []float64)) {
		fmt.Fprintf(w, "   %-34s", name)
		for _, kappa := range kappas {
			n, errors := steps(kappa, most)
			fmt.Fprintf(w, "  κ %g: %s", kappa, atMost(n, most))
			if kappa == 10 {
				plot.add(name, count(len(errors)), errors)
			}
		}
		fmt.Fprintln(w)
	}
	for _, v := range ways {
		row(v.name, mostSteps, []float64{1, 10, 100}, v.steps)
	}
	fmt.Fprintln(w, "\n4a. The same with more pairs than D has")
	for _, v := range overWays {
		row(v.name, mostSteps, []float64{1, 100}, v.steps)
	}
	return plot.svg()
}

func atMost(n, most int) string {
	if n == most {
		return "–"
	}
	return fmt.Sprint(n)
}

// A relu is y = relu((W₀+½D)·x) of outReLU outputs and inReLU inputs: find ½D as B·A, by
// the gradient of the mean of ½‖ŷ-y‖² over samplesReLU inputs.
type relu struct {
	w, d, x, y *mat.Dense // samples are rows of x and y
}

const outReLU, inReLU, samplesReLU = 32, 48, 4000

func newReLU(kappa float64) *relu {
	p, draw := new(relu), newProblem(1, 1, 1)
	p.d = draw.target(outReLU, inReLU, kappa)
	p.d.Scale(0.5, p.d)
	p.w = draw.normal(outReLU, inReLU, 1/math.Sqrt(inReLU))
	p.x = draw.normal(samplesReLU, inReLU, 1)
	p.y = p.outputs(p.d)
	rectify(p.y, nil)
	return p
}

// outputs are (W₀+Δ)·x before the ReLU.
func (p *relu) outputs(change *mat.Dense) *mat.Dense {
	var w, z mat.Dense
	w.Add(p.w, change)
	z.Mul(p.x, w.T())
	return &z
}

// rectify replaces values of z below zero, and those of other in their places, by zero.
func rectify(z, other *mat.Dense) {
	values := z.RawMatrix().Data
	for i, v := range values {
		if v < 0 {
			values[i] = 0
			if other != nil {
				other.RawMatrix().Data[i] = 0
			}
		}
	}
}

// gradient is ∂L/∂Δ = (1/N)·Σ ((ŷ-y)∘1[z>0])·xᵀ, z being what the ReLU gets.
func (p *relu) gradient(change *mat.Dense) *mat.Dense {
	z := p.outputs(change)
	off := mat.DenseCopyOf(p.y)
	off.Scale(-1, off)
	rectify(z, off) // y where the ReLU is shut has no gradient
	off.Add(off, z)
	var g mat.Dense
	g.Mul(off.T(), p.x)
	g.Scale(1.0/samplesReLU, &g)
	return &g
}

// start is twice the leading part of the negative gradient: a ReLU is open half the time.
func (p *relu) start() pair {
	g := p.gradient(mat.NewDense(outReLU, inReLU, nil))
	g.Scale(-2, g)
	return halves(leading(g, trueRank))
}

// reluSteps returns how many steps take ‖BA-½D‖/‖½D‖ below 1e-3, as way.steps does.
func reluSteps(kappa, damping float64, most int) (int, []float64) {
	p := newReLU(kappa)
	return fewest([]float64{2, 1}, 1e-3, most, func() func(rate float64) float64 {
		x := p.start()
		return func(rate float64) float64 {
			e := x.product()
			g := p.gradient(e)
			e.Sub(e, p.d)
			x.step(g, rate, damping)
			return mat.Norm(e, 2) / mat.Norm(p.d, 2)
		}
	})
}

// mostReLU caps gradient descent, which takes most of a minute at κ 100.
const mostReLU = 150

func relus(w io.Writer) []byte {
	fmt.Fprintf(w, "\n4b. Behind a ReLU, to an error of 1e-3 at the best rate of 2, 1 (at most %d)\n", mostReLU)
	plot := plot{title: "Error by step behind a ReLU", x: "step", y: "‖BA-½D‖/‖½D‖", logX: true, logY: true}
	for _, v := range []struct {
		name    string
		damping float64
	}{{"gradient descent", 0}, {"preconditioned", trueDamping}} {
		fmt.Fprintf(w, "   %-34s", "spectral start, "+v.name)
		for _, kappa := range []float64{1, 10, 100} {
			n, errors := reluSteps(kappa, v.damping, mostReLU)
			fmt.Fprintf(w, "  κ %g: %s", kappa, atMost(n, mostReLU))
			plot.add(fmt.Sprintf("%s, κ %g", v.name, kappa), count(len(errors)), errors)
		}
		fmt.Fprintln(w)
	}
	return plot.svg()
}
