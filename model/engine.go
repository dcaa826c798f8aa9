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

	laid   microBatch
	prefix prefix

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
		prefix: newPrefix(c),
		inputs: make([][]float32, len(m.Blocks)+1), kept: make([]kept, len(m.Blocks)),
	}
}

// SetCompute chooses how products with the model's weights are computed from now on.
func (e *Engine) SetCompute(c simd.Compute) { e.products = e.pool.With(c) }

// Model returns the engine's model.
func (e *Engine) Model() *Model { return e.m }

// Pool returns the pool the engine computes on.
func (e *Engine) Pool() *simd.Pool { return e.pool }

// keeper returns where block l puts what its backward pass needs besides its input.
func (e *Engine) keeper(l, lowest int) *kept {
	if l <= e.Layout.Recompute || l < lowest {
		return &e.spare
	}
	return &e.kept[l]
}

// Logits returns the T×V logits of one short text.
func (e *Engine) Logits(ids []int32) simd.View {
	e.layText(ids)
	_, norm := e.forward(len(e.m.Blocks))
	logits := simd.Dense(make([]float32, norm.Rows*e.m.Config.VocabSize), norm.Rows, e.m.Config.VocabSize)
	e.lmHead(logits, norm)
	return logits
}

// layText lays one text and asks for all of it.
func (e *Engine) layText(ids []int32) {
	e.prefix.n = 0
	e.layNothing()
	e.layPiece(ids, piece{parent: -1, length: len(ids)})
	e.laid.askAll()
}

// layNothing empties the micro-batch.
func (e *Engine) layNothing() {
	e.laid.reset()
	for _, r := range e.rotaries {
		if r != nil {
			r.forget()
		}
	}
}

// layPiece adds a piece to the micro-batch.
func (e *Engine) layPiece(ids []int32, p piece) {
	for _, id := range ids {
		if id < 0 || int(id) >= e.m.Config.VocabSize {
			panic(fmt.Sprintf("model: token id %d, vocabulary of %d", id, e.m.Config.VocabSize))
		}
	}
	e.laid.lay(ids, p)
	for _, r := range e.rotaries {
		if r != nil {
			r.prepare(p.length)
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
	if cap(*buf) < max(T, 1)*simd.Pitch(width) {
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
	T, C := len(e.laid.ids), e.m.Config.HiddenSize
	x := e.rows(buf, T, C)
	for t, id := range e.laid.ids {
		e.m.EmbedTokens.Row(x.Row(t), int(id))
		if s := e.m.Config.EmbeddingScale; s != 0 {
			simd.Scale(x.Row(t), float32(s))
		}
	}
	return x
}

// forward runs all blocks and returns the last one's output for the rows that are asked for,
// and its norm, in scratch rows. What the blocks from lowest on need for their backward pass
// is kept; the ones below work in place.
func (e *Engine) forward(lowest int) (y, norm simd.View) {
	x := e.embed(&e.inputs[lowest])
	norm = e.normed(x, e.m.inputNorm(0))
	for l := range e.m.Blocks {
		y = x
		if l >= lowest {
			y = e.rows(&e.inputs[l+1], x.Rows, x.Cols)
		}
		norm = e.blockForward(l, e.keeper(l, lowest), x, norm, y, e.attend)
		x = y
	}
	return x.Slice(0, len(e.laid.asked)), norm
}

// attend is block l's attention of the texts that are laid out. What is to be the prefix of
// others lies behind them.
func (e *Engine) attend(l int, k *kept, out, qkv simd.View) {
	e.prefix.put(l, qkv.Columns(e.qWidth, e.qkvWidth), &e.laid)
	a, texts := e.attention.of(e.m.Config.Layers[l]), e.textsOf(l, qkv.Rows)
	e.Profile.count(Attention, 2*a.multiplications(texts.queries)) // q·kᵀ and p·v
	a.forward(e.pool, out, grown(&k.softmax, out.Rows*a.heads), qkv, e.prefix.keys(l), texts)
}

// textsOf returns the texts of block l and its queries.
func (e *Engine) textsOf(l, T int) texts {
	if e.top(l, T) {
		return e.laid.askedTexts
	}
	return e.laid.texts
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
