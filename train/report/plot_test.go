package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/train/rundir"
)

func TestPlotIsWellFormed(t *testing.T) {
	y := func(v float64) *float64 { return &v }
	var lines []rundir.Metric
	lines = append(lines, rundir.Metric{Step: 0, EvalLoss: y(1.9), BaseEvalLoss: y(2.2)})
	for i := 1; i <= 120; i++ {
		lines = append(lines, rundir.Metric{Step: i, Loss: y(1 + math.Exp(-float64(i)/30) + 0.1*math.Sin(float64(7*i)))})
		if i%12 == 0 {
			lines = append(lines, rundir.Metric{Step: i, EvalLoss: y(1.05 + math.Exp(-float64(i)/30))})
		}
	}
	for name, lines := range map[string][]rundir.Metric{"all": lines, "none": nil, "one": lines[1:2], "flat": {lines[1], lines[1]}, "only training": slices.DeleteFunc(slices.Clone(lines), func(m rundir.Metric) bool { return m.Loss == nil })} {
		svg := Plot(lines, 120)
		dec := xml.NewDecoder(bytes.NewReader(svg))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if s := string(svg); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, "%!") {
			t.Errorf("%s: a number that is none in\n%s", name, s)
		}
		if path := os.Getenv("FINETUNE_PLOT"); path != "" && name == "all" { // to look at it
			if err := os.WriteFile(path, svg, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	svg := string(Plot(lines, 120))
	if n := strings.Count(svg, `<circle class="dot"`); n != 11 {
		t.Errorf("%d evaluations drawn, want 11", n)
	}
	for _, want := range []string{"training loss", "validation loss (best at step 120)", "base model, validation", ">100<", "prefers-color-scheme:dark"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in the picture", want)
		}
	}
}

func TestTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		n      int
		want   []float64
	}{{0, 120, 8, []float64{0, 20, 40, 60, 80, 100, 120}}, {0.97, 2.3, 6, []float64{1, 1.5, 2}}, {0, 1, 8, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}}} {
		got := ticks(c.lo, c.hi, c.n)
		if len(got) != len(c.want) {
			t.Errorf("[%v,%v]: %v, want %v", c.lo, c.hi, got, c.want)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-12 {
				t.Errorf("[%v,%v]: %v, want %v", c.lo, c.hi, got, c.want)
			}
		}
	}
}
