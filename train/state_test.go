package train

import (
	"math"
	"strings"
	"testing"

	"example.com/finetune/train/rundir"
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

// What is named is the file that a run cannot go on with, not one whose lines end otherwise now.
func TestTheChangedFileIsNamed(t *testing.T) {
	file := func(name, sum string) rundir.FileHash { return rundir.FileHash{Name: name, SHA256: sum} }
	then := state{Data: "a b", Files: []rundir.FileHash{file("train.jsonl", "1"), file("valid.jsonl", "2")}}
	for _, c := range []struct {
		data, train, valid, want string
	}{
		{"a b", "1x", "2x", ""},
		{"x b", "1x", "2", "train.jsonl is not the file"},
		{"a x", "1", "2x", "valid.jsonl is not the file"},
		{"a x", "1x", "2x", "valid.jsonl is not the file"},
		{"a x", "1x", "2", "the rows have other tokens"},
	} {
		now := state{Data: c.data, Files: []rundir.FileHash{file("train.jsonl", c.train), file("valid.jsonl", c.valid)}}
		if err := sameInputs("checkpoint", &then, &now); (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	one := state{Data: "a b", Files: []rundir.FileHash{file("rows.jsonl", "1")}}
	now := state{Data: "a x", Files: []rundir.FileHash{file("rows.jsonl", "1x")}}
	if err := sameInputs("checkpoint", &one, &now); err == nil || !strings.HasPrefix(err.Error(), "rows.jsonl is not the file") {
		t.Errorf("a row of a file that was split: %v", err)
	}
}
