// Command theory runs the experiments behind LoRA-One on a linear model, prints their
// tables and draws them: see scripts/theory.sh. Its figures are those of arXiv 2502.01235
// in kind, on a model of our own: inputs are standard normal, D has rank 4, and steps are
// full-batch gradient descent in float64.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("out", "theory", "`folder` of the plots")
	flag.Parse()
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		log.Fatal(err)
	}
	for _, x := range []struct {
		name string
		draw func(io.Writer) []byte
	}{{"alignment.svg", alignments}, {"one-gradient.svg", oneGradient}, {"rate.svg", rates}, {"noise.svg", noise}} {
		if err := os.WriteFile(filepath.Join(*dir, x.name), x.draw(os.Stdout), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// alignment runs LoRA of rank 8 by gradient descent, and returns the angle and the error
// by step.
func alignment(size float64, steps int) (angles, errors []float64) {
	p := newProblem(samples, 1, 1)
	x := p.lora(2*trueRank, size)
	for range steps {
		off := p.step(x, 0.5, false)
		angles, errors = append(angles, p.angle(x)), append(errors, off)
	}
	return angles, errors
}

func least(x []float64) (at int) {
	for i, v := range x {
		if v < x[at] {
			at = i
		}
	}
	return at
}

func alignments(w io.Writer) []byte {
	fmt.Fprintln(w, "1. LoRA first turns to the gradient's subspace, then learns (rank 8, true rank 4, κ 1, rate 0.5)")
	fmt.Fprintln(w, "   size of A   least angle   at step   error there")
	plot := plot{title: "Angle of LoRA's subspace to the gradient's", x: "step", y: "sine of the largest angle", logY: true}
	for _, size := range []float64{1e-1, 1e-3, 1e-5} {
		angles, errors := alignment(size, 40)
		t := least(angles)
		fmt.Fprintf(w, "   %9g   %11.4f   %7d   %11.3f\n", size, angles[t], t+1, errors[t])
		plot.add(fmt.Sprintf("A within %g/√n", size), count(len(angles)), angles)
	}
	p := newProblem(samples, 1, 1)
	start := p.spectral(2 * trueRank)
	fmt.Fprintf(w, "   spectral start: angle %.1e, error %.3f at step 0\n\n", p.angle(start), p.step(start, 0, false))
	return plot.svg()
}

// startError is the error of the spectral start from N inputs, the mean over seeds.
func startError(n, seeds int, kappa float64) (sum float64) {
	for seed := range seeds {
		p := newProblem(n, kappa, uint64(seed+1))
		sum += p.step(p.spectral(trueRank), 0, false) / float64(seeds)
	}
	return sum
}

func oneGradient(w io.Writer) []byte {
	fmt.Fprintln(w, "2. One gradient suffices: the error of its leading part falls as √(n/N), whatever κ (5 seeds)")
	plot := plot{title: "Error of the start from one gradient", x: "inputs N", y: "‖B₀A₀-D‖/‖D‖", logX: true, logY: true}
	for _, kappa := range []float64{1, 10, 100} {
		var n, errors []float64
		fmt.Fprintf(w, "   κ %-4g", kappa)
		for size := 192; size <= 6144; size *= 2 {
			n, errors = append(n, float64(size)), append(errors, startError(size, 5, kappa))
			fmt.Fprintf(w, "  N %d: %.3f", size, errors[len(errors)-1])
		}
		fmt.Fprintf(w, "  slope %.2f\n", math.Log(errors[len(errors)-1]/errors[0])/math.Log(n[len(n)-1]/n[0]))
		plot.add(fmt.Sprintf("κ %g", kappa), n, errors)
	}
	fmt.Fprintln(w)
	return plot.svg()
}

// A way is a start and a kind of step.
type way struct {
	name         string
	spectral     bool
	precondition bool
}

var ways = []way{
	{"LoRA, gradient descent", false, false},
	{"spectral start, gradient descent", true, false},
	{"spectral start, preconditioned", true, true},
}

// steps returns how many steps take the error below 1e-6 at the best of some rates, most
// where none does, and the errors of that run.
func (v way) steps(kappa float64, most int) (best int, errors []float64) {
	best = most
	for _, rate := range []float64{1, 0.5, 0.25} {
		p := newProblem(samples, kappa, 1)
		x := p.lora(trueRank, 1)
		if v.spectral {
			x = p.spectral(trueRank)
		}
		var run []float64
		for len(run) < best {
			off := p.step(x, rate, v.precondition)
			if math.IsNaN(off) || off > 1e3 {
				run = nil
				break
			}
			if run = append(run, off); off < 1e-6 {
				break
			}
		}
		if n := len(run); n > 0 && (errors == nil || run[n-1] < 1e-6 && n < best) {
			errors = run
			if run[n-1] < 1e-6 {
				best = n - 1
			}
		}
	}
	return best, errors
}

// mostSteps caps the slow ways: LoRA at κ 100 takes longer.
const mostSteps = 3000

func rates(w io.Writer) []byte {
	fmt.Fprintf(w, "3. Steps to an error of 1e-6 at the best rate of 1, ½, ¼: preconditioned they do not depend on κ (at most %d)\n", mostSteps)
	plot := plot{title: "Error by step, κ 10", x: "step", y: "‖BA-D‖/‖D‖", logX: true, logY: true}
	for _, v := range ways {
		fmt.Fprintf(w, "   %-34s", v.name)
		for _, kappa := range []float64{1, 10, 100} {
			n, errors := v.steps(kappa, mostSteps)
			text := fmt.Sprint(n)
			if n == mostSteps {
				text = "–"
			}
			fmt.Fprintf(w, "  κ %g: %s", kappa, text)
			if kappa == 10 {
				plot.add(v.name, count(len(errors)), errors)
			}
		}
		fmt.Fprintln(w)
	}
	return plot.svg()
}

// count returns 1, 2, …, n.
func count(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i + 1)
	}
	return x
}
