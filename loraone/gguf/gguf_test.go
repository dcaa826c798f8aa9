package gguf

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

// An official is what llama.cpp's own scripts wrote; see scripts/gguf_golden.py.
type official struct {
	Keys    map[string][2]any // type and value
	Tensors []described
}

type described struct {
	Name, Type, SHA256 string
	Shape              []int
}

// goldens returns the file of a case, of "adapter f32" and so on.
func goldens(t *testing.T, name string) map[string]official {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]official
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// read returns what a file holds.
func read(t *testing.T, path string) (keys map[string]any, tensors []described) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(data)
	h, err := readHeader(r, int64(len(data)))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	keys = map[string]any{}
	for _, k := range h.keys {
		keys[k.Key] = k.Value
	}
	start := len(data) - r.Len()
	for _, i := range h.tensors {
		size := Tensor{Shape: i.shape, Type: i.kind}.bytes()
		at := int64(start) + int64(i.offset)
		sum := sha256.Sum256(data[at : at+size])
		tensors = append(tensors, described{i.name, strings.ToUpper(i.kind.String()), hex.EncodeToString(sum[:]), i.shape})
	}
	return keys, tensors
}

// given returns the adapters of a golden case.
func given(t *testing.T, c *golden.Case, m *model.Config) *loraone.Adapters {
	t.Helper()
	rslora := false
	a, err := loraone.New(m, loraone.Config{Method: loraone.LoRAOne, R: c.Rank, Alpha: c.Alpha, TargetModules: c.Targets, UseRSLoRA: &rslora}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range a.Modules {
		l := module.(*loraone.Layer)
		A, _ := c.Tensor(t, "given."+l.Name+".lora_A")
		B, _ := c.Tensor(t, "given."+l.Name+".lora_B")
		copy(l.A, A)
		simd.Transpose(simd.Dense(l.Bt, l.R, l.Out), simd.Dense(B, l.Out, l.R))
	}
	a.Sync()
	return a
}

// sameTensors compares two lists by name.
func sameTensors(t *testing.T, what string, got, want []described) {
	t.Helper()
	byName := map[string]described{}
	for _, d := range got {
		byName[d.Name] = d
	}
	for _, w := range want {
		if g := byName[w.Name]; !reflect.DeepEqual(g, w) {
			t.Errorf("%s: %s is %v, official %v", what, w.Name, g, w)
		}
	}
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d tensors, official %d", what, len(got), len(want))
	}
}

// kinds are GGUF's names of our types of values.
func kindName(v any) string {
	switch v.(type) {
	case string:
		return "STRING"
	case bool:
		return "BOOL"
	case uint32:
		return "UINT32"
	case float32:
		return "FLOAT32"
	case []string:
		return "ARRAY/STRING"
	case []bool:
		return "ARRAY/BOOL"
	case []int32:
		return "ARRAY/INT32"
	case []float32:
		return "ARRAY/FLOAT32"
	}
	return fmt.Sprintf("%T", v)
}

// sameKeys compares all official keys with ours, but for those in but and what describes
// a file to people.
func sameKeys(t *testing.T, what string, got map[string]any, want map[string][2]any, but ...string) {
	t.Helper()
	compared := 0
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if slices.Contains(but, k) || strings.HasPrefix(k, "general.") && !slices.Contains([]string{"general.architecture", "general.type", "general.file_type", "general.quantization_version"}, k) {
			continue
		}
		compared++
		v, ok := got[k]
		if !ok {
			t.Errorf("%s: no key %s, official %.80v", what, k, want[k])
			continue
		}
		a, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back any
		if err := json.Unmarshal(a, &back); err != nil {
			t.Fatal(err)
		}
		w := want[k][1]
		if x, ok := back.(float64); ok { // Python prints a float32 as the float64 it is
			if y, ok := w.(float64); ok && float32(x) == float32(y) {
				w = back
			}
		}
		if kindName(v) != want[k][0] || !reflect.DeepEqual(back, w) {
			t.Errorf("%s: %s is %s %.80v, official %.80v", what, k, kindName(v), v, want[k])
		}
	}
	if compared < 4 {
		t.Errorf("%s: %d keys compared", what, compared)
	}
}

func TestAdaptersAsTheOfficialScript(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		config := c.Load(t).Config
		a := given(t, c, config)
		all := goldens(t, c.Name)
		for _, kind := range []Type{F32, F16, BF16} {
			path := filepath.Join(t.TempDir(), "a.gguf")
			if err := WriteAdapter(path, a, kind); err != nil {
				t.Fatal(err)
			}
			keys, tensors := read(t, path)
			want := all["adapter "+kind.String()]
			sameTensors(t, kind.String(), tensors, want.Tensors)
			sameKeys(t, kind.String(), keys, want.Keys)
		}
	})
}

