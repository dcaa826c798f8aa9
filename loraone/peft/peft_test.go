package peft

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// small is a model of two layers whose projections all have different shapes.
var small = &model.Config{
	ModelType: "llama", HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 2, NumAttentionHeads: 3,
	NumKeyValueHeads: 1, HeadDim: 6, VocabSize: 7, RMSNormEps: 1e-5, TieWordEmbeddings: true,
}

// made returns adapters with values that differ, B included.
func made(t testing.TB, m *model.Config, c loraone.Config, ranks ...int) *loraone.Adapters {
	t.Helper()
	a, err := loraone.New(m, c, ranks)
	if err != nil {
		t.Fatal(err)
	}
	for n, l := range layers(a) {
		for i := range l.A {
			l.A[i] = float32(math.Sin(float64(1 + 1000*n + i)))
		}
		for i := range l.Bt {
			l.Bt[i] = float32(math.Cos(float64(1 + 1000*n + i)))
		}
	}
	a.Sync()
	return a
}

func layers(a *loraone.Adapters) []*loraone.Layer {
	var list []*loraone.Layer
	for _, m := range a.Modules {
		list = append(list, m.(*loraone.Layer))
	}
	return list
}

// rank is that of an adapter's first module.
func rank(a *loraone.Adapters) int { return layers(a)[0].R }

func settings(r int, alpha float64, targets ...string) loraone.Config {
	return loraone.Config{Method: loraone.LoRAOne, R: r, Alpha: alpha, TargetModules: targets}
}

var someTargets = settings(4, 16, "v_proj", "q_proj", "down_proj")

const baseName = "org/name"

// save writes an adapter and puts it in its place.
func save(dir string, a *loraone.Adapters) error {
	p, err := Prepare(dir, a, baseName)
	if err != nil {
		return err
	}
	defer p.Discard()
	return p.Publish()
}

func mustSave(t testing.TB, dir string, a *loraone.Adapters) {
	t.Helper()
	if err := save(dir, a); err != nil {
		t.Fatal(err)
	}
}

