package model

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// tensors returns all tensors a configuration wants, with values that differ.
func tensors(c *Config) map[string]safetensors.Entry {
	all := map[string]safetensors.Entry{}
	add := func(name string, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := make([]float32, n)
		h := fnv.New32a()
		h.Write([]byte(name))
		for i := range data {
			data[i] = float32(1+h.Sum32()%1000) + float32(i)/1024
		}
		all[name] = safetensors.Entry{Name: name, Shape: shape, Data: data}
	}
	q, kv := c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	add("model.embed_tokens.weight", c.VocabSize, c.HiddenSize)
	for i := range c.NumHiddenLayers {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm.weight", c.HiddenSize)
		add(p+"post_attention_layernorm.weight", c.HiddenSize)
		for name, shape := range map[string][2]int{
			"self_attn.q_proj": {q, c.HiddenSize}, "self_attn.k_proj": {kv, c.HiddenSize}, "self_attn.v_proj": {kv, c.HiddenSize},
			"self_attn.o_proj": {c.HiddenSize, q}, "mlp.gate_proj": {c.IntermediateSize, c.HiddenSize},
			"mlp.up_proj": {c.IntermediateSize, c.HiddenSize}, "mlp.down_proj": {c.HiddenSize, c.IntermediateSize},
		} {
			add(p+name+".weight", shape[0], shape[1])
			attn := strings.HasPrefix(name, "self_attn")
			if attn && (c.OBias && strings.Contains(name, "o_proj") || c.QKVBias && !strings.Contains(name, "o_proj")) {
				add(p+name+".bias", shape[0])
			}
		}
		if c.QKNorm {
			add(p+"self_attn.q_norm.weight", c.HeadDim)
			add(p+"self_attn.k_norm.weight", c.HeadDim)
		}
	}
	add("model.norm.weight", c.HiddenSize)
	if !c.TieWordEmbeddings {
		add("lm_head.weight", c.VocabSize, c.HiddenSize)
	}
	return all
}

func save(t *testing.T, dir string, all map[string]safetensors.Entry) {
	t.Helper()
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), slices.Collect(maps.Values(all)), nil); err != nil {
		t.Fatal(err)
	}
}

// loaded writes a model whose tensors were changed and loads it.
func loaded(t *testing.T, c *Config, change func(all map[string]safetensors.Entry)) (*Model, error) {
	t.Helper()
	dir := t.TempDir()
	all := tensors(c)
	if change != nil {
		change(all)
	}
	save(t, dir, all)
	m, err := Load(dir, c)
	if err == nil {
		t.Cleanup(func() { m.Close() })
	}
	return m, err
}