// unlike are keys that the official script writes otherwise.
var unlike = map[string][]string{
	// The scores are all the same there, see TestScoresMergeAsTheTokenizer; it takes </s>, which
	// tokenizer.json calls special, for normal, and the <s> before the second of two texts for a
	// separator.
	"stories260k": {"tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.add_sep_token"},
	// The window's length, as these architectures have no window.
	"mistral":       {"llama.context_length"},
	"smollm3":       {"smollm3.context_length"},
	"qwen2-windows": {"qwen2.context_length"},
	// What llama.cpp takes where a file says nothing.
	"olmo3": {"olmo2.attention.sliding_window_pattern", "olmo2.rope.freq_base_swa"},
}

// loaded returns a golden model, its scores scaled as llama.cpp scales those of Gemma: the
// golden ones are scaled otherwise, which the official script leaves out.
func loaded(t *testing.T, c *golden.Case) *model.Model {
	t.Helper()
	m := c.Load(t)
	if m.Config.NormsPlusOne && m.Config.NormPlaces == model.NormsAround {
		config := *m.Config
		config.AttentionScale = 0
		m.Config = &config
	}
	return m
}

func TestModelsAsTheOfficialScript(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		if c.Name == "exaone4" {
			t.Skip("its windows are refused, see TestOtherMathematicsIsRefused")
		}
		m := loaded(t, c)
		all := goldens(t, c.Name)
		var tokens []KeyValue
		if c.Name == "stories260k" {
			tokens = tokensOf(t, c.Dir, m.Config.VocabSize)
		}
		for _, kind := range []Type{F32, F16, BF16, Q8_0} {
			path := filepath.Join(t.TempDir(), "m.gguf")
			if err := WriteModel(t.Context(), path, m, nil, kind, tokens); err != nil {
				t.Fatal(err)
			}
			keys, tensors := read(t, path)
			want := all["model "+kind.String()]
			if c.Name == "gemma" { // the script adds 1 to norms in the type they are stored in, here float16
				rounded := func(d described) bool { return strings.HasSuffix(d.Name, "norm.weight") }
				tensors, want.Tensors = slices.DeleteFunc(tensors, rounded), slices.DeleteFunc(want.Tensors, rounded)
			}
			sameTensors(t, kind.String(), tensors, want.Tensors)
			sameKeys(t, kind.String(), keys, want.Keys, unlike[c.Name]...)
		}
	})
}

func tokensOf(t *testing.T, dir string, vocabulary int) []KeyValue {
	t.Helper()
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, note, err := Tokens(dir, "m", vocabulary, Tokenizer{Encode: func(text string, around bool) []int32 { return tok.Encode(text, around).IDs }})
	if err != nil || note != "" {
		t.Fatal(note, err)
	}
	return keys
}

// TestMergedRows: with an adapter, each value of a whole model is that of W + s·B·A, at
// the row where it belongs.
func TestMergedRows(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		if c.Name == "exaone4" {
			t.Skip("refused whole")
		}
		m := loaded(t, c)
		a := given(t, c, m.Config)
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := WriteModel(t.Context(), path, m, a, F32, nil); err != nil {
			t.Fatal(err)
		}
		got := values(t, path)
		arch, _ := architectureOf(m.Config)
		adapted := map[string]loraone.LowRank{}
		for _, module := range a.Modules {
			adapted[module.At().Name] = module.LowRank()
		}
		row := make([]float32, m.Config.IntermediateSize+m.Config.HiddenSize+m.Config.NumAttentionHeads*m.Config.HeadDim)
		for _, l := range m.Linears() {
			name, _ := nameOf(m.Config, l.Name+".weight")
			low := adapted[l.Name]
			heads := arch.heads(m.Config, l.Name+".weight")
			for i := range l.Out {
				from := i
				if heads > 0 { // as permute in conversion/llama.py: [heads, 2, D/2] becomes [heads, D/2, 2]
					d := l.Out / heads
					from = i/d*d + i%d%2*(d/2) + i%d/2
				}
				l.W.Row(row[:l.In], from)
				for j := range l.In {
					want := float64(row[j])
					for r := range low.R {
						want += float64(low.Scale) * float64(low.B[from*low.R+r]) * float64(low.A[r*low.In+j])
					}
					if x := got[name][i*l.In+j]; math.Abs(float64(x)-want) > 1e-6*(1+math.Abs(want)) {
						t.Fatalf("%s[%d][%d] is %v, want %v", name, i, j, x, want)
					}
				}
			}
		}
	})
}

