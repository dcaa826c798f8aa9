package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/finetune/train/optim"
)

// A plot is well-formed, and every number of its lines and ticks lies inside of it.
func TestPlotsStayInside(t *testing.T) {
	long := make([]float64, 100)
	for i := range long {
		long[i] = math.Exp(-float64(i) / 7)
	}
	for _, p := range []plot{
		{title: "a < b & c", x: "x", y: "y", lines: []line{{"one", count(100), long}, {"two", count(3), []float64{0, 1, 2}}}},
		{title: "logarithms", x: "x", y: "y", logX: true, logY: true, lines: []line{{"one", count(100), long}, {"two", []float64{32, 256}, []float64{1, 2}}}},
	} {
		x, y := p.axis(p.logX, func(l line) []float64 { return l.x }, left, width-left-right), p.axis(p.logY, func(l line) []float64 { return l.y }, 0, 1)
		if n := len(x.ticks()); n < 2 || n > 12 {
			t.Errorf("%s: %d ticks at x: %v", p.title, n, x.ticks())
		}
		if n := len(y.ticks()); n < 2 || n > 12 {
			t.Errorf("%s: %d ticks at y: %v", p.title, n, y.ticks())
		}
		d := xml.NewDecoder(bytes.NewReader(p.svg()))
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", p.title, err)
			}
			element, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			for _, a := range element.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s: %s of %s is %s", p.title, a.Name.Local, element.Name.Local, a.Value)
				}
				if v, err := strconv.ParseFloat(a.Value, 64); err == nil && (a.Name.Local == "x" || a.Name.Local == "cx") && (v < 0 || v > width) {
					t.Errorf("%s: %s is %g", p.title, a.Name.Local, v)
				}
			}
		}
	}
}

// The names beside the frame are not cut off: letters take 7 pixels and less.
func TestNamesFit(t *testing.T) {
	names := []string{"preconditioned, κ 100"}
	for _, v := range slices.Concat(ways, overWays) {
		names = append(names, v.name)
	}
	for _, v := range finetunings {
		names = append(names, v.name)
	}
	for _, k := range compared {
		names = append(names, k.Title)
	}
	for _, name := range names {
		if n := 7 * utf8.RuneCountInString(name); n > right-44 {
			t.Errorf("%s takes %d pixels", name, n)
		}
	}
	for v, want := range map[float64]string{0: "0", math.Copysign(0, -1): "0", 1e-3: "0.001", 1e-6: "1e-6", 2e4: "20000", 1e-12: "1e-12", 0.25: "0.25"} {
		if got := number(v); got != want {
			t.Errorf("%g is written %s, want %s", v, got, want)
		}
	}
}

// What must be seen in each experiment, in smaller versions of it.

func TestLoRATurnsToTheGradientBeforeItLearns(t *testing.T) {
	last := 0.3
	for _, size := range []float64{1e-1, 1e-3, 1e-5} {
		angles, errors := alignment(size, 30)
		at := least(angles)
		if angles[at] > last/3 && size < 1e-1 || angles[at] > last {
			t.Errorf("A of %g: the least angle is %g, after %g", size, angles[at], last)
		}
		if errors[at] < 0.3 {
			t.Errorf("A of %g: the error is already %g at the least angle", size, errors[at])
		}
		last = angles[at]
	}
	p := newProblem(samples, 1, 1)
	start := p.spectral(2 * trueRank)
	if angle, off := p.angle(start), p.step(start, 0, 0); angle > 1e-10 || off > 0.3 {
		t.Errorf("the spectral start has angle %g and error %g", angle, off)
	}
}

func TestOneGradientSuffices(t *testing.T) {
	for _, kappa := range []float64{1, 100} {
		few, many := startError(192, 3, kappa), startError(3072, 3, kappa)
		if ratio := few / many; ratio < 3.3 || ratio > 4.8 { // √16
			t.Errorf("κ %g: %g with 192 inputs, %g with 3072", kappa, few, many)
		}
	}
}

