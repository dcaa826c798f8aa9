package mlx

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
)

var small = &model.Config{
	ModelType: "llama", HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 2, NumAttentionHeads: 3,
	NumKeyValueHeads: 1, HeadDim: 6, VocabSize: 7, RMSNormEps: 1e-5,
}

// made returns adapters of two ranks, one of them for the first layer alone.
func made(t *testing.T) *loraone.Adapters {
	t.Helper()
	a, err := loraone.New(small, loraone.Config{Method: loraone.LoRAOne, R: 4, Alpha: 6, TargetModules: []string{"v_proj", "down_proj"}}, []int{4, 2, 3, 0})
	if err != nil {
		t.Fatal(err)
	}
	for n, m := range a.Modules {
		for _, p := range m.Params() {
			for i := range p.Value {
				p.Value[i] = float32(math.Sin(float64(100*n + i)))
			}
		}
	}
	a.Sync()
	return a
}

// TestProductsAreTheSame: scale·(x·a)·b of the file is s·B·A·x of every module, and zero
// where there is none.
func TestProductsAreTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	a := made(t)
	if err := Write(dir, a); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, configName))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"fine_tune_type": "lora", "num_layers": 2.0, "lora_parameters": map[string]any{
		"rank": 4.0, "scale": 1.0, "dropout": 0.0, "keys": []any{"mlp.down_proj", "self_attn.v_proj"},
	}}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("%s holds %s", configName, text)
	}
	f, err := safetensors.Open(filepath.Join(dir, weightsName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := len(f.Names()); n != 8 || f.Metadata()["format"] != "mlx" {
		t.Errorf("%d tensors, metadata %v", n, f.Metadata())
	}
	modules := map[string]loraone.LowRank{}
	for _, m := range a.Modules {
		modules[m.At().Name] = m.LowRank()
	}
	for _, at := range small.Linears() {
		if at.Leaf != "v_proj" && at.Leaf != "down_proj" {
			continue
		}
		la, _ := f.Tensor(at.Name + ".lora_a")
		lb, _ := f.Tensor(at.Name + ".lora_b")
		if !reflect.DeepEqual(la.Shape, []int{at.In, 4}) || !reflect.DeepEqual(lb.Shape, []int{4, at.Out}) {
			t.Fatalf("%s: shapes %v and %v", at.Name, la.Shape, lb.Shape)
		}
		x, y := values(la.Data), values(lb.Data)
		l := modules[at.Name]
		for o := range at.Out {
			for i := range at.In {
				got, want := 0.0, 0.0
				for r := range 4 {
					got += float64(x[i*4+r]) * float64(y[r*at.Out+o])
				}
				for r := range l.R {
					want += float64(l.Scale) * float64(l.B[o*l.R+r]) * float64(l.A[r*at.In+i])
				}
				if math.Abs(got-want) > 1e-5 {
					t.Fatalf("%s: [%d][%d] is %v, want %v", at.Name, o, i, got, want)
				}
			}
		}
	}
}

func values(data []byte) []float32 {
	x := make([]float32, len(data)/4)
	for i := range x {
		x[i] = math.Float32frombits(uint32(data[4*i]) | uint32(data[4*i+1])<<8 | uint32(data[4*i+2])<<16 | uint32(data[4*i+3])<<24)
	}
	return x
}

func TestWriteKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, made(t)); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("an existing folder: %v", err)
	}
}

// TestPartOfALargerModel: modules of the text part are named as mlx-lm has them.
func TestPartOfALargerModel(t *testing.T) {
	part := *small
	part.Part = "language_model"
	a, err := loraone.New(&part, loraone.Config{Method: loraone.LoRAOne, R: 2, Alpha: 2, TargetModules: []string{"q_proj"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tensors, _, keys := entries(a.Uniform())
	if len(keys) != 1 || keys[0] != "self_attn.q_proj" || tensors[0].Name != "language_model.model.layers.0.self_attn.q_proj.lora_a" {
		t.Errorf("keys %v, the first tensor is %s", keys, tensors[0].Name)
	}
}
