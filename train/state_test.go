package train

import (
	"math"
	"strings"
	"testing"
)

func TestRisingLoss(t *testing.T) {
	noise := func(step int) float64 { return math.Sin(float64(step) * 12.9898) }
	for what, c := range map[string]struct {
		loss func(step int) float64
		told int // the step of the warning, 0 for none
	}{
		"a run that learns":        {func(s int) float64 { return 3*math.Exp(-float64(s)/50) + 0.3*noise(s) + 1 }, 0},
		"one that has learnt":      {func(s int) float64 { return 2 + 0.8*noise(s) }, 0},
		"one near zero":            {func(s int) float64 { return 0.01 + 0.02*math.Abs(noise(s/7)) }, 0},
		"single bad batches":       {func(s int) float64 { return 2 + 50*math.Floor(1-float64(min(s%9, 1))) }, 0},
		"one step up":              {func(s int) float64 { return 2 + math.Floor(float64(s)/100) }, 0},
		"a slow rise":              {func(s int) float64 { return 1 + float64(s)/500 }, 150},
		"a rise after a good time": {func(s int) float64 { return 2 + max(-1, math.Abs(float64(s)-100)/50-2) }, 180},
		"an explosion":             {func(s int) float64 { return math.Pow(1.1, float64(s)) }, 30},
	} {
		var r rise
		told, text := 0, ""
		for step := 1; step <= 200; step++ {
			if w := r.add(step, c.loss(step)); w != "" {
				if told > 0 {
					t.Errorf("%s: told twice", what)
				}
				told, text = step, w
			}
		}
		if told != c.told || told > 0 && !strings.Contains(text, "the training loss is rising: ") {
			t.Errorf("%s: told at step %d, want %d: %s", what, told, c.told, text)
		}
	}
}
