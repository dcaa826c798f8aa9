package peft

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/loraone"
	"example.com/finetune/model/safetensors"
)

// TestSavedNamesAndShapes: what PEFT itself writes for such a model.
func TestSavedNamesAndShapes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "adapter")
	mustSave(t, dir, made(t, small, someTargets))
	if got := fileNames(t, dir); !slices.Equal(got, []string{configName, weightsName}) {
		t.Errorf("files %v", got)
	}
	f, err := safetensors.Open(filepath.Join(dir, weightsName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if m := f.Metadata(); len(m) != 1 || m["format"] != "pt" {
		t.Errorf("metadata %v", m)
	}
	var want []string
	for layer := range 2 {
		for _, s := range []string{
			"mlp.down_proj.lora_A.weight [4 20]", "mlp.down_proj.lora_B.weight [12 4]",
			"self_attn.q_proj.lora_A.weight [4 12]", "self_attn.q_proj.lora_B.weight [18 4]",
			"self_attn.v_proj.lora_A.weight [4 12]", "self_attn.v_proj.lora_B.weight [6 4]",
		} {
			want = append(want, fmt.Sprintf("base_model.model.model.layers.%d.%s F32", layer, s))
		}
	}
	var got []string
	for _, n := range f.Names() {
		x, _ := f.Tensor(n)
		got = append(got, fmt.Sprint(n, " ", x.Shape, " ", x.DType))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSavedConfig pins every byte: §1.5 of PEFT's smallest configuration.
func TestSavedConfig(t *testing.T) {
	dir := t.TempDir()
	mustSave(t, dir, made(t, small, someTargets))
	got, err := os.ReadFile(filepath.Join(dir, configName))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "alpha_pattern": {},
  "base_model_name_or_path": "org/name",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layers_pattern": null,
  "layers_to_transform": null,
  "lora_alpha": 4,
  "lora_dropout": 0.0,
  "modules_to_save": null,
  "peft_type": "LORA",
  "r": 4,
  "rank_pattern": {},
  "revision": null,
  "target_modules": [
    "down_proj",
    "q_proj",
    "v_proj"
  ],
  "task_type": "CAUSAL_LM"
}
`
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
}

func TestBaseModelName(t *testing.T) {
	modules, err := folded(made(t, small, settings(1, 1, "q_proj")))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := configJSON(modules, 2, ""); err != nil || !strings.Contains(string(data), `"base_model_name_or_path": null`) {
		t.Errorf("%s, %v", data, err)
	}
	if data, _ := configJSON(modules, 2, "my model & more"); !strings.Contains(string(data), `"my model & more"`) {
		t.Errorf("%s", data)
	}
}

func TestNotFiniteIsNotSaved(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for want, change := range map[string]func(l *loraone.Layer){
		"lora_A holds NaN":                func(l *loraone.Layer) { l.A[3] = nan },
		"lora_B, scaled by 8, holds -Inf": func(l *loraone.Layer) { l.Bt[3] = inf },
		"lora_B, scaled by 8, holds +Inf": func(l *loraone.Layer) { l.Bt[3] = math.MaxFloat32 }, // by the fold
	} {
		dir := t.TempDir()
		a := made(t, small, someTargets)
		l := layers(a)[2]
		change(l)
		err := save(dir, a)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), l.Name) {
			t.Errorf("%v, want %s", err, want)
		}
		if got := fileNames(t, dir); len(got) != 0 {
			t.Errorf("%s: left behind %v", want, got)
		}
	}
	if err := save(t.TempDir(), &loraone.Adapters{}); err == nil {
		t.Error("nothing to save: no error")
	}
}