func config(t *testing.T, changes map[string]any) *Config {
	t.Helper()
	c, err := parsed(t, changes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func equalMatrix(t *testing.T, what string, m simd.Matrix, want safetensors.Entry) {
	t.Helper()
	if m.Rows != want.Shape[0] || m.Cols != want.Shape[1] {
		t.Errorf("%s: %d×%d, want %v", what, m.Rows, m.Cols, want.Shape)
		return
	}
	got := make([]float32, m.Rows*m.Cols)
	simd.Convert(got, m.Data, m.DType)
	if !slices.Equal(got, want.Data) {
		t.Errorf("%s: other values", what)
	}
}

func TestEveryTensorFindsItsPlace(t *testing.T) {
	for _, changes := range []map[string]any{
		nil,
		{"tie_word_embeddings": true, "attention_bias": true},
		{"model_type": "mistral", "head_dim": 6},
		{"model_type": "qwen2"},
		{"model_type": "qwen3", "head_dim": 8, "attention_bias": true},
	} {
		c := config(t, changes)
		m, err := loaded(t, c, nil)
		if err != nil {
			t.Errorf("%v: %v", changes, err)
			continue
		}
		all := tensors(c)
		equalMatrix(t, "embed_tokens", m.EmbedTokens, all["model.embed_tokens.weight"])
		if head, ok := all["lm_head.weight"]; ok {
			equalMatrix(t, "lm_head", m.LMHead, head)
		} else if &m.LMHead.Data[0] != &m.EmbedTokens.Data[0] {
			t.Error("a tied head is not the embedding")
		}
		vectors := map[string][]float32{"model.norm.weight": m.Norm}
		for i := range m.Blocks {
			b, p := &m.Blocks[i], fmt.Sprintf("model.layers.%d.", i)
			vectors[p+"input_layernorm.weight"] = b.InputNorm
			vectors[p+"post_attention_layernorm.weight"] = b.MLPNorm
			if c.QKNorm {
				vectors[p+"self_attn.q_norm.weight"], vectors[p+"self_attn.k_norm.weight"] = b.QNorm, b.KNorm
			}
			names := []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}
			for j, l := range m.Linears()[7*i : 7*i+7] {
				if l.Name != p+names[j] {
					t.Errorf("linear %d is %s, want %s", j, l.Name, p+names[j])
				}
				equalMatrix(t, l.Name, l.W, all[l.Name+".weight"])
				vectors[l.Name+".bias"] = l.Bias // nil where there is none
			}
		}
		for name, got := range vectors {
			if !slices.Equal(got, all[name].Data) {
				t.Errorf("%s: other values", name)
			}
		}
		if info, err := os.Stat(filepath.Join(m.Dir, "model.safetensors")); err != nil || m.MappedBytes() != info.Size() {
			t.Errorf("%d bytes mapped (%v)", m.MappedBytes(), err)
		}
	}
}

func TestLoadMistakes(t *testing.T) {
	type all = map[string]safetensors.Entry
	set := func(name string, shape ...int) func(all) {
		return func(a all) {
			n := 1
			for _, d := range shape {
				n *= d
			}
			a[name] = safetensors.Entry{Name: name, Shape: shape, Data: make([]float32, n)}
		}
	}
	tied := map[string]any{"tie_word_embeddings": true}
	for _, test := range []struct {
		changes map[string]any
		change  func(all)
		want    string
	}{
		{nil, func(a all) { delete(a, "model.norm.weight") }, "tensor model.norm.weight is missing, want shape [12]"},
		{nil, func(a all) { delete(a, "lm_head.weight") }, "tensor lm_head.weight is missing, want shape [30 12]"},
		{nil, func(a all) { delete(a, "model.layers.1.mlp.up_proj.weight") }, "tensor model.layers.1.mlp.up_proj.weight is missing, want shape [20 12]"},
		{nil, set("model.layers.0.self_attn.k_proj.weight", 12, 12), "tensor model.layers.0.self_attn.k_proj.weight has shape [12 12], want [4 12]"},
		{nil, set("model.layers.0.self_attn.o_proj.weight", 144), "o_proj.weight has shape [144], want [12 12]"},
		{nil, set("model.norm.weight", 12, 1), "tensor model.norm.weight has shape [12 1], want [12]"},
		{nil, set("model.layers.0.self_attn.q_proj.bias", 12), "tensor model.layers.0.self_attn.q_proj.bias (F32 [12]) is unexpected"},
		{nil, set("model.layers.2.mlp.up_proj.weight", 20, 12), "tensor model.layers.2.mlp.up_proj.weight (F32 [20 12]) is unexpected"},
		{nil, set("score.weight", 2, 12), "tensor score.weight (F32 [2 12]) is unexpected"},
		{map[string]any{"model_type": "qwen2"}, func(a all) { delete(a, "model.layers.0.self_attn.v_proj.bias") }, "v_proj.bias is missing, want shape [4]"},
		{map[string]any{"model_type": "qwen3", "head_dim": 4}, func(a all) { delete(a, "model.layers.0.self_attn.q_norm.weight") }, "q_norm.weight is missing, want shape [4]"},
		{tied, set("lm_head.weight", 30, 12), "lm_head.weight differs from model.embed_tokens.weight"},
		{tied, set("lm_head.weight", 29, 12), "tensor lm_head.weight has shape [29 12], want [30 12]"},
		{nil, func(a all) { clear(a) }, "and 11 more mistakes"},
		{nil, func(a all) {
			delete(a, "model.norm.weight")
			set("x", 1)(a)
		}, "is missing, want shape [12]\n"},
		{nil, func(a all) { // as AutoModel saves it
			delete(a, "lm_head.weight")
			for _, e := range slices.Collect(maps.Values(a)) {
				delete(a, e.Name)
				e.Name = strings.TrimPrefix(e.Name, "model.")
				a[e.Name] = e
			}
		}, ": no tensor has a name such as model.embed_tokens.weight: the first is embed_tokens.weight"},
	} {
		_, err := loaded(t, config(t, test.changes), test.change)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}

// TestLoadBelievesNoSize: nothing is allocated by the word of a configuration.
func TestLoadBelievesNoSize(t *testing.T) {
	c := config(t, map[string]any{
		"model_type": "qwen2", "hidden_size": maxHidden, "num_attention_heads": 1024, "num_key_value_heads": 1024,
		"intermediate_size": maxMLP, "num_hidden_layers": maxLayers, "vocab_size": maxVocab,
	})
	dir := t.TempDir()
	save(t, dir, map[string]safetensors.Entry{"x": {Name: "model.norm.weight", Data: []float32{1}}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Load(dir, c)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "tensor model.embed_tokens.weight is missing, want shape [16777216 131072]") {
		t.Error(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Errorf("%d bytes allocated for an empty file", n)
	}
}

func TestLoadTakes(t *testing.T) {
	tied := config(t, map[string]any{"tie_word_embeddings": true})
	m, err := loaded(t, tied, func(all map[string]safetensors.Entry) {
		head := all["model.embed_tokens.weight"]
		head.Name = "lm_head.weight"
		all[head.Name] = head
	})
	if err != nil || &m.LMHead.Data[0] != &m.EmbedTokens.Data[0] {
		t.Errorf("a head equal to the tied embedding: %v", err)
	}
	_, err = loaded(t, tied, func(all map[string]safetensors.Entry) {
		name := "model.layers.0.self_attn.rotary_emb.inv_freq"
		all[name] = safetensors.Entry{Name: name, Shape: []int{2}, Data: []float32{1, 0.01}}
	})
	if err != nil {
		t.Errorf("rotary frequencies of an old file: %v", err)
	}
}

// writeTyped writes a model.safetensors with the given type for each tensor.
func writeTyped(t *testing.T, dir string, all map[string]safetensors.Entry, dtype func(name string) string) {
	t.Helper()
	header, data := map[string]any{}, []byte{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e, lo := all[name], len(data)
		for _, v := range e.Data {
			switch b := math.Float32bits(v); dtype(name) {
			case "BF16":
				data = binary.LittleEndian.AppendUint16(data, uint16(b>>16))
			case "F16":
				data = append(data, 0, 0x3c) // 1
			case "I64":
				data = append(data, make([]byte, 8)...)
			default:
				data = binary.LittleEndian.AppendUint32(data, b)
			}
		}
		header[name] = map[string]any{"dtype": dtype(name), "shape": e.Shape, "data_offsets": []int{lo, len(data)}}
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...)
	put(t, dir, "model.safetensors", string(append(file, data...)))
}

func TestTypesStayAsStored(t *testing.T) {
	dir, c := t.TempDir(), config(t, nil)
	writeTyped(t, dir, tensors(c), func(name string) string {
		switch {
		case strings.Contains(name, "q_proj"), strings.Contains(name, "input_layernorm"):
			return "BF16"
		case strings.Contains(name, "k_proj"), strings.Contains(name, "post_"):
			return "F16"
		}
		return "F32"
	})
	m, err := Load(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b := &m.Blocks[1]
	if b.QKV[0].W.DType != simd.BF16 || b.QKV[1].W.DType != simd.F16 || b.QKV[2].W.DType != simd.F32 {
		t.Errorf("types %v, %v, %v", b.QKV[0].W.DType, b.QKV[1].W.DType, b.QKV[2].W.DType)
	}
	if b.MLPNorm[0] != 1 || b.InputNorm[0] < 2 {
		t.Errorf("norms begin with %v and %v", b.MLPNorm[0], b.InputNorm[0])
	}
	writeTyped(t, dir, tensors(c), func(name string) string {
		if strings.Contains(name, "1.mlp.up") || name == "model.norm.weight" {
			return "I64"
		}
		return "F32"
	})
	_, err = Load(dir, c)
	for _, want := range []string{"tensor model.layers.1.mlp.up_proj.weight is of type I64, want F32, F16 or BF16", "tensor model.norm.weight is of type I64"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestCloseModel(t *testing.T) {
	m, err := loaded(t, config(t, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
}

func TestLoadWithoutWeights(t *testing.T) {
	_, err := Load(t.TempDir(), config(t, nil))
	if err == nil || !strings.Contains(err.Error(), "neither model.safetensors nor") {
		t.Error(err)
	}
}

// A kernel that faults in a worker of the pool ends in an error as well.
func TestGuardCoversThePool(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut short")
	}
	m, err := loaded(t, config(t, map[string]any{"vocab_size": 3000, "intermediate_size": 4096}), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := simd.NewPool(2)
	defer p.Close()
	e := NewEngine(m, p)
	s := Sequence{IDs: []int32{1, 2, 3}, Mask: []bool{false, true, true}}
	if e.Loss([]Sequence{s})[0].Sum == 0 {
		t.Fatal("no loss before")
	}
	if err := os.Truncate(filepath.Join(m.Dir, "model.safetensors"), 4096); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := m.Guard(func() error { e.Loss([]Sequence{s}); return nil }); err == nil || !strings.Contains(err.Error(), "cannot be read any more") {
			t.Fatal(err)
		}
	}
}

// TestGuardSeesChanges: a file written over while it is mapped makes no fault, but
// what is computed from it is nothing that anyone meant.
func TestGuardSeesChanges(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be written to")
	}
	m, err := loaded(t, config(t, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(m.Dir, "model.safetensors")
	if err := m.Guard(func() error { return m.Unchanged() }); err != nil {
		t.Error(err)
	}
	err = m.Guard(func() error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Minute)) })
	if err == nil || !strings.Contains(err.Error(), path+": was written to while in use") || m.Unchanged() == nil {
		t.Error(err)
	}
	built := &Model{}
	if err := errors.Join(built.Guard(func() error { return nil }), built.Unchanged(), built.Close()); err != nil {
		t.Errorf("a model without files: %v", err)
	}
}

func TestGuardNamesTheTensor(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut short")
	}
	m, err := loaded(t, config(t, map[string]any{"vocab_size": 3000, "intermediate_size": 4096}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(m.Dir, "model.safetensors"), 4096); err != nil {
		t.Fatal(err)
	}
	row := make([]float32, m.LMHead.Cols)
	err = m.Guard(func() error { m.LMHead.Row(row, 2999); return nil })
	if err == nil || !strings.Contains(err.Error(), "tensor lm_head.weight: cannot be read any more") {
		t.Error(err)
	}
	down := m.Blocks[1].Down
	row = make([]float32, down.W.Cols)
	err = m.Guard(func() error { down.W.Row(row, 11); return nil })
	if err == nil || !strings.Contains(err.Error(), filepath.Join(m.Dir, "model.safetensors")+": tensor model.layers.1.mlp.down_proj.weight: ") {
		t.Error(err)
	}
}
