package peft

import (
	"encoding/json"
	"fmt"
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
func small(t testing.TB) *model.Model {
	t.Helper()
	c := &model.Config{
		ModelType: "llama", HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 2, NumAttentionHeads: 3,
		NumKeyValueHeads: 1, HeadDim: 6, VocabSize: 7, RMSNormEps: 1e-5, TieWordEmbeddings: true,
		Rope: model.Rope{Type: "default", Theta: 10000},
	}
	m := &model.Model{Config: c, Blocks: make([]model.Block, c.NumHiddenLayers)}
	for i := range m.Blocks {
		shapes := [][2]int{{18, 12}, {6, 12}, {6, 12}, {12, 18}, {20, 12}, {20, 12}, {12, 20}}
		names := []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}
		for j, l := range m.Blocks[i].Linears() {
			out, in := shapes[j][0], shapes[j][1]
			l.Name = fmt.Sprintf("model.layers.%d.%s", i, names[j])
			l.W = simd.Float32Matrix(make([]float32, out*in), out, in)
		}
	}
	return m
}

// attached gives a model adapters with values that differ, B included.
func attached(t testing.TB, m *model.Model, c loraone.Config) *loraone.Adapters {
	t.Helper()
	a, err := loraone.Attach(m, c)
	if err != nil {
		t.Fatal(err)
	}
	for n, l := range a.Layers {
		for i := range l.A {
			l.A[i] = float32(math.Sin(float64(1 + 1000*n + i)))
		}
		for i := range l.Bt {
			l.Bt[i] = float32(math.Cos(float64(1 + 1000*n + i)))
		}
		l.Sync()
	}
	return a
}

var someTargets = loraone.Config{R: 4, Alpha: 16, TargetModules: []string{"v_proj", "q_proj", "down_proj"}, BaseModel: "org/name"}

func mustSave(t testing.TB, dir string, a *loraone.Adapters) {
	t.Helper()
	if err := Save(dir, a); err != nil {
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
	for _, c := range []loraone.Config{
		someTargets,
		{R: 1, Alpha: 3, TargetModules: []string{"all-linear"}},
		{R: 6, Alpha: 1, TargetModules: []string{"k_proj"}},
	} {
		dir, m := t.TempDir(), small(t)
		a := attached(t, m, c)
		mustSave(t, dir, a)
		b, err := Load(dir, m)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Layers) != len(b.Layers) || b.Config.R != c.R || b.Config.Alpha != float64(c.R) || b.Config.BaseModel != c.BaseModel {
			t.Fatalf("%d layers of %+v, want %d of %+v", len(b.Layers), b.Config, len(a.Layers), c)
		}
		for i, x := range a.Layers {
			y := b.Layers[i]
			if y.Name != x.Name || y.In != x.In || y.Out != x.Out || y.R != x.R || y.Scale != 1 {
				t.Errorf("%s: %+v", x.Name, y)
			}
			if !slices.Equal(x.A, y.A) {
				t.Errorf("%s: another A", x.Name)
			}
			for j, v := range x.Bt {
				if want := float32(float64(float32(c.Scale())) * float64(v)); y.Bt[j] != want {
					t.Fatalf("%s: B' is %v at %d, want %v", x.Name, y.Bt[j], j, want)
				}
			}
		}
		for _, l := range m.Linears() {
			if l.Adapter != nil && !slices.Contains(b.Layers, l.Adapter.(*loraone.Layer)) {
				t.Errorf("%s: still has the old adapter", l.Name)
			}
		}
		first, second := t.TempDir(), t.TempDir()
		mustSave(t, first, a)
		mustSave(t, second, b)
		for _, name := range []string{configName, weightsName} {
			x, _ := os.ReadFile(filepath.Join(first, name))
			y, _ := os.ReadFile(filepath.Join(second, name))
			if name == weightsName && string(x) != string(y) {
				t.Errorf("%s: saved again, other bytes", name)
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
		base := slices.Clone(e.Logits(c.Sequences[0].IDs).Data)
		a := attached(t, m, loraone.Config{R: 4, Alpha: 16, TargetModules: []string{"all-linear"}})
		for _, l := range a.Layers { // as small as a trained adapter
			simd.Scale(l.Bt, 1e-2)
			l.Sync()
		}
		want := slices.Clone(e.Logits(c.Sequences[0].IDs).Data)
		dir := t.TempDir()
		mustSave(t, dir, a)
		if _, err := Load(dir, m); err != nil {
			t.Fatal(err)
		}
		golden.Close(t, "logits", e.Logits(c.Sequences[0].IDs).Data, want, 1e-5)
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
