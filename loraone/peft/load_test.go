package peft

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/model/safetensors"
)

// someTensors are the tensors of an adapter for small, r 4, on three projections.
func someTensors() map[string]safetensors.Entry {
	all := map[string]safetensors.Entry{}
	add := func(name string, rows, cols int) {
		data := make([]float32, rows*cols)
		for i := range data {
			data[i] = float32(len(name)) + float32(i)/64
		}
		all[name] = safetensors.Entry{Name: name, Shape: []int{rows, cols}, Data: data}
	}
	for _, layer := range []string{"model.layers.0.", "model.layers.1."} {
		for leaf, shape := range map[string][2]int{"self_attn.q_proj": {18, 12}, "self_attn.v_proj": {6, 12}, "mlp.down_proj": {12, 20}} {
			add(keyA(layer+leaf), 4, shape[1])
			add(keyB(layer+leaf), shape[0], 4)
		}
	}
	return all
}

// folder writes an adapter as PEFT would: its configuration and its tensors.
func folder(t testing.TB, config []byte, all map[string]safetensors.Entry) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configName), config, 0o644); err != nil {
		t.Fatal(err)
	}
	var list []safetensors.Entry
	for _, e := range all {
		list = append(list, e)
	}
	if err := safetensors.Write(filepath.Join(dir, weightsName), list, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoadScales(t *testing.T) {
	for _, test := range []struct {
		changes map[string]any
		alpha   float64
		scale   float64
		v       float64 // of v_proj, where it has another
	}{
		{nil, 16, 4, 0},
		{map[string]any{"use_rslora": true}, 16, 8, 0},
		{map[string]any{"lora_alpha": 22.5}, 22.5, 5.625, 0},
		{map[string]any{"lora_alpha": -16}, -16, -4, 0},
		{map[string]any{"alpha_pattern": map[string]any{"v_proj": 2}}, 16, 4, 0.5},
		{map[string]any{"alpha_pattern": map[string]any{"self_attn.v_proj": 2}, "use_rslora": true}, 16, 8, 1},
		{map[string]any{"rank_pattern": map[string]any{"v_proj": 4, "k_proj": 7}}, 16, 4, 0},
	} {
		dir := folder(t, adapterConfig(t, test.changes), someTensors())
		a, err := Load(dir, small)
		if err != nil || len(a.Modules) != 6 {
			t.Errorf("%v: %v", test.changes, err)
			continue
		}
		if c, err := ReadConfig(dir); err != nil || c.R != 4 || c.Alpha != test.alpha || c.BaseModel != "org/name" {
			t.Errorf("%v: %+v, %v", test.changes, c, err)
		}
		for _, l := range layers(a) {
			want := test.scale
			if l.Leaf == "v_proj" && test.v != 0 {
				want = test.v
			}
			if l.Scale != float32(want) {
				t.Errorf("%v: %s has scale %v, want %v", test.changes, l.Name, l.Scale, want)
			}
		}
		l, b := layers(a)[0], someTensors()[keyB("model.layers.0.self_attn.q_proj")].Data
		if l.Name != "model.layers.0.self_attn.q_proj" || !slices.Equal(l.LowRank().B, b) {
			t.Error("B is not where it belongs")
		}
	}
}

// TestConfigTaken: settings that change nothing, or only say which modules.
func TestConfigTaken(t *testing.T) {
	type m = map[string]any
	for _, changes := range []m{
		{"target_modules": ".*(q|v|down)_proj"},
		{"target_modules": nil},
		{"target_modules": []string{"self_attn.q_proj", "v_proj", "model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"}},
		{"init_lora_weights": "gaussian"},
		{"init_lora_weights": false},
		{"task_type": nil},
		{"exclude_modules": []string{"lm_head"}},
		{"eva_config": m{"rho": 2}},
		{"modules_to_save": []string{}},
		{"revision": "main"},
		{"a_key_of_tomorrow": nil},
		{"another_of_tomorrow": false},
		{"base_model_name_or_path": nil},
		{"layers_to_transform": []int{0, 1}, "layers_pattern": "layers"},
		{"layers_to_transform": []int{0, 1}, "layers_pattern": []string{"layers"}},
	} {
		if _, err := Load(folder(t, adapterConfig(t, changes), someTensors()), small); err != nil {
			t.Errorf("%v: %v", changes, err)
		}
	}
}

// One line for each setting that must be refused.
func TestConfigRefused(t *testing.T) {
	type m = map[string]any
	for _, test := range []struct {
		changes m
		want    string
	}{
		{m{"peft_type": "IA3"}, `peft_type is "IA3", want "LORA"`},
		{m{"peft_type": nil}, `peft_type is null, want "LORA"`},
		{m{"r": nil}, `r is missing`},
		{m{"r": 0}, `r is 0, want an integer from 1`},
		{m{"r": 4.5}, `r is 4.5, want an integer`},
		{m{"r": "4"}, `r is "4", want an integer`},
		{m{"r": int64(1) << 40}, `r is 1099511627776, want an integer`},
		{m{"r": 1_000_000_000}, `r is 1000000000, want an integer from 1 to 131072`},
		{m{"r": -4}, `r is -4, want an integer from 1`},
		{m{"r": json.RawMessage("4e0")}, `r is 4e0, want an integer from 1`},
		{m{"r": []int{4}}, `r is [4], want an integer from 1`},
		{m{"lora_alpha": "NaN"}, `lora_alpha is "NaN", want a number`},
		{m{"lora_alpha": "Infinity"}, `lora_alpha is "Infinity", want a number`},
		{m{"lora_alpha": json.RawMessage("1e400")}, `lora_alpha is 1e400, want a number`},
		{m{"lora_alpha": true}, `lora_alpha is true, want a number`},
		{m{"lora_alpha": nil}, `lora_alpha is missing`},
		{m{"lora_alpha": "16"}, `lora_alpha is "16", want a number`},
		{m{"lora_alpha": -1e31}, `lora_alpha is -1e+31, want a number of at most 1e+30`},
		{m{"use_rslora": 1}, `use_rslora is 1, want true or false`},
		{m{"use_dora": true}, `use_dora is true, want null, false or empty`},
		{m{"bias": "lora_only"}, `bias is "lora_only", want "none"`},
		{m{"lora_bias": true}, `lora_bias is true`},
		{m{"fan_in_fan_out": true}, `fan_in_fan_out is true`},
		{m{"modules_to_save": []string{"lm_head"}}, `modules_to_save is ["lm_head"]`},
		{m{"trainable_token_indices": []int{1}}, `trainable_token_indices is [1]`},
		{m{"target_parameters": []string{"x"}}, `target_parameters is ["x"]`},
		{m{"layer_replication": [][]int{{0, 1}}}, `layer_replication is [[0,1]]`},
		{m{"layers_to_transform": []int{-1}}, `layers_to_transform is [-1], want an integer from 0`},
		{m{"exclude_modules": []int{1}}, `exclude_modules is [1], want a list of strings`},
		{m{"layers_pattern": "blocks"}, `layers_pattern is "blocks"`},
		{m{"alora_invocation_tokens": []int{1}}, `alora_invocation_tokens is [1]`},
		{m{"use_qalora": true}, `use_qalora is true`},
		{m{"use_bdlora": m{"x": 1}}, `use_bdlora is {"x":1}`},
		{m{"arrow_config": m{"x": 1}}, `arrow_config is {"x":1}`},
		{m{"kasa_config": m{"x": 1}}, `kasa_config is {"x":1}`},
		{m{"velora_config": m{"x": 1}}, `velora_config is {"x":1}`},
		{m{"monteclora_config": m{"x": 1}}, `monteclora_config is {"x":1}`},
		{m{"megatron_config": m{"x": 1}}, `megatron_config is {"x":1}`},
		{m{"rank_pattern": m{"q_proj": 0}}, `rank_pattern.q_proj is 0, want an integer from 1`},
		{m{"rank_pattern": m{"q_proj": nil}}, `rank_pattern.q_proj is null, want a number`},
		{m{"rank_pattern": m{"(q|v)_proj": 2}}, `rank_pattern.(q|v)_proj is 2, want the name of a module or its end`},
		{m{"rank_pattern": m{"q_proj": 2, "self_attn.q_proj": 3}}, `rank_pattern.self_attn.q_proj is 3, want the same as q_proj: both match`},
		{m{"rank_pattern": []int{2}}, `rank_pattern is [2], want an object`},
		{m{"alpha_pattern": m{"q_proj": "x"}}, `alpha_pattern.q_proj is "x", want a number`},
		{m{"alpha_pattern": m{"q_proj": 1e31}}, `alpha_pattern is {"q_proj":1e+31}, want numbers of at most 1e+30`},
		{m{"a_key_of_tomorrow": 3}, `a_key_of_tomorrow is 3, want null, false or empty`},
		{m{"init_lora_weights": "pissa"}, `init_lora_weights is "pissa", want true`},
		{m{"init_lora_weights": "pissa_niter_4"}, `init_lora_weights is "pissa_niter_4"`},
		{m{"init_lora_weights": "olora"}, `init_lora_weights is "olora"`},
		{m{"init_lora_weights": "corda"}, `init_lora_weights is "corda"`},
		{m{"init_lora_weights": "loftq"}, `init_lora_weights is "loftq"`},
		{m{"init_lora_weights": "lora_ga"}, `init_lora_weights is "lora_ga"`},
		{m{"init_lora_weights": "of_tomorrow"}, `init_lora_weights is "of_tomorrow"`},
		{m{"task_type": "SEQ_CLS"}, `task_type is "SEQ_CLS", want "CAUSAL_LM"`},
		{m{"target_modules": []string{}}, `target_modules is [], want at least one`},
		{m{"target_modules": []any{"q_proj", 1}}, `target_modules is ["q_proj",1], want a list of strings`},
		{m{"target_modules": make([]string, 9000)}, `target_modules is ["","","",`},
		{m{"target_modules": m{"q_proj": 1}}, `target_modules is {"q_proj":1}, want a list of strings`},
		{m{"target_modules": 3}, `target_modules is 3, want a list of strings`},
		{m{"base_model_name_or_path": 3}, `base_model_name_or_path is 3, want a string`},
	} {
		t.Run(test.want, func(t *testing.T) {
			dir := folder(t, adapterConfig(t, test.changes), someTensors())
			_, err := Load(dir, small)
			if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, configName)+": "+test.want) {
				t.Errorf("%v: %v, want %s", test.changes, err, test.want)
			}
		})
	}
	_, err := Load(folder(t, adapterConfig(t, m{"use_dora": true, "bias": "all", "r": nil}), nil), small)
	if err == nil || strings.Count(err.Error(), configName) != 3 || !strings.Contains(hint.Of(err), "merge_and_unload") {
		t.Errorf("want three mistakes: %v", err)
	}
}

