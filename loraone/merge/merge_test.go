package merge

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/internal/golden"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// given returns the adapters of a golden case.
func given(t *testing.T, c *golden.Case, m *model.Model) *loraone.Adapters {
	t.Helper()
	a, err := loraone.New(m.Config, loraone.Config{Method: loraone.LoRAOne, R: c.Rank, Alpha: c.Alpha, TargetModules: c.Targets}, nil)
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

func options(t *testing.T, c *golden.Case, d *simd.DType) Options {
	p := simd.NewPool(2)
	t.Cleanup(p.Close)
	return Options{DType: d, Probes: [][]int32{c.Sequences[0].IDs, c.Sequences[1].IDs}, Pool: p}
}

func ptr(d simd.DType) *simd.DType { return &d }

// TestMergedFoldersLoadAlike: logits of the merged folder, read as any other, against
// those that PyTorch has for base and adapter.
func TestMergedFoldersLoadAlike(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		base := c.Load(t)
		a := given(t, c, base)
		for name, d := range map[string]*simd.DType{"stored": nil, "f32": ptr(simd.F32), "f16": ptr(simd.F16), "bf16": ptr(simd.BF16)} {
			dir := filepath.Join(t.TempDir(), name)
			o := options(t, c, d)
			var done, total int64
			o.Progress = func(n, of int64) { done, total = n, of }
			r, err := Write(t.Context(), dir, base, a, o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Merged != len(a.Modules) || r.Unchanged < 0 || r.Unchanged >= r.Weights || r.Moved < 10*r.Difference || done > total || done < total/2 {
				t.Errorf("%s: %+v, %d of %d bytes", name, r, done, total)
			}
			config, err := model.ReadConfig(dir)
			if err != nil {
				t.Fatal(err)
			}
			m, err := model.Load(dir, config)
			if err != nil {
				t.Fatal(err)
			}
			e := model.NewEngine(m, o.Pool)
			sum, n := 0.0, 0
			for _, l := range e.Loss(c.Seqs(0, c.InitSamples)) {
				sum, n = sum+l.Sum, n+l.Targets
			}
			m.Close()
			want := map[string]float64{"stored": 2e-3, "f32": 1e-5, "f16": 2e-4, "bf16": 2e-3}[name]
			golden.Near(t, name+": loss", sum/float64(n), c.GivenLoss, want)
			if d != nil && config.DType != map[simd.DType]string{simd.F32: "float32", simd.F16: "float16", simd.BF16: "bfloat16"}[*d] {
				t.Errorf("%s: config.json says %s", name, config.DType)
			}
		}
	})
}

// TestUntouchedBytes: without another type, all files are the base's but for the adapted
// tensors, whose every weight is the float32 sum rounded once.
func TestUntouchedBytes(t *testing.T) {
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		base := c.Load(t)
		a := given(t, c, base)
		dir := filepath.Join(t.TempDir(), "merged")
		if _, err := Write(t.Context(), dir, base, a, options(t, c, nil)); err != nil {
			t.Fatal(err)
		}
		adapted := map[string]loraone.LowRank{}
		for _, m := range a.Modules {
			adapted[m.At().Name+".weight"] = m.LowRank()
		}
		old, made := openSet(t, c.Dir), openSet(t, dir)
		elements, differ := 0, 0
		for _, name := range old.Names() {
			want, _ := old.Tensor(name)
			got, _ := made.Tensor(name)
			l, ok := adapted[name]
			if !ok {
				if !bytes.Equal(got.Data, want.Data) || got.DType != want.DType {
					t.Errorf("%s changed", name)
				}
				continue
			}
			var d simd.DType
			for d.String() != want.DType {
				d++
			}
			sum := make([]float32, l.Out*l.In)
			simd.Convert(sum, want.Data, d)
			for o := range l.Out {
				for i := range l.In {
					exact := 0.0
					for r := range l.R {
						exact += float64(l.B[o*l.R+r]) * float64(l.A[r*l.In+i])
					}
					sum[o*l.In+i] = float32(float64(sum[o*l.In+i]) + float64(l.Scale)*exact)
				}
			}
			stored := make([]byte, len(want.Data))
			simd.Store(stored, sum, d)
			if d != simd.F32 { // its last digit shows the order of the sum
				elements += len(sum)
				differ += len(sum) - same(stored, got.Data, d.Size())
			}
		}
		if differ*2000 > elements {
			t.Errorf("%d of %d weights are not the exact sum rounded once", differ, elements)
		}
		for _, name := range []string{configName, indexName, "generation_config.json", "tokenizer.json"} {
			want, err := os.ReadFile(filepath.Join(c.Dir, name))
			got, _ := os.ReadFile(filepath.Join(dir, name))
			if !errors.Is(err, fs.ErrNotExist) && !bytes.Equal(got, want) {
				t.Errorf("%s changed", name)
			}
		}
	})
}

