package model

import (
	"fmt"
	"slices"

	"example.com/finetune/simd"
)

// An Engine runs micro-batches through a model and holds the memory for it,
// which grows to the largest micro-batch seen. It serves one caller at a time.
type Engine struct {
	Layout  Layout
	Profile *Profile // where the time goes; may be nil

	m         *Model
	pool      *simd.Pool
	products  *simd.Pool // the same workers, for products with weights
	adapters  []Adapter  // of the model's linears, by index; nil: none
	rotaries  []*rotary  // of each block; equal ones are one, nil where nothing is rotated
	attention *attention

	qWidth, kvWidth, qkvWidth int // H·D, KV·D, (H+2KV)·D

	ids       []int32 // the micro-batch's tokens
	positions []int   // of each token in its sequence
	lengths   []int   // of each token's sequence
	starts    []int   // sequence i is tokens [starts[i],starts[i+1])

	inputs  [][]float32 // T×C, of each block, and the last one's output
	kept    []kept      // of each block
	spare   kept        // of the block at hand, where none is kept
	scratch scratch
}

// scratch is shared by all blocks.
type scratch struct {
	norm, sum, act, dact, dout, dqkv, dx []float32
	head                                 headScratch
}

// NewEngine returns an engine for m that computes on p.
func NewEngine(m *Model, p *simd.Pool) *Engine {
	c := m.Config
	return &Engine{
		Layout: c.DefaultLayout(), m: m, pool: p, products: p, rotaries: newRotaries(c), attention: newAttention(c, p.Threads()),
		qWidth: c.qWidth(), kvWidth: c.kvWidth(), qkvWidth: c.qkvWidth(),
		inputs: make([][]float32, len(m.Blocks)+1), kept: make([]kept, len(m.Blocks)),
	}
}

// SetCompute chooses how products with the model's weights are computed from now on.
func (e *Engine) SetCompute(c simd.Compute) { e.products = e.pool.With(c) }

// Model returns the engine's model.
func (e *Engine) Model() *Model { return e.m }

// Pool returns the pool the engine computes on.
func (e *Engine) Pool() *simd.Pool { return e.pool }

// Loss returns the loss of each sequence of one micro-batch.
func (e *Engine) Loss(seqs []Sequence) []Loss {
	e.lay(seqs)
	losses := e.head(seqs, e.forward(len(e.m.Blocks)), nil, simd.View{})
	e.Profile.At(Rest)
	return losses
}

// LossBackward returns the loss of each sequence of one micro-batch and adds
// Σ weightᵢ·∂(Loss.Sum)ᵢ to the adapters' gradients. Without weights all are 1.
func (e *Engine) LossBackward(seqs []Sequence, weights []float32) []Loss {
	if weights == nil {
		weights = make([]float32, len(seqs))
		for i := range weights {
			weights[i] = 1
		}
	}
	e.lay(seqs)
	lowest := e.lowestAdapted()
	y := e.forward(lowest)
	dx := e.rows(&e.scratch.dx, y.Rows, y.Cols)
	losses := e.head(seqs, y, weights, dx)
	for l := len(e.m.Blocks) - 1; l >= lowest; l-- {
		k, x := e.keeper(l, lowest), matrix(e.inputs[l], dx.Rows, dx.Cols)
		if l < e.Layout.Recompute { // that of the block above them still lies in spare
			e.Profile.again(true)
			e.blockInner(l, k, x, e.attend)
			if e.m.Blocks[l].MLPPostNorm != nil { // whose backward pass needs what it was given
				e.mlpOut(l, k, e.rows(&e.scratch.sum, x.Rows, x.Cols))
			}
			e.Profile.again(false)
		}
		e.blockBackward(l, k, x, dx, l == lowest)
	}
	e.Profile.At(Rest)
	return losses
}

// keeper returns where block l puts what its backward pass needs besides its input.
func (e *Engine) keeper(l, lowest int) *kept {
	if l <= e.Layout.Recompute || l < lowest {
		return &e.spare
	}
	return &e.kept[l]
}