// TestNarrowedTargets: an adapter has no tensors where its configuration leaves modules
// out, as PEFT 0.15's check_target_module_exists does, and those that it has there are a mistake.
func TestNarrowedTargets(t *testing.T) {
	type m = map[string]any
	tensors := someTensors()
	for name := range tensors {
		if !strings.Contains(name, "layers.0.self_attn.q_proj") {
			delete(tensors, name)
		}
	}
	const q0, q1 = "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"
	for _, x := range []struct {
		changes m
		bad     bool
	}{
		{m{"target_modules": []string{"q_proj"}, "layers_to_transform": []int{0}}, false},
		{m{"target_modules": []string{"q_proj"}, "layers_to_transform": 0}, false},
		{m{"target_modules": []string{"q_proj"}, "layers_to_transform": 1}, true},
		{m{"target_modules": []string{q0}, "layers_to_transform": 1}, false}, // whole names are meant anyway
		{m{"target_modules": []string{"q_proj"}, "exclude_modules": []string{q1}}, false},
		{m{"target_modules": []string{"q_proj", "v_proj", "down_proj"}, "exclude_modules": []string{"layers.1.self_attn.q_proj", "v_proj", "mlp.down_proj"}}, false},
		{m{"target_modules": []string{"q_proj"}, "exclude_modules": []string{"layers.1"}}, true}, // no end of a name
		{m{"target_modules": []string{"q_proj"}, "exclude_modules": ".*layers.1.*"}, false},
		{m{"target_modules": []string{"q_proj"}, "exclude_modules": []string{q0}}, true},
	} {
		a, err := Load(folder(t, adapterConfig(t, x.changes), tensors), small)
		if (err != nil) != x.bad || err == nil && (len(a.Modules) != 1 || a.Modules[0].At().Name != q0) {
			t.Errorf("%v: %v", x.changes, err)
		}
	}
	leaves, err := Leaves(folder(t, adapterConfig(t, nil), someTensors()))
	if want := []string{"down_proj", "q_proj", "v_proj"}; err != nil || !slices.Equal(leaves, want) {
		t.Errorf("leaves %v, %v, want %v", leaves, err, want)
	}
}

