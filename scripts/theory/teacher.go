package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
)

// A teacher of fine-tuning beyond kernels (arXiv 2411.15385), y = Σⱼ λⱼ·σ(⟨wⱼ + cⱼu, x⟩) of k
// neurons, differs from its base by a matrix of rank one, c·uᵀ, as large as the base. The
// student learns B·A in its place by online SGD: each step sees one new standard normal x.
type teacher struct {
	k, d   int
	w      [][]float64 // k rows of the base, unit vectors; zeros from scratch
	lambda []float64   // ±1/√k
	c      []float64   // ±1
	u      []float64   // a unit vector
	rng    *rand.Rand
}

func newTeacher(k, d int, scratch bool, seed uint64) *teacher {
	p := &teacher{k: k, d: d, rng: rand.New(rand.NewPCG(seed, uint64(d)))}
	p.u = p.unit()
	for j := range k {
		row := p.unit()
		if scratch {
			clear(row)
		}
		p.w = append(p.w, row)
		p.lambda = append(p.lambda, sign(j%2)/math.Sqrt(float64(k)))
		p.c = append(p.c, sign(j/2%2))
	}
	return p
}

func sign(odd int) float64 { return float64(1 - 2*odd) }

func (p *teacher) input() []float64 {
	x := make([]float64, p.d)
	for i := range x {
		x[i] = p.rng.NormFloat64()
	}
	return x
}

func (p *teacher) unit() []float64 {
	x := p.input()
	norm := math.Sqrt(inner(x, x))
	for i := range x {
		x[i] /= norm
	}
	return x
}