// Logits returns the T×V logits of one short text.
func (e *Engine) Logits(ids []int32) simd.View {
	e.lay([]Sequence{{IDs: ids}})
	y := e.forward(len(e.m.Blocks))
	logits := simd.Dense(make([]float32, y.Rows*e.m.Config.VocabSize), y.Rows, e.m.Config.VocabSize)
	e.normForward(y, y, e.m.Norm)
	e.lmHead(logits, y)
	return logits
}

// lay lays the sequences end to end: ids, starts and positions.
func (e *Engine) lay(seqs []Sequence) {
	e.starts, e.ids, e.positions, e.lengths = append(e.starts[:0], 0), e.ids[:0], e.positions[:0], e.lengths[:0]
	for _, r := range e.rotaries {
		if r != nil {
			r.forget()
		}
	}
	for _, s := range seqs {
		for t, id := range s.IDs {
			if id < 0 || int(id) >= e.m.Config.VocabSize {
				panic(fmt.Sprintf("model: token id %d, vocabulary of %d", id, e.m.Config.VocabSize))
			}
			e.ids = append(e.ids, id)
			e.positions = append(e.positions, t)
			e.lengths = append(e.lengths, len(s.IDs))
		}
		e.starts = append(e.starts, len(e.ids))
		e.prepareRotaries(len(s.IDs))
	}
}

// prepareRotaries makes the angles of a sequence of some tokens.
func (e *Engine) prepareRotaries(length int) {
	for _, r := range e.rotaries {
		if r != nil {
			r.prepare(length)
		}
	}
}

// sameAngles reports whether sequences of two lengths are rotated alike.
func (e *Engine) sameAngles(a, b int) bool {
	return !slices.ContainsFunc(e.rotaries, func(r *rotary) bool { return r != nil && r.variant(a) != r.variant(b) })
}

// rows returns a T×width matrix in *buf, which is made for a full micro-batch: what a
// larger one leaves behind is garbage.
func (e *Engine) rows(buf *[]float32, T, width int) simd.View {
	if cap(*buf) < T*simd.Pitch(width) {
		*buf = make([]float32, max(T, e.Layout.MicroBatch)*simd.Pitch(width))
	}
	return matrix((*buf)[:T*simd.Pitch(width)], T, width)
}

// matrix returns the T×width matrix that was put in x.
func matrix(x []float32, T, width int) simd.View {
	return simd.View{Data: x, Rows: T, Cols: width, RowStride: simd.Pitch(width), ColStride: 1}
}

// embed returns the embeddings of the laid tokens in buf.
func (e *Engine) embed(buf *[]float32) simd.View {
	T, C := len(e.ids), e.m.Config.HiddenSize
	x := e.rows(buf, T, C)
	for t, id := range e.ids {
		e.m.EmbedTokens.Row(x.Row(t), int(id))
		if s := e.m.Config.EmbeddingScale; s != 0 {
			simd.Scale(x.Row(t), float32(s))
		}
	}
	return x
}

// forward runs all blocks and returns the last one's output. What the blocks
// from lowest on need for their backward pass is kept; the ones below work in
// place.
func (e *Engine) forward(lowest int) simd.View {
	x := e.embed(&e.inputs[lowest])
	for l := range e.m.Blocks {
		y := x
		if l >= lowest {
			y = e.rows(&e.inputs[l+1], x.Rows, x.Cols)
		}
		e.blockForward(l, e.keeper(l, lowest), x, y, e.attend)
		x = y
	}
	return x
}

// attend is block l's attention of the sequences that are laid out.
func (e *Engine) attend(l int, k *kept, out, qkv simd.View) {
	a := e.attention.of(e.m.Config.Layers[l])
	e.Profile.count(Attention, 2*a.multiplications(e.starts)) // q·kᵀ and p·v
	a.forward(e.pool, out, grown(&k.softmax, qkv.Rows*a.heads), qkv, e.starts)
}

// lowestAdapted returns the first block with an adapter, or the number of blocks.
func (e *Engine) lowestAdapted() int {
	for _, l := range e.m.linears {
		if e.adapted(l) {
			return l.Layer
		}
	}
	return len(e.m.Blocks)
}