// values returns the tensors of a file of F32.
func values(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	r := bufio.NewReader(f)
	h, err := readHeader(r, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]float32{}
	for _, i := range h.tensors {
		n := Tensor{Shape: i.shape, Type: i.kind}.bytes()
		data := make([]byte, n+int64(padding(n)))
		if _, err := io.ReadFull(r, data); err != nil {
			t.Fatal(err)
		}
		x := make([]float32, n/4)
		simd.Convert(x, data[:n], simd.F32)
		all[i.name] = x
	}
	return all
}

// TestOneAlpha: ranks and scales that differ are one alpha and another B.
func TestOneAlpha(t *testing.T) {
	config := &model.Config{
		ModelType: "qwen2", HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 2, NumAttentionHeads: 3,
		NumKeyValueHeads: 1, HeadDim: 6, VocabSize: 7, RMSNormEps: 1e-5,
	}
	a, err := loraone.New(config, loraone.Config{Method: loraone.LoRAOne, R: 4, Alpha: 6, TargetModules: []string{"v_proj"}}, []int{4, 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range a.Modules {
		for _, p := range m.Params() {
			for i := range p.Value {
				p.Value[i] = float32(i%7) - 3
			}
		}
	}
	a.Sync()
	path := filepath.Join(t.TempDir(), "a.gguf")
	if err := WriteAdapter(path, a, F32); err != nil {
		t.Fatal(err)
	}
	keys, _ := read(t, path)
	alpha := keys["adapter.lora.alpha"].(float32)
	all := values(t, path)
	for _, m := range a.Modules {
		l := m.LowRank()
		b := all[fmt.Sprintf("blk.%d.attn_v.weight.lora_b", l.Layer)]
		for i, v := range l.B {
			got, want := float64(alpha)/float64(l.R)*float64(b[i]), float64(l.Scale)*float64(v)
			if math.Abs(got-want) > 1e-6*math.Abs(want) {
				t.Fatalf("%s: alpha/r·B is %v, want %v", l.Name, got, want)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	config := &model.Config{
		ModelType: "gpt_neox", HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 1, NumAttentionHeads: 3,
		NumKeyValueHeads: 1, HeadDim: 6, VocabSize: 7, RMSNormEps: 1e-5,
	}
	a, err := loraone.New(config, loraone.Config{Method: loraone.LoRAOne, R: 2, Alpha: 6, TargetModules: []string{"v_proj"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.gguf")
	err = WriteAdapter(path, a, F32)
	if err == nil || !strings.Contains(err.Error(), "model_type gpt_neox is not written as GGUF") || hint.Of(err) == "" {
		t.Errorf("another family: %v", err)
	}
	config.ModelType = "llama"
	if err := WriteAdapter(path, a, Q8_0); err == nil {
		t.Error("q8_0 of an adapter")
	}
	a.Modules[0].Params()[0].Value[0] = 1e6
	err = WriteAdapter(path, a, F16)
	if err == nil || !strings.Contains(err.Error(), "holds 1e+06, which f16 does not") || !strings.Contains(hint.Of(err), "bf16") {
		t.Errorf("too large for f16: %v", err)
	}
	a.Modules[0].Params()[0].Value[0] = float32(math.NaN())
	if err := WriteAdapter(path, a, F32); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("NaN: %v", err)
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
}

// TestOtherMathematicsIsRefused: what llama.cpp would compute otherwise from the weights is
// refused with a way out, and nothing is written.
func TestOtherMathematicsIsRefused(t *testing.T) {
	layer := func(change func(l *model.LayerConfig)) func(c *model.Config) {
		return func(c *model.Config) {
			c.Layers = slices.Clone(c.Layers)
			change(&c.Layers[len(c.Layers)-1])
		}
	}
	cases := map[string][]struct {
		change func(c *model.Config)
		want   string
	}{
		"llama3": {
			{layer(func(l *model.LayerConfig) { l.Rope.Theta = 1 }), "layer 1 rotates otherwise than those before it"},
			{layer(func(l *model.LayerConfig) { l.Rope = model.Rope{} }), "q and k of layer 1 are rotated: false; in llama.cpp that is true for llama"},
			{func(c *model.Config) { c.AttentionScale = 0.5 }, "attention.scale is 0.5"},
			{func(c *model.Config) { c.LogitsDivisor = 3 }, "logit_scale is 3, in llama.cpp it is 1 for llama"},
		},
		"qwen2-yarn": {
			{func(c *model.Config) { c.OBias = true }, "o_proj has a bias: in llama.cpp that of qwen2 has none"},
			{func(c *model.Config) { c.HeadDim++ }, "heads have 13 values"},
			{ropes(func(r *model.Rope) { r.Type = "llama3" }), `the rope type "llama3" is not written as GGUF for qwen2`},
			{ropes(func(r *model.Rope) { r.Type = "dynamic" }), `the rope type "dynamic" is not written`},
			{ropes(func(r *model.Rope) { r.BetaFast = 20 }), "a yarn rope with beta_fast 20, beta_slow 1, truncate true"},
			{ropes(func(r *model.Rope) { r.Whole = false }), "truncate false"},
		},
		"smollm3": {
			{func(c *model.Config) { c.Layers = slices.Clone(c.Layers); c.Layers[3].Rope = c.Layers[0].Rope }, "q and k of layer 3 are rotated: true; in llama.cpp that is false for smollm3"},
		},
		"exaone4": {
			{func(*model.Config) {}, "q and k of layer 2 are rotated: false; in llama.cpp that is true for exaone4"},
			{func(c *model.Config) { c.NumHiddenLayers, c.Layers = 64, slices.Repeat(c.Layers[:1], 64) }, "64 layers: in llama.cpp such a model of exaone4 has windows"},
		},
		"olmo3": {{layer(func(l *model.LayerConfig) { l.Rope.Type = "dynamic" }), `the rope type "dynamic" is not written as GGUF for olmo2`}, {func(c *model.Config) {
			c.Layers = slices.Clone(c.Layers)
			for i := range 3 {
				c.Layers[i].Rope.Theta = 1
			}
		}, "layers with a window rotate otherwise"}},
		"gemma": {{func(c *model.Config) { c.EmbeddingScale = 0 }, "embedding_scale is 1"}},
		"olmo2": {{func(c *model.Config) { c.TieWordEmbeddings = true }, "tie_word_embeddings is true: in llama.cpp it is false for olmo2"}},
		"gemma2": {
			{func(c *model.Config) { c.TieWordEmbeddings = false }, "tie_word_embeddings is false: in llama.cpp it is true for gemma2"},
			{func(c *model.Config) { c.AttentionCap = 0 }, "attn_logit_softcapping is 0, in llama.cpp it is 50 for gemma2"},
			{func(c *model.Config) { c.AttentionScale = 1 }, "attention.scale is 1"},
			{layer(func(l *model.LayerConfig) { l.Rope.Theta = 1 }), "layers with a window rotate otherwise"},
		},
		"gemma3_text": {
			{layer(func(l *model.LayerConfig) { l.Rope.Theta = 1 }), "layer 2 rotates otherwise"},
			{func(c *model.Config) { c.EmbeddingScale = 0 }, "embedding_scale is 1"},
			{func(c *model.Config) {
				c.Layers = slices.Clone(c.Layers)
				for i := range c.Layers {
					c.Layers[i].Rope = c.Layers[1].Rope
				}
			}, `the rope type "linear" of layers with a window is not written`},
		},
		"phi3": {{ropes(func(r *model.Rope) { r.Type = "yarn" }), `the rope type "yarn" is not written as GGUF for phi3`}},
	}
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		for _, test := range cases[c.Name] {
			m := loaded(t, c)
			config := *m.Config
			test.change(&config)
			m.Config = &config
			path := filepath.Join(t.TempDir(), "m.gguf")
			err := WriteModel(t.Context(), path, m, nil, F32, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || hint.Of(err) == "" {
				t.Errorf("%v, want %q and a hint", err, test.want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("something was written")
			}
		}
		delete(cases, c.Name)
	})
	if len(cases) > 0 {
		t.Errorf("no golden models for %v", cases)
	}
}

// ropes changes the rope of all layers.
func ropes(change func(r *model.Rope)) func(c *model.Config) {
	return func(c *model.Config) {
		c.Layers = slices.Clone(c.Layers)
		for i := range c.Layers {
			change(&c.Layers[i].Rope)
		}
	}
}

// TestWindowKeys: a window is said, and which layers have it where llama.cpp would take
// others.
func TestWindowKeys(t *testing.T) {
	windows := func(of ...int) *model.Config {
		c := &model.Config{MaxPositionEmbeddings: 100, NumHiddenLayers: len(of)}
		for _, w := range of {
			c.Layers = append(c.Layers, model.LayerConfig{Window: w, Rope: model.Rope{Type: "default"}})
		}
		return c
	}
	const window, pattern = "attention.sliding_window", "attention.sliding_window_pattern"
	for _, test := range []struct {
		modelType string
		config    *model.Config
		context   int
		want      []KeyValue
	}{
		{"gemma2", windows(7, 0, 7), 100, []KeyValue{{window, uint32(7)}}},
		{"gemma2", windows(0, 7, 0), 100, []KeyValue{{window, uint32(7)}, {pattern, []bool{false, true, false}}}},
		{"gemma2", windows(0, 0), 100, []KeyValue{{pattern, []bool{false, false}}}},
		{"gemma3_text", windows(7, 7, 7, 7, 7, 0, 7), 100, []KeyValue{{window, uint32(7)}}},
		{"llama", windows(0, 0), 100, nil},
		{"ministral", windows(9, 0), 9, nil},
		{"phi3", windows(9, 9), 9, []KeyValue{{window, uint32(9)}}},
		{"phi3", windows(0, 0), 100, []KeyValue{{window, uint32(0)}}},
	} {
		a := architectures[test.modelType]
		s, err := a.layers(test.config)
		if got := a.windowKeys(s); err != nil || s.context != test.context || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, context %d, %v; want %v, %d", test.modelType, got, s.context, err, test.want, test.context)
		}
	}
}

// TestPartOfALargerModel: names of modules and of tensors are those of the text part.
func TestPartOfALargerModel(t *testing.T) {
	c := &model.Config{Part: "language_model", NormPlaces: model.NormsAround}
	for name, want := range map[string]string{
		"model.language_model.layers.3.self_attn.q_proj.weight":         "blk.3.attn_q.weight",
		"language_model.model.layers.3.self_attn.q_proj.weight":         "blk.3.attn_q.weight",
		"language_model.model.layers.0.post_attention_layernorm.weight": "blk.0.post_attention_norm.weight",
		"language_model.model.embed_tokens.weight":                      "token_embd.weight",
		"language_model.lm_head.weight":                                 "output.weight",
	} {
		if got, err := nameOf(c, name); got != want || err != nil {
			t.Errorf("%s: %s %v, want %s", name, got, err, want)
		}
	}
}

// TestVerifySeesEveryByte: a file of all kinds of values, changed or cut at every byte.
func TestVerifySeesEveryByte(t *testing.T) {
	keys := []KeyValue{
		{"s", "text"},
		{"b", true},
		{"u", uint32(7)},
		{"f", float32(0.5)},
		{"ss", []string{"a", ""}},
		{"bs", []bool{true, false}},
		{"ii", []int32{-1, 2}},
		{"ff", []float32{1, 2}},
	}
	fill := func(dst []float32, lo, _ int) {
		for i := range dst {
			dst[i] = float32(lo + i)
		}
	}
	tensors := []Tensor{{"x", []int{3}, F32, fill}, {"y", []int{2, 32}, Q8_0, fill}, {"z", []int{2, 3}, F16, fill}}
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := write(t.Context(), path, keys, tensors); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 0x41
		for _, data := range [][]byte{bad, whole[:i]} {
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
			if verify(t.Context(), path, keys, tensors) == nil {
				t.Errorf("byte %d of %d, %d left: not seen", i, len(whole), len(data))
			}
		}
	}
	if err := os.WriteFile(path, append(whole, 0), 0o666); err != nil {
		t.Fatal(err)
	}
	if verify(t.Context(), path, keys, tensors) == nil {
		t.Error("a byte more: not seen")
	}
}

// TestStopped: a file whose writing or reading back is ended leaves nothing.
func TestStopped(t *testing.T) {
	for _, stop := range []int{1, 2, 3, 4} { // two tensors are written, then read back
		ctx, cancel := context.WithCancelCause(t.Context())
		enough, times := errors.New("enough"), 0
		fill := func(dst []float32, _, _ int) {
			if times++; times == stop {
				cancel(enough)
			}
		}
		rows := tileValues + 1 // of one value: two pieces
		dir := t.TempDir()
		err := write(ctx, filepath.Join(dir, "x.gguf"), nil, []Tensor{{"x", []int{rows, 1}, F16, fill}, {"y", []int{1}, F16, fill}})
		list, _ := os.ReadDir(dir)
		if !errors.Is(err, enough) || len(list) != 0 {
			t.Errorf("stopped at piece %d: %v, left behind: %v", stop, err, list)
		}
	}
}

func FuzzHeader(f *testing.F) {
	header, err := appendHeader(nil, []KeyValue{{"s", "text"}, {"ss", []string{"a"}}}, []Tensor{{Name: "x", Shape: []int{2}, Type: F32}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(header, make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := readHeader(bytes.NewReader(data), int64(len(data)))
		if err == nil && len(h.keys)+len(h.tensors) > len(data) {
			t.Errorf("%d keys of %d bytes", len(h.keys), len(data))
		}
	})
}
