// Command theory runs the experiments behind LoRA-One on small models, prints their
// tables and draws them: see scripts/theory.sh. Its figures are those of arXiv 2502.01235
// in kind, on models of our own: inputs are standard normal, D has rank 4, and steps are
// full-batch gradient descent in float64. The last is that of arXiv 2411.15385 in kind:
// online SGD on both factors of a change of rank one.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
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
	}{
		{"alignment.svg", alignments},
		{"one-gradient.svg", oneGradient},
		{"rate.svg", rates},
		{"relu.svg", relus},
		{"noise.svg", noise},
		{"noiseless.svg", noiseless},
		{"fine-tuning.svg", fineTunings},
	} {
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
		off := p.step(x, 0.5, 0)
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
		plot.add("A within "+number(size)+"/√n", count(len(angles)), angles)
	}
	p := newProblem(samples, 1, 1)
	start := p.spectral(2 * trueRank)
	fmt.Fprintf(w, "   spectral start: angle %.1e, error %.3f at step 0\n\n", p.angle(start), p.step(start, 0, 0))
	return plot.svg()
}

// startError is the error of the spectral start from N inputs, the mean over seeds.
func startError(n, seeds int, kappa float64) (sum float64) {
	for seed := range seeds {
		p := newProblem(n, kappa, uint64(seed+1))
		sum += p.step(p.spectral(trueRank), 0, 0) / float64(seeds)
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
		fmt.Fprintf(w, "  slope %.2f\n", exponent(n, errors))
		plot.add(fmt.Sprintf("κ %g", kappa), n, errors)
	}
	fmt.Fprintln(w)
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