func inner(x, y []float64) (sum float64) {
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// link is σ: bounded, and without a linear part for inputs of variance one: without a base,
// its information exponent of 3 makes a direction hard to find.
func link(z float64) float64 { return math.Sin(z)/math.Exp(-0.5) - math.Sin(2*z)/(2*math.Exp(-2)) }

func slope(z float64) float64 { return math.Cos(z)/math.Exp(-0.5) - math.Cos(2*z)/math.Exp(-2) }

// A change is B·A for B k×1 and A 1×d.
type change struct{ b, a []float64 }

// lora is LoRA's start: A normal of about unit length, B zero.
func (p *teacher) lora() change {
	return change{make([]float64, p.k), p.unit()}
}

// gradients returns what neuron j's input has as gradient of ½(ŷ-y)², for a new x.
func (p *teacher) gradients(s change) (g, x []float64) {
	x = p.input()
	g = make([]float64, p.k)
	along, ax := inner(p.u, x), inner(s.a, x)
	var off float64
	for j, row := range p.w {
		base := inner(row, x)
		z := base + s.b[j]*ax
		off += p.lambda[j] * (link(z) - link(base+p.c[j]*along))
		g[j] = p.lambda[j] * slope(z)
	}
	for j := range g {
		g[j] *= off
	}
	return g, x
}

// spectral is the leading part of rank one of -G, the mean over n inputs at the base, made
// as large as the change is: half of it in each factor. It is found by the power method.
func (p *teacher) spectral(n int, size float64) change {
	zero := change{make([]float64, p.k), make([]float64, p.d)}
	mean := make([][]float64, p.k)
	for j := range mean {
		mean[j] = make([]float64, p.d)
	}
	for range n {
		g, x := p.gradients(zero)
		for j, v := range g {
			for i, xi := range x {
				mean[j][i] -= v * xi
			}
		}
	}
	b := make([]float64, p.k)
	a := p.unit()
	for range 50 {
		for j, row := range mean {
			b[j] = inner(row, a)
		}
		clear(a)
		for j, row := range mean {
			for i, v := range row {
				a[i] += b[j] * v
			}
		}
		scale(a, 1/math.Sqrt(inner(a, a)))
	}
	for j, row := range mean {
		b[j] = inner(row, a)
	}
	scale(b, math.Sqrt(size)/math.Sqrt(inner(b, b)))
	scale(a, math.Sqrt(size))
	return change{b, a}
}

func scale(x []float64, f float64) {
	for i := range x {
		x[i] *= f
	}
}

// off is ‖B·A - c·uᵀ‖/‖c·uᵀ‖.
func (p *teacher) off(s change) float64 {
	bb, aa, bc, au := inner(s.b, s.b), inner(s.a, s.a), inner(s.b, p.c), inner(s.a, p.u)
	size := float64(p.k)
	return math.Sqrt(max(0, bb*aa-2*bc*au+size) / size)
}

// recovery returns the steps of online SGD until off is below 0.1, most where it is not.
func (p *teacher) recovery(s change, rate float64, most int) int {
	for t := range most {
		if t%8 == 0 && p.off(s) < 0.1 {
			return t
		}
		g, x := p.gradients(s)
		ax, gb := inner(s.a, x), inner(g, s.b)
		for j, v := range g {
			s.b[j] -= rate * v * ax
		}
		for i, v := range x {
			s.a[i] -= rate * gb * v
		}
	}
	return most
}

// A finetuning is a start of the student, and whether it has a base.
type finetuning struct {
	name     string
	k        int
	spectral bool
	scratch  bool
}

var finetunings = []finetuning{
	{"1 neuron, LoRA", 1, false, false},
	{"1 neuron, spectral start", 1, true, false},
	{"4 neurons, LoRA", 4, false, false},
	{"4 neurons, spectral start", 4, true, false},
	{"1 neuron, LoRA without a base", 1, false, true},
}

// The rate is sgdRate/d. A spectral start takes startInputs·d inputs and is a quarter of
// the change in size: how large the change is, a gradient does not say. No way takes more
// than mostPerInput·d inputs.
const (
	sgdRate      = 0.03
	startInputs  = 8
	startSize    = 0.25
	mostPerInput = 400
)

// inputs returns how many inputs a way takes to strong recovery, those of its start
// included: the median over seeds, and whether that is less than the most.
func (v finetuning) inputs(d, seeds int) (median int, recovered bool) {
	var all []int
	for seed := range seeds {
		p := newTeacher(v.k, d, v.scratch, uint64(seed+1))
		n, s := 0, p.lora()
		if v.spectral {
			n = startInputs * d
			s = p.spectral(n, startSize)
		}
		all = append(all, n+p.recovery(s, sgdRate/float64(d), mostPerInput*d-n))
	}
	slices.Sort(all)
	median = all[seeds/2]
	return median, median < mostPerInput*d
}

func fineTunings(w io.Writer) []byte {
	fmt.Fprintf(w, "\n6. Online SGD on a change of rank one: inputs until ‖BA-cuᵀ‖ < 0.1·‖cuᵀ‖, median of 5 seeds (at most %d·d)\n", mostPerInput)
	plot := plot{title: "Inputs to strong recovery of a change of rank one", x: "dimension d", y: "inputs", logX: true, logY: true}
	for _, v := range finetunings {
		fmt.Fprintf(w, "   %-34s", v.name)
		var dims, inputs []float64
		for d := 32; d <= 256; d *= 2 {
			n, ok := v.inputs(d, 5)
			if !ok {
				fmt.Fprintf(w, "  d %d: –", d)
				if v.scratch { // nor for a larger one
					break
				}
				continue
			}
			fmt.Fprintf(w, "  d %d: %d", d, n)
			dims, inputs = append(dims, float64(d)), append(inputs, float64(n))
		}
		if len(dims) > 1 {
			fmt.Fprintf(w, "  slope %.2f", exponent(dims, inputs))
			plot.add(v.name, dims, inputs)
		}
		fmt.Fprintln(w)
	}
	return plot.svg()
}

// exponent is the slope of y over x in logarithms, between the ends.
func exponent(x, y []float64) float64 {
	n := len(x) - 1
	return math.Log(y[n]/y[0]) / math.Log(x[n]/x[0])
}