func TestWrongTensors(t *testing.T) {
	type all = map[string]safetensors.Entry
	const q = "model.layers.0.self_attn.q_proj"
	set := func(name string, values []float32, shape ...int) func(all) {
		return func(a all) { a[name] = safetensors.Entry{Name: name, Shape: shape, Data: values} }
	}
	nan := make([]float32, 48)
	nan[5] = float32(math.NaN())
	for want, change := range map[string]func(all){
		"tensor " + keyA(q) + " is missing, want shape [4 12]":            func(a all) { delete(a, keyA(q)) },
		"tensor " + keyB(q) + " is missing, want shape [18 4]":            func(a all) { delete(a, keyB(q)) },
		"tensor " + keyA(q) + " has shape [2 12], want [4 12]":            set(keyA(q), make([]float32, 24), 2, 12),
		"tensor " + keyB(q) + " has shape [4 18], want [18 4]":            set(keyB(q), make([]float32, 72), 4, 18),
		"tensor " + keyA(q) + " has shape [48], want [4 12]":              set(keyA(q), make([]float32, 48), 48),
		"tensor " + keyA(q) + " holds NaN":                                set(keyA(q), nan, 4, 12),
		"tensors of model.layers.0.self_attn.k_proj, which is not among":  set(keyA("model.layers.0.self_attn.k_proj"), make([]float32, 48), 4, 12),
		"tensor base_model.model.lm_head.lora_A.weight is unexpected":     set("base_model.model.lm_head.lora_A.weight", make([]float32, 48), 4, 12),
		"tensor " + keyA("model.layers.2.mlp.up_proj") + " is unexpected": set(keyA("model.layers.2.mlp.up_proj"), make([]float32, 48), 4, 12),
		"tensor " + keyPrefix + q + ".lora_magnitude_vector is unexpect":  set(keyPrefix+q+".lora_magnitude_vector", make([]float32, 18), 18),
		"and 2 more mistakes": func(a all) { clear(a) },
	} {
		tensors := someTensors()
		change(tensors)
		dir := folder(t, adapterConfig(t, nil), tensors)
		_, err := Load(dir, small)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, weightsName)+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := Load(folder(t, adapterConfig(t, map[string]any{"target_modules": nil}), nil), small); err == nil || !strings.Contains(err.Error(), "no tensors") {
		t.Errorf("an empty file: %v", err)
	}
	tensors := someTensors()
	set(keyA(q), make([]float32, 24), 2, 12)(tensors)
	if _, err := Load(folder(t, adapterConfig(t, nil), tensors), small); !strings.Contains(hint.Of(err), "it was trained on org/name") {
		t.Errorf("another base: %v (%s)", err, hint.Of(err))
	}
	tensors = someTensors()
	set("base_model.model.lm_head.lora_A.weight", make([]float32, 48), 4, 12)(tensors)
	if _, err := Load(folder(t, adapterConfig(t, nil), tensors), small); !strings.Contains(hint.Of(err), "merge_and_unload") {
		t.Errorf("a head: %v (%s)", err, hint.Of(err))
	}
	// All are there, under names of another program: nothing is said of those that are missing.
	for _, rename := range [][2]string{{keyPrefix, ""}, {keyPrefix, keyPrefix + "_orig_mod."}, {".weight", ".default.weight"}} {
		renamed, first := map[string]safetensors.Entry{}, ""
		for name, e := range someTensors() {
			e.Name = strings.Replace(name, rename[0], rename[1], 1)
			renamed[e.Name] = e
			first = min(cmp.Or(first, e.Name), e.Name)
		}
		_, err := Load(folder(t, adapterConfig(t, nil), renamed), small)
		if err == nil || !strings.Contains(err.Error(), ": no tensor has a name such as "+keyA(q)+": the first is "+first) || strings.Contains(err.Error(), "missing") {
			t.Errorf("%s for %s: %v", rename[1], rename[0], err)
		}
	}
	// Half of a projection's layers: PEFT would leave the others at random.
	tensors = someTensors()
	delete(tensors, keyA("model.layers.1.self_attn.v_proj"))
	delete(tensors, keyB("model.layers.1.self_attn.v_proj"))
	if _, err := Load(folder(t, adapterConfig(t, nil), tensors), small); err == nil || strings.Count(err.Error(), "is missing") != 2 {
		t.Errorf("a layer without its pair: %v", err)
	}
}

