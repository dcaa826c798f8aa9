package main

import (
	"testing"

	"example.com/finetune/train/optim"
)

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
	if angle, off := p.angle(start), p.step(start, 0, false); angle > 1e-10 || off > 0.3 {
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

func TestUnderNoiseTheAuthorsFormIsTheWorst(t *testing.T) {
	_, _, adam := byRate(optim.AdamW, 30, 1, 1)
	_, _, authors := byRate(optim.ScaledAdamW, 30, 1, 1)
	_, _, ours := byRate(optim.PreconditionedAdamW, 30, 1, 1)
	if !(ours < adam && adam < authors) {
		t.Errorf("errors of %g preconditioned, %g AdamW, %g scaled AdamW: want them in this order", ours, adam, authors)
	}
}
