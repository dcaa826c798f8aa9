package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/finetune/internal/random"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

// tinyModel writes a random llama of two layers with the vocabulary of
// data/testdata/tokenizer and returns its folder.
func tinyModel(t testing.TB, seed uint64) string {
	t.Helper()
	const C, H, KV, D, F, V = 32, 4, 2, 8, 48, 264
	dir := t.TempDir()
	config, err := json.Marshal(map[string]any{
		"model_type": "llama", "hidden_size": C, "intermediate_size": F, "num_hidden_layers": 2,
		"num_attention_heads": H, "num_key_value_heads": KV, "head_dim": D, "vocab_size": V,
		"max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
		"hidden_act": "silu", "rope_theta": 10000, "bos_token_id": 0, "eos_token_id": 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "config.json"), string(config))
	w := &weights{seed: seed}
	w.add("model.embed_tokens.weight", 0.5, V, C)
	w.add("model.norm.weight", 0, C)
	for l := range 2 {
		p := fmt.Sprintf("model.layers.%d.", l)
		w.add(p+"input_layernorm.weight", 0, C)
		w.add(p+"post_attention_layernorm.weight", 0, C)
		for name, shape := range map[string][]int{
			"self_attn.q_proj": {H * D, C}, "self_attn.k_proj": {KV * D, C}, "self_attn.v_proj": {KV * D, C}, "self_attn.o_proj": {C, H * D},
			"mlp.gate_proj": {F, C}, "mlp.up_proj": {F, C}, "mlp.down_proj": {C, F},
		} {
			w.add(p+name+".weight", 1.5/math.Sqrt(float64(shape[1])), shape...)
		}
	}
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), w.list, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// weights draws tensors.
type weights struct {
	seed uint64
	list []safetensors.Entry
}

// add draws uniformly within ±scale; scale 0 gives ones.
func (w *weights) add(name string, scale float64, shape ...int) {
	n := 1
	for _, s := range shape {
		n *= s
	}
	rng := random.ForStep(w.seed, name, 0)
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
		if scale > 0 {
			x[i] = float32((float64(rng.Uint64()>>11)*0x1p-52 - 1) * scale)
		}
	}
	w.list = append(w.list, safetensors.Entry{Name: name, Shape: shape, Data: x})
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tinyData writes train.jsonl and valid.jsonl with a pattern to learn.
func tinyData(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	rows := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, `{"prompt": "%s%d", "completion": "%s"}`+"\n", strings.Repeat("ab", i%7), i, strings.Repeat("the ", 1+i%5))
		}
		return b.String()
	}
	put(t, filepath.Join(dir, "train.jsonl"), rows(0, 27))
	put(t, filepath.Join(dir, "valid.jsonl"), rows(100, 108))
	return dir
}

// An office starts sessions of one model and data.
type office struct {
	model, data string
	threads     int
	layout      model.Layout // zero: the plan's
	clock       func() time.Time
}

func newOffice(t testing.TB) *office {
	return &office{model: tinyModel(t, 1), data: tinyData(t), threads: 2, clock: func() time.Time { return time.Unix(0, 0) }}
}

// config is a run of seven steps an epoch, two epochs.
func (o *office) config(out string) Config {
	c := Default()
	c.Model, c.Data, c.OutputDir = o.model, o.data, out
	c.BatchSize, c.NumTrainEpochs, c.LearningRate = 4, 2, 5e-3
	c.LoraR, c.MaxLength, c.EvalSteps, c.SaveSteps = 4, 64, 4, 3
	return c
}

// session opens everything for a run, until the test ends.
func (o *office) session(t testing.TB, c Config) *Session {
	t.Helper()
	p := simd.NewPool(o.threads)
	t.Cleanup(p.Close)
	tok, err := tokenizer.Load("data/testdata/tokenizer")
	if err != nil {
		t.Fatal(err)
	}
	d, err := LoadData(&c, tok, nil, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ReadConfig(c.Model)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(c.Model, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	plan, err := NewPlan(&c, m.Config, d.Train, d.Valid, 0)
	if err != nil {
		t.Fatal(err)
	}
	if o.layout != (model.Layout{}) {
		plan.Layout = o.layout
	}
	return &Session{Config: c, Version: "test", Model: m, Pool: p, Data: d, Plan: plan, now: o.clock}
}

// run runs c and fails the test where that fails.
func (o *office) run(t testing.TB, c Config) *Result {
	t.Helper()
	result, err := o.session(t, c).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// interrupt is stop for a folder without an adapter, which then has none.
func (o *office) interrupt(t testing.TB, c Config, when func(event any) bool) *InterruptedError {
	t.Helper()
	stopped := o.stop(t, c, when)
	noAdapter(t, c.OutputDir)
	return stopped
}

// stop runs c until when says so of an event, and wants an interruption.
func (o *office) stop(t testing.TB, c Config, when func(event any) bool) *InterruptedError {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := o.session(t, c)
	s.Report = func(event any) {
		if when(event) {
			cancel()
		}
	}
	_, err := s.Run(ctx)
	var stopped *InterruptedError
	if !errors.As(err, &stopped) {
		t.Fatalf("got %v, want an interruption", err)
	}
	return stopped
}

// noAdapter fails where the folder holds something that looks like an adapter.
func noAdapter(t testing.TB, dir string) {
	t.Helper()
	for _, pattern := range []string{"adapter*", "*.safetensors", "*.bin"} {
		if list, _ := filepath.Glob(filepath.Join(dir, pattern)); len(list) > 0 {
			t.Errorf("left behind: %v", list)
		}
	}
}

// sameFile fails unless a file of two folders has the same bytes.
func sameFile(t testing.TB, what, a, b, name string) {
	t.Helper()
	x, err := os.ReadFile(filepath.Join(a, name))
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(filepath.Join(b, name))
	if err != nil {
		t.Fatal(err)
	}
	if string(x) != string(y) {
		t.Errorf("%s: %s differs (%d and %d bytes)", what, name, len(x), len(y))
	}
}