func openSet(t *testing.T, dir string) *safetensors.Set {
	t.Helper()
	s, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// oneCase runs f for the case in shards.
func oneCase(t *testing.T, f func(t *testing.T, c *golden.Case, base *model.Model, a *loraone.Adapters)) {
	ran := false
	golden.Each(t, "../../model", func(t *testing.T, c *golden.Case) {
		if c.Name == "llama3" {
			base := c.Load(t)
			f(t, c, base, given(t, c, base))
			ran = true
		}
	})
	if !ran {
		t.Fatal("no case llama3")
	}
}

func TestRefusals(t *testing.T) {
	oneCase(t, func(t *testing.T, c *golden.Case, base *model.Model, a *loraone.Adapters) {
		for _, dir := range []string{c.Dir, filepath.Join(c.Dir, "below"), filepath.Join(c.Dir, "a", "b")} {
			_, err := Write(t.Context(), dir, base, a, options(t, c, nil))
			if err == nil || !strings.Contains(err.Error(), "the base's own folder") || hint.Of(err) == "" {
				t.Errorf("%s: %v", dir, err)
			}
		}
		parent := t.TempDir()
		l := a.Modules[0].(*loraone.Layer)
		keep := l.Bt[0]
		l.Bt[0] = 1e6
		_, err := Write(t.Context(), filepath.Join(parent, "out"), base, a, options(t, c, ptr(simd.F16)))
		if err == nil || !strings.Contains(err.Error(), l.Name+".weight: a weight became") || !strings.Contains(hint.Of(err), "--dtype bf16") {
			t.Errorf("a weight beyond f16: %v", err)
		}
		l.Bt[0] = keep
		o := options(t, c, ptr(simd.BF16))
		defer func(b float64) { bounds[simd.BF16] = b }(bounds[simd.BF16])
		bounds[simd.BF16] = 1e-9
		_, err = Write(t.Context(), filepath.Join(parent, "out"), base, a, o)
		if err == nil || !strings.Contains(err.Error(), "the logits of the merged model differ") || !strings.Contains(hint.Of(err), "--dtype f32") {
			t.Errorf("beyond the bound: %v", err)
		}
		if list, _ := os.ReadDir(parent); len(list) != 0 {
			t.Errorf("left behind: %v", list)
		}
	})
}

// TestShardsWithoutAnIndex: the merged folder gets one. What else loaders ask for goes along.
func TestShardsWithoutAnIndex(t *testing.T) {
	companions := []string{"LICENSE", "preprocessor_config.json", "processor_config.json", "tokenizer.model", filepath.Join(templates, "tool.jinja")}
	oneCase(t, func(t *testing.T, c *golden.Case, _ *model.Model, a *loraone.Adapters) {
		bare := filepath.Join(t.TempDir(), "base")
		if err := os.CopyFS(bare, os.DirFS(c.Dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(bare, indexName)); err != nil {
			t.Fatal(err)
		}
		for _, name := range companions {
			path := filepath.Join(bare, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(name), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
		config, err := model.ReadConfig(bare)
		if err != nil {
			t.Fatal(err)
		}
		base, err := model.Load(bare, config)
		if err != nil {
			t.Fatal(err)
		}
		defer base.Close()
		dir := filepath.Join(t.TempDir(), "merged")
		if _, err := Write(t.Context(), dir, base, a, options(t, c, nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, indexName)); err != nil || len(openSet(t, dir).Shards()) < 2 {
			t.Errorf("shards without an index: %v", err)
		}
		for _, name := range companions {
			if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != name {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
	})
}

// TestStopped: a merge that is ended, while it writes or while it reads back, leaves nothing.
func TestStopped(t *testing.T) {
	oneCase(t, func(t *testing.T, c *golden.Case, base *model.Model, a *loraone.Adapters) {
		for _, share := range []float64{0, 0.5, 1} {
			ctx, cancel := context.WithCancelCause(t.Context())
			enough := errors.New("enough")
			o := options(t, c, nil)
			last := int64(0)
			for _, shard := range openSet(t, base.Dir).Shards() {
				for _, info := range shard.Layout() {
					tensor, _ := shard.Tensor(info.Name)
					last += int64(len(tensor.Data))
				}
			}
			o.Progress = func(done, _ int64) {
				if float64(done) >= share*float64(last) {
					cancel(enough)
				}
			}
			parent := t.TempDir()
			if _, err := Write(ctx, filepath.Join(parent, "out"), base, a, o); !errors.Is(err, enough) {
				t.Errorf("stopped at %v: %v", share, err)
			}
			if list, _ := os.ReadDir(parent); len(list) != 0 {
				t.Errorf("stopped at %v: left behind: %v", share, list)
			}
		}
	})
}

// TestVerifySeesEveryTensor: a byte changed in what was written, tensor by tensor, and in
// another place than the checks of the file look at.
func TestVerifySeesEveryTensor(t *testing.T) {
	oneCase(t, func(t *testing.T, c *golden.Case, base *model.Model, a *loraone.Adapters) {
		dir := filepath.Join(t.TempDir(), "merged")
		if _, err := Write(t.Context(), dir, base, a, options(t, c, nil)); err != nil {
			t.Fatal(err)
		}
		weights := openSet(t, base.Dir)
		m := &merger{Options: options(t, c, nil), base: base, weights: weights, report: &Report{}, adapted: map[string]loraone.Module{}}
		for _, module := range a.Modules {
			m.adapted[module.At().Name+".weight"] = module
		}
		if err := m.verify(t.Context(), dir, a); err != nil {
			t.Fatalf("nothing changed: %v", err)
		}
		for _, shard := range weights.Shards() {
			path := filepath.Join(dir, filepath.Base(shard.Path()))
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			at := len(whole)
			layout := shard.Layout()
			for i := len(layout) - 1; i >= 0; i-- {
				tensor, _ := shard.Tensor(layout[i].Name)
				at -= len(tensor.Data)
				bad := bytes.Clone(whole)
				if m.adapted[tensor.Name] != nil { // samples see a fault of many weights
					for j := range tensor.Data {
						if j%2 == 1 {
							bad[at+j] ^= 1
						}
					}
				} else {
					bad[at] ^= 1
				}
				if err := os.WriteFile(path, bad, 0o666); err != nil {
					t.Fatal(err)
				}
				if err := m.verify(t.Context(), dir, a); err == nil || !strings.Contains(err.Error(), tensor.Name) {
					t.Errorf("%s changed: %v", tensor.Name, err)
				}
			}
			if err := os.WriteFile(path, whole, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	})
}