func fileNames(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRoundTrip: the file read back is the folded adapter, bit for bit.
func TestRoundTrip(t *testing.T) {
	for _, c := range []loraone.Config{someTargets, settings(1, 3, "all-linear"), settings(6, 1, "k_proj")} {
		dir := t.TempDir()
		a := made(t, small, c)
		mustSave(t, dir, a)
		b, err := Load(dir, small)
		if err != nil {
			t.Fatal(err)
		}
		if file, err := ReadConfig(dir); err != nil || file.R != c.R || file.Alpha != float64(c.R) || file.BaseModel != baseName {
			t.Errorf("%+v, %v", file, err)
		}
		if len(a.Modules) != len(b.Modules) {
			t.Fatalf("%d modules, want %d", len(b.Modules), len(a.Modules))
		}
		for i, x := range layers(a) {
			y := layers(b)[i]
			if y.Projection != x.Projection || y.R != x.R || y.Scale != 1 {
				t.Errorf("%s: %+v", x.Name, y)
			}
			if !slices.Equal(x.A, y.A) {
				t.Errorf("%s: another A", x.Name)
			}
			for j, v := range x.Bt {
				if want := float32(float64(float32(c.Scale(c.R))) * float64(v)); y.Bt[j] != want {
					t.Fatalf("%s: B' is %v at %d, want %v", x.Name, y.Bt[j], j, want)
				}
			}
		}
		first, second := t.TempDir(), t.TempDir()
		mustSave(t, first, a)
		mustSave(t, second, b)
		for _, name := range []string{configName, weightsName} {
			x, _ := os.ReadFile(filepath.Join(first, name))
			y, _ := os.ReadFile(filepath.Join(second, name))
			if string(x) != string(y) {
				t.Errorf("%s: saved again, other bytes", name)
			}
		}
	}
}

// TestRanksArePadded: modules of different ranks have one in the file, whatever their
// scales, and compute what they did.
func TestRanksArePadded(t *testing.T) {
	dir := t.TempDir()
	ranks := []int{4, 2, 6, 4, 0, 6} // q, v and down of both layers
	a := made(t, small, someTargets, ranks...)
	mustSave(t, dir, a)
	text, err := os.ReadFile(filepath.Join(dir, configName))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		R     int            `json:"r"`
		Alpha int            `json:"lora_alpha"`
		Ranks map[string]int `json:"rank_pattern"`
		Alphs map[string]int `json:"alpha_pattern"`
		Names []string       `json:"target_modules"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if file.R != 6 || file.Alpha != 6 || len(file.Ranks)+len(file.Alphs) > 0 {
		t.Errorf("%s", text)
	}
	if want := []string{"down_proj", "model.layers.0.self_attn.v_proj", "q_proj"}; !slices.Equal(file.Names, want) { // v has no module in the second layer
		t.Errorf("target_modules %v, want %v", file.Names, want)
	}
	b, err := Load(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range layers(a) {
		y := layers(b)[i]
		if y.Projection != x.Projection || y.R != 6 || y.Scale != 1 || !slices.Equal(x.A, y.A[:len(x.A)]) {
			t.Errorf("%s: rank %d, scale %g, want rank 6, scale 1", y.Name, y.R, y.Scale)
		}
		for k, v := range x.Bt { // s·B, and the zeros behind it
			if want := float32(float64(x.Scale) * float64(v)); y.Bt[k] != want {
				t.Fatalf("%s: B[%d] is %g, want %g", y.Name, k, y.Bt[k], want)
			}
		}
		for _, v := range slices.Concat(y.A[len(x.A):], y.Bt[len(x.Bt):]) {
			if v != 0 {
				t.Fatalf("%s is padded with %g", y.Name, v)
			}
		}
	}
}

// TestFoldedLogits: the folded adapter computes what the trained one does.
func TestFoldedLogits(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		m := c.Load(t)
		pool := simd.NewPool(2)
		t.Cleanup(pool.Close)
		e := model.NewEngine(m, pool)
		logits := func() []float32 { return slices.Clone(e.Logits(c.Sequences[0].IDs).Data) }
		base := logits()
		a := made(t, m.Config, settings(4, 16, "all-linear"))
		for _, l := range layers(a) { // as small as a trained adapter
			simd.Scale(l.Bt, 1e-2)
			l.Sync()
		}
		a.Attach(e)
		want := logits()
		dir := t.TempDir()
		mustSave(t, dir, a)
		b, err := Load(dir, m.Config)
		if err != nil {
			t.Fatal(err)
		}
		b.Attach(e)
		golden.Close(t, "logits", logits(), want, 1e-5)
		if slices.Equal(base, want) {
			t.Error("the adapter changes nothing")
		}
	})
}

// adapterConfig is what PEFT 0.20 writes, with changes.
func adapterConfig(t testing.TB, changes map[string]any) []byte {
	t.Helper()
	c := map[string]any{
		"alora_invocation_tokens": nil, "alpha_pattern": map[string]any{}, "arrow_config": nil, "auto_mapping": nil,
		"base_model_name_or_path": "org/name", "bias": "none", "corda_config": nil, "ensure_weight_tying": false,
		"eva_config": nil, "exclude_modules": nil, "fan_in_fan_out": false, "inference_mode": true,
		"init_lora_weights": true, "layer_replication": nil, "layers_pattern": nil, "layers_to_transform": nil,
		"loftq_config": map[string]any{}, "lora_alpha": 16, "lora_bias": false, "lora_dropout": 0.05,
		"megatron_config": nil, "megatron_core": "megatron.core", "modules_to_save": nil, "peft_type": "LORA",
		"peft_version": "0.20.0", "qalora_group_size": 16, "r": 4, "rank_pattern": map[string]any{}, "revision": nil,
		"target_modules": []string{"q_proj", "v_proj", "down_proj"}, "target_parameters": nil, "task_type": "CAUSAL_LM",
		"trainable_token_indices": nil, "use_dora": false, "use_qalora": false, "use_rslora": false,
	}
	maps.Copy(c, changes)
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
