package loraone

import (
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/model"
)

// twoLayers is the configuration of a model of two layers.
func twoLayers() *model.Config {
	return &model.Config{HiddenSize: 64, IntermediateSize: 160, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, HeadDim: 16}
}

// finished returns adapters of rank 4, scale 2 and numbers of their own.
func finished(t *testing.T, m *model.Config, ranks []int, targets ...string) *Adapters {
	t.Helper()
	no := false
	a, err := New(m, Config{Method: LoRA, R: 4, Alpha: 8, TargetModules: targets, UseRSLoRA: &no}, ranks)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers(a) {
		for i := range l.A {
			l.A[i] = float32(0.1 * math.Sin(float64(i+1)))
		}
		for i := range l.Bt {
			l.Bt[i] = float32(0.1 * math.Cos(float64(3*i+1)))
		}
	}
	a.Sync()
	return a
}

// TestContinue: a continued adapter adds what the finished one does, to the bit where the
// scale is the same.
func TestContinue(t *testing.T) {
	golden.Each(t, "../model", func(t *testing.T, c *golden.Case) {
		e := newEngine(t, c, 2)
		m := e.Model().Config
		old := finished(t, m, nil, "q_proj", "v_proj")
		for _, l := range layers(old) { // as files of one rank hold a smaller one
			clear(l.A[3*l.In:])
			clear(l.Bt[3*l.Out:])
		}
		old.Sync()
		ids := c.Seqs(0, 1)[0].IDs
		old.Attach(e)
		want := slices.Clone(e.Logits(ids).Data)
		largest := 0.0
		for _, v := range want {
			largest = max(largest, math.Abs(float64(v)))
		}
		no := false
		for _, alpha := range []float64{8, 16, 5} {
			config, err := Config{Method: Continued, R: 4, Alpha: alpha, TargetModules: []string{"q_proj", "v_proj"}, UseRSLoRA: &no}.Continuing(old)
			if err != nil {
				t.Fatal(err)
			}
			a, err := Continue(config, old, 1)
			if err != nil {
				t.Fatal(err)
			}
			a.Attach(e)
			bound := 1e-5 * largest // as the file of a trained adapter may differ
			if alpha == 8 {
				bound = 0
			}
			for i, v := range e.Logits(ids).Data {
				if math.Abs(float64(v-want[i])) > bound {
					t.Fatalf("alpha %g: logit %d is %g, want %g", alpha, i, v, want[i])
				}
			}
			for _, l := range layers(a) {
				if l.living() != 4 {
					t.Errorf("%s has pairs that no gradient reaches", l.Name)
				}
			}
		}
	})
}

// TestContinuingRanks: modules keep their ranks, and what only one of settings and adapter
// means is named.
func TestContinuingRanks(t *testing.T) {
	m := twoLayers()
	leaves := []string{"q_proj", "v_proj"}
	ranks := make([]int, 2*m.NumHiddenLayers)
	for i := range ranks {
		ranks[i] = i % 4 // the first has no module
	}
	old := finished(t, m, ranks, leaves...)
	config := Config{Method: Continued, R: 4, Alpha: 8, TargetModules: leaves}
	config, err := config.Continuing(old)
	if err != nil || !slices.Equal(config.Ranks, ranks) {
		t.Fatalf("ranks %v, %v, want %v", config.Ranks, err, ranks)
	}
	a, err := Continue(config, old, 1)
	if err != nil || len(a.Modules) != len(old.Modules) || a.Parameters() != config.Parameters(m) {
		t.Errorf("%d modules of %d parameters, want %d of %d (%v)", len(a.Modules), a.Parameters(), len(old.Modules), config.Parameters(m), err)
	}
	if got, want := config.LeftOut(m), len(ranks)-len(old.Modules); got != want {
		t.Errorf("%d left out, want %d", got, want)
	}
	config.TargetModules = []string{"v_proj"}
	if _, err := config.Continuing(old); err == nil || !strings.Contains(err.Error(), "which target_modules and exclude_modules leave out") {
		t.Errorf("a target too few: %v", err)
	}
	config.TargetModules = []string{"all-linear"}
	if _, err := config.Continuing(old); err == nil || !strings.Contains(err.Error(), "target_modules has k_proj, and the adapter has no module of it") {
		t.Errorf("a target too many: %v", err)
	}
}

func TestExcludeModules(t *testing.T) {
	m := twoLayers()
	last := m.NumHiddenLayers
	for _, x := range []struct {
		exclude []string
		left    int // of q_proj and v_proj in each layer
		want    string
	}{
		{nil, 2 * last, ""},
		{[]string{"q_proj"}, last, ""},
		{[]string{"layers.0"}, 2 * (last - 1), ""},
		{[]string{"model.layers.0.self_attn.q_proj", "layers.1.self_attn.v_proj"}, 2*last - 2, ""},
		{[]string{"down_proj"}, 2 * last, ""}, // is not meant anyway
		{[]string{"self_attn"}, 0, "exclude_modules leaves nothing of q_proj, v_proj"},
		{[]string{"v_proj", "q_proj"}, 0, "exclude_modules leaves nothing of q_proj, v_proj"},
		{[]string{"_proj"}, 0, `exclude_modules: "_proj" is in no name of a projection of the model; it has q_proj, k_proj, v_proj,`},
		{[]string{"layers"}, 0, "exclude_modules leaves nothing"},
		{[]string{"layers.99"}, 0, "with names such as model.layers.0.self_attn.q_proj"},
		{[]string{""}, 0, `exclude_modules: "" is in no name`},
	} {
		c := Config{Method: LoRA, R: 2, Alpha: 4, TargetModules: []string{"q_proj", "v_proj"}, ExcludeModules: x.exclude}
		list, err := c.Projections(m)
		if x.want != "" {
			if err == nil || !strings.Contains(err.Error(), x.want) || c.Check(m) == nil {
				t.Errorf("%q: %v, want %s", x.exclude, err, x.want)
			}
			continue
		}
		if err != nil || len(list) != x.left || c.LeftOut(m) != 2*last-x.left {
			t.Errorf("%q: %d left, want %d (%v)", x.exclude, len(list), x.left, err)
		}
	}
}
