// Package golden reads the numbers that PyTorch, transformers and PEFT computed
// for small models. It is for tests alone.
package golden

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// A Case is one model folder and its expected numbers; the fields are those of
// expected.json, which testdata/golden/README.md describes.
type Case struct {
	Name, Dir string // Dir holds the model

	Targets      []string
	Rank         int
	Alpha        float64
	Gamma        float64
	Reg          float64
	InitSamples  int `json:"init_samples"`
	Sequences    []Sequence
	LossSums     []float64 `json:"loss_sums"`
	TargetCounts []int     `json:"target_counts"`
	Greedy       struct{ Prompt, Tokens []int32 }
	GivenLoss    float64 `json:"given_loss"`
	Init         map[string]struct {
		Frobenius      float64
		SingularValues []float64 `json:"singular_values"`
	}
	Train struct {
		LR, Warmup, Clip, WD, Lam float64
		Runs                      map[string]Curve
	}
	Preconditioned struct { // preconditioned.json, by scripts/golden_preconditioned.py
		Rate, Warmup, Clip, WD float64
		Curve
	} `json:"-"`
	Shared struct { // shared.json, by scripts/golden_shared.py: rows that begin alike
		Rank      int
		Alpha     float64
		Sequences []Sequence
		Weights   []float32
		LossSums  []float64 `json:"loss_sums"`
	} `json:"-"`

	tensors, shared *safetensors.File
}

// A Sequence is a row as the files have it.
type Sequence struct {
	IDs  []int32
	Mask []bool `json:"learn"`
}

// A Curve is a run of ten steps.
type Curve struct {
	Loss      []float64
	GradNorm  []float64 `json:"grad_norm"`
	LR        []float64
	LossAfter float64 `json:"loss_after"`
}

// Each runs f for every case under root/testdata/golden, where root leads to
// package model, and under the folders named in FINETUNE_GOLDEN.
func Each(t *testing.T, root string, f func(t *testing.T, c *Case)) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(root, "testdata/golden/*/expected.json"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no golden cases under %s (%v)", root, err)
	}
	for _, extra := range filepath.SplitList(os.Getenv("FINETUNE_GOLDEN")) {
		more, err := filepath.Glob(filepath.Join(extra, "*/expected.json"))
		if err != nil || len(more) == 0 {
			t.Fatalf("FINETUNE_GOLDEN: no cases under %s (%v)", extra, err)
		}
		dirs = append(dirs, more...)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) { f(t, read(t, root, dir)) })
	}
}

func read(t *testing.T, root, dir string) *Case {
	t.Helper()
	c := &Case{Name: filepath.Base(dir), Dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		// The one real model lies where the demo embeds it.
		c.Dir = filepath.Join(root, "../cmd/finetune/demo/model")
	}
	for name, v := range map[string]any{"expected.json": c, "preconditioned.json": &c.Preconditioned, "shared.json": &c.Shared} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, v); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range map[string]**safetensors.File{"expected.safetensors": &c.tensors, "shared.safetensors": &c.shared} {
		f, err := safetensors.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		*file = f
	}
	return c
}

// Load opens the case's model until the test ends.
func (c *Case) Load(t *testing.T) *model.Model {
	t.Helper()
	cfg, err := model.ReadConfig(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(c.Dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// Seqs returns sequences [lo,hi).
func (c *Case) Seqs(lo, hi int) []model.Sequence { return sequences(c.Sequences[lo:hi]) }

// SharedSeqs returns the rows of shared.json.
func (c *Case) SharedSeqs() []model.Sequence { return sequences(c.Shared.Sequences) }

func sequences(rows []Sequence) []model.Sequence {
	var list []model.Sequence
	for _, s := range rows {
		list = append(list, model.Sequence{IDs: s.IDs, Mask: s.Mask})
	}
	return list
}

// Tensor returns an expected tensor and its number of rows.
func (c *Case) Tensor(t *testing.T, name string) (values []float32, rows int) {
	t.Helper()
	return c.tensor(t, c.tensors, name)
}

// SharedTensor returns one of shared.safetensors.
func (c *Case) SharedTensor(t *testing.T, name string) (values []float32, rows int) {
	t.Helper()
	return c.tensor(t, c.shared, name)
}

func (c *Case) tensor(t *testing.T, f *safetensors.File, name string) (values []float32, rows int) {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("%s: no tensor %s", c.Name, name)
	}
	values = make([]float32, len(x.Data)/4) // all are F32
	simd.Convert(values, x.Data, simd.F32)
	return values, x.Shape[0]
}

// Has reports whether there is such a tensor.
func (c *Case) Has(name string) bool {
	_, ok := c.tensors.Tensor(name)
	return ok
}

// Modules returns the names of the adapted projections.
func (c *Case) Modules() []string {
	var list []string
	for _, n := range c.tensors.Names() {
		if m, ok := strings.CutSuffix(n, ".lora_A"); ok {
			list = append(list, strings.TrimPrefix(m, "given."))
		}
	}
	return list
}

// Close fails the test where got is further from want than bound times the
// largest value of want.
func Close(t *testing.T, what string, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	var top, worst float64
	for i, w := range want {
		top = math.Max(top, math.Abs(float64(w)))
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= worst) {
			worst = d
		}
	}
	if !(worst <= bound*top) {
		t.Errorf("%s: off by %.3g of the largest value, want at most %.3g", what, worst/top, bound)
	}
}

// Near fails the test where got is further from want than bound, relatively.
func Near(t *testing.T, what string, got, want, bound float64) {
	t.Helper()
	if !(math.Abs(got-want) <= bound*math.Abs(want)) {
		t.Errorf("%s: got %.9g, want %.9g (relative %.3g, bound %.3g)", what, got, want, math.Abs(got-want)/math.Abs(want), bound)
	}
}
