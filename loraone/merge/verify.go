package merge

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/random"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// samples is how many weights of each adapted matrix are computed again.
const samples = 256

// bounds are how far a logit of the merged model may be off, relative to the largest.
// Measured on SmolLM2-135M, thirty layers, with an adapter that moves the logits by a
// seventh of the largest: f32 6e-6, f16 9e-4, bf16 1e-2; some times that.
var bounds = [...]float64{simd.F32: 1e-4, simd.F16: 1e-2, simd.BF16: 6e-2}

// verify compares what was written in dir with the base and the adapters.
func (m *merger) verify(ctx context.Context, dir string, a *loraone.Adapters) error {
	err := m.weights.Guard(func() error {
		return m.paired(dir, func(old, made *safetensors.File) error { return m.compare(ctx, old, made) })
	})
	if err != nil {
		return err
	}
	return m.probe(ctx, dir, a)
}

// compare checks one shard.
func (m *merger) compare(ctx context.Context, old, made *safetensors.File) error {
	want, got := m.layout(old), made.Layout()
	same := func(a, b safetensors.Tensor) bool {
		return a.Name == b.Name && a.DType == b.DType && slices.Equal(a.Shape, b.Shape)
	}
	if !slices.EqualFunc(got, want, same) {
		return fmt.Errorf("%s: other tensors: %w", made.Path(), errOther)
	}
	metadata := maps.Clone(made.Metadata())
	if _, ok := old.Metadata()["format"]; !ok {
		delete(metadata, "format")
	}
	if !maps.Equal(metadata, old.Metadata()) {
		return fmt.Errorf("%s: __metadata__ is %v, the base has %v", made.Path(), metadata, old.Metadata())
	}
	for _, t := range want {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		a, _ := old.Tensor(t.Name)
		b, _ := made.Tensor(t.Name)
		ok := false
		if module := m.adapted[t.Name]; module != nil {
			ok = m.sampled(a, b, module.LowRank())
		} else {
			ok = m.copied(a, b)
		}
		if !ok {
			return fmt.Errorf("%s: tensor %s: %w", made.Path(), t.Name, errOther)
		}
	}
	return nil
}

// copied reports whether b holds the values of a, in its own type.
func (m *merger) copied(a, b safetensors.Tensor) bool {
	from, to, ok := m.floating(a)
	if !ok || from == to {
		return bytes.Equal(a.Data, b.Data)
	}
	x, y := make([]float32, tileValues), make([]byte, tileValues*to.Size())
	for n := len(a.Data) / from.Size(); n > 0; {
		k := min(n, tileValues)
		at := len(a.Data)/from.Size() - n
		simd.Convert(x[:k], a.Data[at*from.Size():(at+k)*from.Size()], from)
		simd.Store(y[:k*to.Size()], x[:k], to)
		if !bytes.Equal(y[:k*to.Size()], b.Data[at*to.Size():(at+k)*to.Size()]) {
			return false
		}
		n -= k
	}
	return true
}

// sampled reports whether weights picked from b are those of a with l, computed in
// float64, up to one rounding to b's type and those of float32 on the way.
func (m *merger) sampled(a, b safetensors.Tensor, l loraone.LowRank) bool {
	from, to, _ := m.floating(a)
	rng := random.ForNames(0, "merge", l.Name)
	element := func(data []byte, i int, d simd.DType) float64 {
		var v [1]float32
		simd.Convert(v[:], data[i*d.Size():(i+1)*d.Size()], d)
		return float64(v[0])
	}
	for range samples {
		row, col := int(rng.Float64()*float64(l.Out)), int(rng.Float64()*float64(l.In))
		exact, size := 0.0, 0.0
		for r := range l.R {
			p := float64(l.B[row*l.R+r]) * float64(l.A[r*l.In+col])
			exact, size = exact+p, size+math.Abs(p)
		}
		w := element(a.Data, row*l.In+col, from)
		exact, size = w+float64(float64(l.Scale)*exact), math.Abs(w)+math.Abs(float64(l.Scale))*size
		const smallest = 0x1p-24 // of f16; that of the others is less
		most := rounding(to)*math.Abs(exact) + float64(l.R+3)*rounding(simd.F32)*size + smallest/2
		if !(math.Abs(element(b.Data, row*l.In+col, to)-exact) <= most*(1+1e-6)) {
			return false
		}
	}
	return true
}

// probe compares the logits of the merged model with those of base and adapter.
func (m *merger) probe(ctx context.Context, dir string, a *loraone.Adapters) error {
	config, err := model.ReadConfig(dir)
	if err != nil {
		return err
	}
	made, err := model.Load(dir, config)
	if err != nil {
		return err
	}
	defer made.Close()
	old, merged := m.engine(m.base), m.engine(made)
	r := m.report
	for _, ids := range m.Probes {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var base, adapted, got []float32
		err := m.base.Guard(func() error {
			old.SetAdapters(nil)
			base = old.Logits(ids).Data
			a.Attach(old)
			adapted = old.Logits(ids).Data
			return nil
		})
		if err == nil {
			err = made.Guard(func() error { got = merged.Logits(ids).Data; return nil })
		}
		if err != nil {
			return err
		}
		for i, v := range adapted {
			r.Largest = larger(r.Largest, float64(v))
			r.Moved = larger(r.Moved, float64(v)-float64(base[i]))
			r.Difference = larger(r.Difference, float64(v)-float64(got[i]))
		}
	}
	d := m.coarsest()
	if most := bounds[d] * r.Largest; !(r.Difference <= most) {
		err := fmt.Errorf("the logits of the merged model differ from those of base and adapter by up to %.3g, and the largest is %.3g: want at most %.3g in %v", r.Difference, r.Largest, most, d)
		if d != simd.F32 {
			return hint.New(err, "--dtype f32 rounds the merged weights by less")
		}
		return err
	}
	return nil
}

// larger returns |x| where it is more than most, or no number.
func larger(most, x float64) float64 {
	if x = math.Abs(x); x > most || x != x {
		return x
	}
	return most
}

// engine returns one with memory for the probes alone.
func (m *merger) engine(of *model.Model) *model.Engine {
	e := model.NewEngine(of, m.Pool)
	longest := 1
	for _, ids := range m.Probes {
		longest = max(longest, len(ids))
	}
	e.Layout.MicroBatch = longest
	return e
}