func TestPreconditionedRateDoesNotDependOnTheConditionNumber(t *testing.T) {
	preconditioned, descent := ways[2], ways[1]
	round, _ := preconditioned.steps(1, 200)
	flat, _ := preconditioned.steps(100, 200)
	if round >= 60 || flat < round-2 || flat > round+2 {
		t.Errorf("%d steps at κ 1, %d at κ 100", round, flat)
	}
	if slow, _ := descent.steps(100, 10*flat); slow < 10*flat {
		t.Errorf("gradient descent takes %d steps at κ 100, less than ten times %d", slow, flat)
	}
}

func TestMorePairsThanNeeded(t *testing.T) {
	descent, tiny, small, large := overWays[0], overWays[1], overWays[2], overWays[3]
	for _, v := range []way{tiny, small} {
		if n, _ := v.steps(100, 200); n >= 60 {
			t.Errorf("%s: %d steps at κ 100", v.name, n)
		}
	}
	damped, _ := large.steps(100, 500)
	if damped < 60 || damped >= 500 {
		t.Errorf("%s: %d steps at κ 100, want more than with less damping", large.name, damped)
	}
	if n, _ := descent.steps(100, 5*damped); n < 5*damped {
		t.Errorf("%s: %d steps at κ 100, less than five times %d", descent.name, n, damped)
	}
}

func TestBehindAReLU(t *testing.T) {
	round, _ := reluSteps(1, trueDamping, 40)
	flat, _ := reluSteps(100, trueDamping, 40)
	if round >= 20 || flat < round-2 || flat > round+2 {
		t.Errorf("preconditioned: %d steps at κ 1, %d at κ 100", round, flat)
	}
	if slow, _ := reluSteps(10, 0, 4*flat); slow < 4*flat {
		t.Errorf("gradient descent takes %d steps at κ 10, less than four times %d", slow, flat)
	}
}

func TestUnderNoiseTheAuthorsFormIsTheWorst(t *testing.T) {
	_, _, adam := withNoise.byRate(optim.AdamW, 1)
	_, _, authors := withNoise.byRate(optim.ScaledAdamW, 1)
	_, _, ours := withNoise.byRate(optim.PreconditionedAdamW, 1)
	if !(ours < adam && adam < authors) {
		t.Errorf("errors of %g preconditioned, %g AdamW, %g scaled AdamW: want them in this order", ours, adam, authors)
	}
}

func TestWithoutNoisePreconditionersAreBetter(t *testing.T) {
	_, _, adam := withoutNoise.byRate(optim.AdamW, 1)
	_, _, authors := withoutNoise.byRate(optim.ScaledAdamW, 1)
	_, _, ours := withoutNoise.byRate(optim.PreconditionedAdamW, 1)
	if ours > adam/5 || authors > adam/5 {
		t.Errorf("errors of %g preconditioned, %g scaled AdamW, %g AdamW: want it far above both", ours, authors, adam)
	}
}

func TestFineTuningTakesInputsInProportionToTheDimension(t *testing.T) {
	for _, pair := range [][2]finetuning{{finetunings[0], finetunings[1]}, {finetunings[2], finetunings[3]}} {
		var dims, inputs []float64
		for _, d := range []int{32, 128} {
			lora, _ := pair[0].inputs(d, 3)
			spectral, ok := pair[1].inputs(d, 3)
			if !ok || float64(spectral) > 0.8*float64(lora) {
				t.Errorf("d %d, %s: %d inputs, LoRA %d", d, pair[1].name, spectral, lora)
			}
			dims, inputs = append(dims, float64(d)), append(inputs, float64(spectral))
		}
		if slope := exponent(dims, inputs); slope < 0.6 || slope > 1.3 {
			t.Errorf("%s: inputs grow as d to the %.2f", pair[1].name, slope)
		}
	}
	if n, ok := finetunings[4].inputs(32, 3); ok {
		t.Errorf("without a base it takes %d inputs only", n)
	}
}
