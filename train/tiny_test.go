package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/random"
	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/train/recipe"
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
	c, err := model.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &weights{seed: seed}
	for _, x := range c.Tensors() {
		switch {
		case len(x.Shape) == 1:
			w.add(x.Name, 0, x.Shape...)
		case x.Shape[0] == V:
			w.add(x.Name, 0.5, x.Shape...)
		default:
			w.add(x.Name, 1.5/math.Sqrt(float64(x.Shape[1])), x.Shape...)
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
func (o *office) config(out string) recipe.Config {
	c := recipe.Default()
	c.Model, c.Data, c.OutputDir = o.model, o.data, out
	c.BatchSize, c.NumTrainEpochs, c.LearningRate = 4, 2, 5e-3
	c.LoraR, c.MaxLength, c.EvalSteps, c.SaveSteps = 4, 64, 4, 3
	return c
}

// open opens everything for a run, until the test ends.
func (o *office) open(t testing.TB, config recipe.Config) (*Session, error) {
	t.Helper()
	c, err := config.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	p := simd.NewPool(o.threads)
	t.Cleanup(p.Close)
	tok, err := tokenizer.Load("data/testdata/tokenizer")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ReadConfig(c.Model)
	if err != nil {
		t.Fatal(err)
	}
	d, err := LoadData(c, cfg, tok, nil, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(c.Model, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	plan, err := NewPlan(c, m.Config, d.Train, d.Valid, 0)
	if err != nil {
		t.Fatal(err)
	}
	if o.layout != (model.Layout{}) {
		plan.Layout = o.layout
	}
	s, err := NewSession(c, Inputs{Version: "test", Base: hub.Folder(m.Dir), Model: m, Pool: p, Tokenizer: tok, Data: d, Plan: plan})
	if err == nil {
		s.now = o.clock
	}
	return s, err
}

// session is open for settings that a session can be made of.
func (o *office) session(t testing.TB, c recipe.Config) *Session {
	t.Helper()
	s, err := o.open(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs c and fails the test where that fails.
func (o *office) run(t testing.TB, c recipe.Config) *Result {
	t.Helper()
	return finishing(t, o.session(t, c), Finished)
}

// finishing runs a session that is to end so.
func finishing(t testing.TB, s *Session, want Ending) *Result {
	t.Helper()
	out, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if out.Ending != want || out.Result == nil || out.Step != out.Result.Steps {
		t.Fatalf("%+v, want ending %d", out, want)
	}
	return out.Result
}

// fails runs c and returns its error.
func (o *office) fails(t testing.TB, c recipe.Config) error {
	t.Helper()
	out, err := o.session(t, c).Run(context.Background())
	if err == nil || out.Ending != Failed || out.Result != nil {
		t.Errorf("%+v, %v, want a failure", out, err)
	}
	return err
}

// interrupt is stop for a folder without an adapter, which then has none.
func (o *office) interrupt(t testing.TB, c recipe.Config, when func(event any) bool) Outcome {
	t.Helper()
	stopped := o.stop(t, c, when)
	noAdapter(t, c.OutputDir)
	return stopped
}

// stop runs c until when says so of an event, and wants an interruption.
func (o *office) stop(t testing.TB, c recipe.Config, when func(event any) bool) Outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := o.session(t, c)
	s.Report = func(event any) {
		if when(event) {
			cancel()
		}
	}
	out, err := s.Run(ctx)
	if err != nil || out.Ending != Interrupted {
		t.Fatalf("got %+v, %v, want an interruption", out, err)
	}
	return out
}

// resolved are settings that can be.
func resolved(t testing.TB, c recipe.Config) *recipe.Resolved {
	t.Helper()
	r, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// look is Look for settings that can be.
func look(t testing.TB, c recipe.Config) (*Found, error) {
	t.Helper()
	return Look(resolved(t, c))
}

// expect fails unless err contains want and carries this hint.
func expect(t testing.TB, what string, err error, want, advice string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s:\n got %v\nwant %s", what, err, want)
		return
	}
	if got := hint.Of(err); got != advice {
		t.Errorf("%s: hint %q, want %q", what, got, advice)
	}
}

// noAdapter fails where the folder holds something that looks like an adapter.
func noAdapter(t testing.TB, dir string) {
	t.Helper()
	for _, pattern := range []string{"adapter*", "*.safetensors", "*.bin"} {
		if list := glob(t, dir, pattern); len(list) > 0 {
			t.Errorf("left behind: %v", list)
		}
	}
}

func glob(t testing.TB, dir, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return list
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