func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	hinted := func(err error, hint string) bool {
		var h interface{ Hint() string }
		return errors.As(err, &h) && strings.Contains(h.Hint(), hint)
	}
	_, err := Load(dir, small)
	if !errors.Is(err, os.ErrNotExist) || !hinted(err, configName) {
		t.Errorf("no adapter: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, configName), adapterConfig(t, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(filepath.Join(dir, configName)); err == nil || !strings.HasSuffix(err.Error(), "a file, want a folder") || !hinted(err, configName) {
		t.Errorf("a file: %v", err)
	}
	if c, err := ReadConfig(dir); err != nil || c.BaseModel != "org/name" || c.R != 4 || c.Scale("q_proj") != 4 {
		t.Errorf("%+v, %v", c, err) // it needs no weights
	}
	if _, err = Load(dir, small); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), weightsName) {
		t.Errorf("no weights: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "adapter_model.bin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(dir, small); err == nil || !strings.Contains(err.Error(), "pickle") || !hinted(err, "save_pretrained") {
		t.Errorf("a pickle: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, weightsName), []byte("short"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(dir, small); err == nil || !strings.Contains(err.Error(), weightsName) {
		t.Errorf("a broken file: %v", err)
	}
	for text, want := range map[string]string{
		`{"peft_type": "LORA", "r": 4, "r": 8}`: `duplicate key "r"`,
		`{"peft_type": "LORA"`:                  "byte 21: the text ends",
		`[]`:                                    "a list, want an object",
		`{"fine_tune_type": "lora"}`:            `peft_type is null, want "LORA"`, // mlx-lm's
		``:                                      "the text ends, want a value",
		`{"lora_alpha": NaN}`:                   `found "NaN", want a value`, // Python's json writes it
		"{\n\"r\": 4,\n\"R\xff\": 4}":           "line 3, byte 13: invalid UTF-8",
		`{"a": ` + strings.Repeat("[", 20000):   "more than 10000 lists",
		`{"peft_type": "LORA"} {}`:              "more text after the value",
		`{"peft_type": ["LORA"]}`:               `peft_type is ["LORA"], want`,
		`{"Peft_Type": "LORA"}`:                 `peft_type is null, want "LORA"`,
	} {
		t.Run(want, func(t *testing.T) {
			path := filepath.Join(dir, configName)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadConfig(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
				t.Errorf("%.40s: %v, want %s", text, err, want)
			}
		})
	}
}

// TestLinksOutOfAnAdapter: they are followed, and one that leads nowhere is named.
func TestLinksOutOfAnAdapter(t *testing.T) {
	for _, name := range []string{configName, weightsName} {
		dir := folder(t, adapterConfig(t, nil), someTensors())
		outside, link := filepath.Join(t.TempDir(), "outside"), filepath.Join(dir, name)
		if err := os.Rename(link, outside); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, link); err != nil {
			t.Skip(err)
		}
		if _, err := Load(dir, small); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(outside); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir, small)
		if err == nil || !strings.Contains(err.Error(), link+": a link to "+outside+", which is not there") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoadTypes: PEFT keeps the type the parameters had.
func TestLoadTypes(t *testing.T) {
	dir := folder(t, adapterConfig(t, map[string]any{"target_modules": ".*k_proj"}), nil)
	write := func(dtype string, bytes int) {
		name := "model.layers.0.self_attn.k_proj"
		header, err := json.Marshal(map[string]any{
			keyA(name): map[string]any{"dtype": dtype, "shape": []int{4, 12}, "data_offsets": []int{0, 48 * bytes}},
			keyB(name): map[string]any{"dtype": dtype, "shape": []int{6, 4}, "data_offsets": []int{48 * bytes, 72 * bytes}},
		})
		if err != nil {
			t.Fatal(err)
		}
		data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		for range 72 * bytes / 2 {
			data = append(data, 0x80, 0x3f) // 1 in BF16
		}
		if err := os.WriteFile(filepath.Join(dir, weightsName), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("BF16", 2)
	a, err := Load(dir, small)
	if err != nil || len(a.Modules) != 1 || layers(a)[0].A[47] != 1 || layers(a)[0].Bt[23] != 1 {
		t.Errorf("BF16: %v", err)
	}
	write("F16", 2)
	if a, err = Load(dir, small); err != nil || layers(a)[0].A[47] != 1.875 {
		t.Errorf("F16: %v", err)
	}
	write("I32", 4)
	if _, err = Load(dir, small); err == nil || !strings.Contains(err.Error(), "is of type I32, want F32, F16 or BF16") {
		t.Errorf("I32: %v", err)
	}
}

func FuzzAdapterConfig(f *testing.F) {
	f.Add(adapterConfig(f, nil))
	f.Add(adapterConfig(f, map[string]any{"use_dora": true, "target_modules": "all-linear"}))
	f.Add([]byte(`{"peft_type": "LORA", "r": 1, "lora_alpha": 1e308, "use_dora": { }}`))
	f.Add(adapterConfig(f, map[string]any{"rank_pattern": map[string]any{"q_proj": 2}, "alpha_pattern": map[string]any{"v_proj": 1.5}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		fields, err := jsontree.ParseFields(configName, string(data))
		if err != nil {
			return
		}
		c, err := parseConfig(fields)
		if err != nil {
			return
		}
		for _, module := range []string{"model.layers.0.self_attn.q_proj", "v_proj", "x"} {
			if s := c.Scale(module); c.Rank(module) < 1 || math.IsNaN(s) || math.IsInf(s, 0) {
				t.Fatalf("taken: %+v", c)
			}
		}
	})
}

// FuzzLoad: an adapter's folder is refused, or every
// layer fits its projection and is finite.
func FuzzLoad(f *testing.F) {
	for _, changes := range []map[string]any{nil, {"use_rslora": true, "target_modules": ".*"}, {"target_modules": nil, "lora_alpha": -1e30}, {"r": 2}} {
		dir := folder(f, adapterConfig(f, changes), someTensors())
		weights, err := os.ReadFile(filepath.Join(dir, weightsName))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(adapterConfig(f, changes), weights)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		for name, data := range map[string][]byte{configName: config, weightsName: weights} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		a, err := Load(dir, small)
		if err != nil {
			if !strings.Contains(err.Error(), dir) {
				t.Fatal(err)
			}
			return
		}
		for _, l := range layers(a) {
			if len(l.A) != l.R*l.In || len(l.Bt) != l.R*l.Out || slices.ContainsFunc(l.A, notFinite) || slices.ContainsFunc(l.Bt, notFinite) || notFinite(l.Scale) {
				t.Fatalf("taken: %s, %d values for %d×%d, scale %v", l.Name, len(l.A), l.R, l.In, l.Scale)
			}
		}
	})
}
