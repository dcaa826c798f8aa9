package model

import "example.com/finetune/simd"

// A prefix is the keys and values of the tokens that all pieces of a micro-batch have before
// them and that are not in it, in each block: n tokens from position 0 on. Their gradients
// add up beside them until the tokens themselves have their backward pass.
type prefix struct {
	n       int
	width   int         // 2KV·D
	kv, dkv [][]float32 // of each block, n×2KV·D
}

func newPrefix(c *Config) prefix {
	n := c.NumHiddenLayers
	return prefix{width: 2 * c.kvWidth(), kv: make([][]float32, n), dkv: make([][]float32, n)}
}

// grow makes the prefix n tokens long. The gradients of new ones are zero.
func (p *prefix) grow(n int) {
	for l := range p.kv {
		p.kv[l] = extended(p.kv[l], p.n*p.width, n*p.width)
		p.dkv[l] = extended(p.dkv[l], p.n*p.width, n*p.width)
		clear(p.dkv[l][p.n*p.width:])
	}
	p.n = n
}

// extended returns n values of which the first kept are those of x.
func extended(x []float32, kept, n int) []float32 {
	if cap(x) >= n {
		return x[:n]
	}
	y := make([]float32, n)
	copy(y, x[:kept])
	return y
}

// put takes the keys and values of block l, T×2KV·D, from the last piece of m where that is
// part of the prefix.
func (p *prefix) put(l int, kv simd.View, m *microBatch) {
	if !m.ahead {
		return
	}
	at, x := m.pieces[len(m.pieces)-1], p.keys(l)
	for t := at.first; t < at.end(); t++ {
		copy(x.Row(t), kv.Row(at.lo+t-at.first))
	}
}

// keys returns the keys and values of block l, gradients what has been added up for them.
func (p *prefix) keys(l int) simd.View      { return simd.Dense(p.kv[l], p.n, p.width) }
func (p *prefix) gradients(l int) simd.View { return simd.Dense(p.dkv[l], p.n, p.width) }
