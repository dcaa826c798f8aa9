package merge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// Options say how a merge is written and checked.
type Options struct {
	DType    *simd.DType // of all floating-point tensors; nil: as each is stored
	Probes   [][]int32   // short texts whose logits are compared
	Pool     *simd.Pool
	Progress func(done, total int64) // in bytes of the base; may be nil
}

// A Report is what a merge came to.
type Report struct {
	Tensors, Merged    int
	Weights, Unchanged int64 // of the merged tensors; Unchanged are as they would be without the adapter

	// Of the logits of all probes: the largest |value|, how far the adapter moves one at
	// most, and how far the merged model's is from that of base and adapter at most.
	Largest, Moved, Difference float64
}

// tileValues bounds the weights at hand: 4 MB of float32, and as much for their sum.
const tileValues = 1 << 20

// Write merges a into a copy of the folder of base. dir must not be there, or be empty.
// Where ctx ends early, its cause is the error, and nothing is left.
func Write(ctx context.Context, dir string, base *model.Model, a *loraone.Adapters, o Options) (*Report, error) {
	if within(dir, base.Dir) {
		return nil, hint.New(fmt.Errorf("%s: lies in the base's own folder", dir), "name a folder elsewhere: the base stays as it is")
	}
	weights, err := safetensors.OpenDir(base.Dir)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	draft, err := files.CreateFolder(dir)
	if err != nil {
		return nil, err
	}
	defer draft.Abort()
	m := &merger{Options: o, base: base, weights: weights, report: &Report{}, adapted: map[string]loraone.Module{}}
	for _, module := range a.Modules {
		m.adapted[module.At().Stored+".weight"] = module
	}
	err = weights.Guard(func() error {
		for _, shard := range weights.Shards() {
			if err := m.shard(ctx, draft.Dir, shard); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := m.companions(draft.Dir); err != nil {
		return nil, err
	}
	if err := m.verify(ctx, draft.Dir, a); err != nil {
		return nil, fmt.Errorf("checking the merged folder: %w", err)
	}
	return m.report, draft.Commit(configName)
}

// within reports whether dir is, or would be made in, a folder or one below it.
func within(dir, folder string) bool {
	home, err := os.Stat(folder)
	if err != nil {
		return false
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for {
		if info, err := os.Stat(abs); err == nil && os.SameFile(info, home) {
			return true
		}
		parent := filepath.Dir(abs)
		if parent == abs {
			return false
		}
		abs = parent
	}
}

// A merger writes one folder.
type merger struct {
	Options
	base    *model.Model
	weights *safetensors.Set
	adapted map[string]loraone.Module // by tensor
	report  *Report
	done    int64

	w, sum      []float32 // a tile of weights, and with the adapter
	stored, old []byte    // both as they are stored
}

// floating returns the type of a tensor of floating-point numbers, and that in which it
// is written.
func (m *merger) floating(t safetensors.Tensor) (from, to simd.DType, ok bool) {
	for _, d := range []simd.DType{simd.F32, simd.F16, simd.BF16} {
		if t.DType == d.String() {
			if m.DType != nil {
				return d, *m.DType, true
			}
			return d, d, true
		}
	}
	return 0, 0, false
}

// layout returns the tensors of a shard as they are written.
func (m *merger) layout(shard *safetensors.File) []safetensors.Tensor {
	list := shard.Layout()
	for i, t := range list {
		if _, to, ok := m.floating(t); ok {
			list[i].DType = to.String()
		}
	}
	return list
}

// shard writes one file of weights.
func (m *merger) shard(ctx context.Context, dir string, shard *safetensors.File) error {
	w, err := safetensors.Create(filepath.Join(dir, filepath.Base(shard.Path())), m.layout(shard), shard.Metadata())
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, info := range shard.Layout() {
		t, _ := shard.Tensor(info.Name)
		if err := m.tensor(stoppable{ctx, w}, t); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return w.Commit()
}

// A stoppable writer fails once its context has ended.
type stoppable struct {
	context.Context
	io.Writer
}

func (s stoppable) Write(p []byte) (int, error) {
	if err := context.Cause(s); err != nil {
		return 0, err
	}
	return s.Writer.Write(p)
}

// tensor writes one tensor.
func (m *merger) tensor(w io.Writer, t safetensors.Tensor) error {
	m.report.Tensors++
	from, to, ok := m.floating(t)
	module := m.adapted[t.Name]
	if module == nil && (!ok || from == to) {
		m.advance(len(t.Data))
		_, err := w.Write(t.Data)
		return err
	}
	rows, cols := 1, len(t.Data)/from.Size()
	var l loraone.LowRank
	if module != nil {
		l = module.LowRank()
		rows, cols = l.Out, l.In
		m.report.Merged++
		m.report.Weights += int64(rows) * int64(cols)
	} else if n := len(t.Shape); n > 1 && t.Shape[n-1] > 0 {
		rows, cols = cols/t.Shape[n-1], t.Shape[n-1]
	}
	height := max(1, tileValues/max(cols, 1))
	for lo := 0; lo < rows; lo += height {
		hi := min(rows, lo+height)
		data := t.Data[lo*cols*from.Size() : hi*cols*from.Size()]
		if err := m.tile(data, from, to, l, lo, hi, cols); err != nil {
			return err
		}
		if _, err := w.Write(m.stored); err != nil {
			return err
		}
		m.advance(len(data))
	}
	return nil
}

func (m *merger) advance(bytes int) {
	m.done += int64(bytes)
	if m.Progress != nil {
		m.Progress(m.done, m.weights.Bytes())
	}
}

// tile sets m.stored to rows [lo,hi) of W + s·B·A; without an adapter to those of W.
func (m *merger) tile(data []byte, from, to simd.DType, l loraone.LowRank, lo, hi, cols int) error {
	n := (hi - lo) * cols
	m.w, m.stored = slices.Grow(m.w[:0], n)[:n], slices.Grow(m.stored[:0], n*to.Size())[:n*to.Size()]
	simd.Convert(m.w, data, from)
	if l.R == 0 {
		simd.Store(m.stored, m.w, to)
		return finite(m.stored, to, m.w)
	}
	m.sum, m.old = slices.Grow(m.sum[:0], n)[:n], slices.Grow(m.old[:0], n*to.Size())[:n*to.Size()]
	delta := simd.Dense(m.sum, hi-lo, cols)
	m.Pool.Mul(delta, simd.Dense(l.B, l.Out, l.R).Slice(lo, hi), simd.Dense(l.A, l.R, l.In))
	simd.Scale(m.sum, l.Scale)
	simd.Add(m.sum, m.w)
	simd.Store(m.stored, m.sum, to)
	simd.Store(m.old, m.w, to)
	m.report.Unchanged += int64(same(m.stored, m.old, to.Size()))
	return finite(m.stored, to, m.sum)
}

// same counts the elements that are equal.
func same(a, b []byte, size int) int {
	n := 0
	for i := 0; i < len(a); i += size {
		if bytes.Equal(a[i:i+size], b[i:i+size]) {
			n++
		}
	}
	return n
}

// finite returns an error where a value became infinite or is no number. scratch is as
// long as what is stored, and is overwritten.
func finite(stored []byte, d simd.DType, scratch []float32) error {
	simd.Convert(scratch, stored, d)
	for _, v := range scratch {
		if v-v != 0 {
			err := fmt.Errorf("a weight became %v in %v", v, d)
			if d == simd.F16 {
				return hint.New(fmt.Errorf("%w, whose largest value is 65504", err), "--dtype bf16 and --dtype f32 hold it")
			}
			return err
		}
	}
	return nil
}

// coarsest returns the type with the fewest digits in which a merged tensor is written.
func (m *merger) coarsest() simd.DType {
	coarse := simd.F32
	for name := range m.adapted {
		t, _ := m.weights.Info(name)
		if _, to, _ := m.floating(t); digits(to) < digits(coarse) {
			coarse = to
		}
	}
	return coarse
}

// digits returns the bits of a type's significand.
func digits(d simd.DType) int { return [...]int{simd.F32: 24, simd.F16: 11, simd.BF16: 8}[d] }

// rounding returns half the distance between neighbours of 1, the largest relative error.
func rounding(d simd.DType) float64 { return math.Ldexp(1, -digits(d)) }

var errOther = errors.New("read back, it is not what was written")
