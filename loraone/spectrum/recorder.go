package spectrum

import (
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// A recorder takes the place of an adapter and sums up what a pass needs of the
// gradient G = Σ dyᵀ·x of its projection: G itself, or G times a thin matrix.
type recorder interface {
	model.Adapter
	sum() []float32
}

// watch is the Forward of a recorder: nothing is added.
type watch struct{}

func (watch) Forward(*simd.Pool, simd.View, simd.View) {}

// whole records G (Out×In).
type whole struct {
	watch
	g simd.View
}

func (w *whole) Backward(p *simd.Pool, _, dy, x simd.View) { p.AddMul(w.g, dy.T(), x) }
func (w *whole) sum() []float32                            { return w.g.Data }

// rightSketch records G·Ω (Out×q), Ω In×q.
type rightSketch struct {
	watch
	omega, y simd.View
	buf      []float32
}

func (s *rightSketch) Backward(p *simd.Pool, _, dy, x simd.View) {
	z := simd.Dense(grown(&s.buf, x.Rows*s.omega.Cols), x.Rows, s.omega.Cols)
	p.Mul(z, x, s.omega)
	p.AddMul(s.y, dy.T(), z)
}
func (s *rightSketch) sum() []float32 { return s.y.Data }

// leftSketch records QᵀG (q×In), Q Out×q.
type leftSketch struct {
	watch
	q, z simd.View
	buf  []float32
}

func (s *leftSketch) Backward(p *simd.Pool, _, dy, x simd.View) {
	w := simd.Dense(grown(&s.buf, x.Rows*s.q.Cols), x.Rows, s.q.Cols)
	p.Mul(w, dy, s.q)
	p.AddMul(s.z, w.T(), x)
}
func (s *leftSketch) sum() []float32 { return s.z.Data }

// grown returns the first n values of *buf, made larger if need be.
func grown(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	*buf = (*buf)[:n]
	return *buf
}
