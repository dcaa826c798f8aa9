package model

import "example.com/finetune/simd"

// A Pass takes a batch through an engine, a micro-batch at a time:
//
//	for p := e.Backward(seqs, weights); p.Next(); {
//		…
//	}
//
// Nothing else may compute on the engine meanwhile. What the sequences share is computed
// once; see the package's comment.
type Pass struct {
	Losses []Loss // of each sequence, as far as its targets have been met

	engine  *Engine
	seqs    []Sequence
	weights []float32 // of each sequence; nil without a backward pass
	lowest  int       // block of the backward pass
	tree    []node
	from    int   // nodes [from,at) are those of the last micro-batch, [at,…) are to be done
	at      int   //
	held    []int // the nodes whose tokens the engine's prefix has, from position 0 on
}

// Forward returns a pass for the losses of sequences.
func (e *Engine) Forward(seqs []Sequence) *Pass {
	e.prefix.n = 0
	e.attention.most = packedBatches * e.Layout.MicroBatch
	return &Pass{Losses: make([]Loss, len(seqs)), engine: e, seqs: seqs, lowest: len(e.m.Blocks), tree: e.m.Config.prefixTree(seqs)}
}

// Backward returns a pass that also adds Σ weightᵢ·∂(Loss.Sum)ᵢ to the adapters' gradients.
// Without weights all are 1.
func (e *Engine) Backward(seqs []Sequence, weights []float32) *Pass {
	p := e.Forward(seqs)
	p.lowest = e.lowestAdapted()
	if p.weights = weights; weights == nil {
		p.weights = make([]float32, len(seqs))
		for i := range p.weights {
			p.weights[i] = 1
		}
	}
	return p
}

// Loss returns the loss of each sequence.
func (e *Engine) Loss(seqs []Sequence) []Loss {
	p := e.Forward(seqs)
	for p.Next() {
	}
	return p.Losses
}

// LossBackward returns the loss of each sequence; see [Engine.Backward].
func (e *Engine) LossBackward(seqs []Sequence, weights []float32) []Loss {
	p := e.Backward(seqs, weights)
	for p.Next() {
	}
	return p.Losses
}

// Sequence returns the index of a sequence that the last micro-batch had tokens of.
func (p *Pass) Sequence() int { return p.tree[p.from].seq }

// Progress returns how many tokens have been computed, of how many. One that is shared
// counts once.
func (p *Pass) Progress() (done, total int) {
	for i := range p.tree {
		if total += p.tree[i].len(); i < p.at {
			done = total
		}
	}
	return done, total
}

// Next computes the next micro-batch, and returns false where there is none.
func (p *Pass) Next() bool {
	for p.at < len(p.tree) && p.spent(p.at) {
		p.at++
	}
	if p.at == len(p.tree) {
		return false
	}
	e := p.engine
	for n := len(p.held); n > 0 && p.held[n-1] < p.at; n-- {
		p.held = p.held[:n-1]
	}
	e.prefix.n = p.heldTokens()
	p.from = p.at
	p.at = p.cut()
	ahead := p.ahead()
	p.lay(ahead)
	y, norm := e.forward(p.lowest)
	if p.weights == nil {
		e.head(p.Losses, y, norm, nil, simd.View{})
	} else {
		p.backward(y, norm)
	}
	e.Profile.At(Rest)
	return true
}

// heldTokens returns the length of the prefix.
func (p *Pass) heldTokens() int {
	if n := len(p.held); n > 0 {
		return p.tree[p.held[n-1]].to
	}
	return 0
}

// spent reports whether a node needs no place of its own in a micro-batch: others have
// attended to its keys and values, and that is all there is to it.
func (p *Pass) spent(i int) bool {
	return p.weights == nil && p.holds(i) && len(p.tree[i].targets) == 0
}

// holds reports whether the prefix has a node's tokens. The held nodes are each below the one
// before.
func (p *Pass) holds(i int) bool {
	for _, h := range p.held {
		if h == i {
			return true
		}
	}
	return false
}

// cut returns the end of the micro-batch that begins with node p.from: of at most the
// layout's tokens, if it is more than a node, those that are to be its prefix included where
// they are few. A node that was held ends it, or its parent that was held too: what follows
// has another prefix.
func (p *Pass) cut() int {
	most, tokens := p.engine.Layout.MicroBatch, 0
	for i := p.from; i < len(p.tree); i++ {
		tokens += p.tree[i].len()
		if i == p.from {
			continue
		}
		_, few := p.missing(i)
		if few > most/4 {
			few = 0
		}
		if tokens+few > most || p.holds(i-1) && !p.holds(i) || p.spent(i) {
			return i
		}
	}
	return len(p.tree)
}

// missing returns the nodes that would have to be held if node i were the last of a
// micro-batch, the lowest first, and their tokens.
func (p *Pass) missing(i int) (nodes []int, tokens int) {
	for above := p.tree[i].parent; above >= 0 && !p.holds(above); above = p.tree[above].parent {
		nodes = append(nodes, above)
		tokens += p.tree[above].len()
	}
	return nodes, tokens
}

// ahead makes the prefix that of the micro-batch and returns those of its tokens that are to
// be laid with it. Where there is no room for them they are computed before.
func (p *Pass) ahead() []int32 {
	e, from := p.engine, p.engine.prefix.n
	nodes, n := p.missing(p.at - 1)
	if n == 0 {
		return nil
	}
	ids := p.seqs[p.tree[nodes[0]].seq].IDs[from : from+n]
	for i := len(nodes) - 1; i >= 0; i-- {
		p.held = append(p.held, nodes[i])
	}
	e.prefix.grow(from + n)
	for _, node := range p.tree[p.from:p.at] {
		n += node.len()
	}
	if n <= e.Layout.MicroBatch {
		return ids
	}
	e.Profile.again(p.weights != nil)
	for ; len(ids) > 0; ids = ids[min(len(ids), e.Layout.MicroBatch):] {
		e.layNothing()
		e.layAhead(ids[:min(len(ids), e.Layout.MicroBatch)], from)
		e.laid.askTargets()
		e.forward(len(e.m.Blocks))
		from += e.Layout.MicroBatch
	}
	e.Profile.again(false)
	return nil
}

// lay lays the nodes of the micro-batch, and behind them the tokens of the prefix that are
// computed with it.
func (p *Pass) lay(ahead []int32) {
	e, m := p.engine, &p.engine.laid
	e.layNothing()
	for i, n := range p.tree[p.from:p.at] {
		row, parent := len(m.ids), -1
		if n.parent < p.at {
			parent = max(n.parent-p.from, -1)
		}
		ids := p.seqs[n.seq].IDs
		e.layPiece(ids[n.from:n.to], piece{first: n.from, length: len(ids), parent: parent, shared: n.shared, carried: p.holds(p.from + i)})
		for _, t := range n.targets {
			t.row += row
			m.targets = append(m.targets, t)
		}
	}
	if len(ahead) > 0 {
		e.layAhead(ahead, e.prefix.n-len(ahead))
	}
	m.askTargets()
}

// layAhead lays tokens of the prefix, from a position on.
func (e *Engine) layAhead(ids []int32, first int) {
	e.layPiece(ids, piece{first: first, length: first + len(ids), parent: -1})
	e.laid.ahead = true
}

// backward adds up losses and gradients of the micro-batch, given the last block's output and its
// norm.
func (p *Pass) backward(y, norm simd.View) {
	e := p.engine
	if e.laid.ahead { // its time comes with the last micro-batch that needs it
		e.laid.drop()
	}
	T, C := len(e.laid.ids), e.m.Config.HiddenSize
	dx := e.rows(&e.scratch.dx, T, C)
	e.head(p.Losses, y, norm, p.weights, dx.Slice(0, y.Rows))
	for l := len(e.m.Blocks) - 1; l >= p.lowest; l-- {
		k, x := e.keeper(l, p.lowest), matrix(e.inputs[l], T, C)
		if l < e.Layout.Recompute { // that of the block above them still lies in spare
			e.Profile.again(true)
			e.blockInner(l, k, x, e.normed(x, e.m.inputNorm(l)), e.attend)
			if e.m.Blocks[l].MLPPostNorm != nil { // whose backward pass needs what it was given
				e.mlpOut(l, k, e.rows(&e.scratch.sum, x.Rows, x.Cols))
			}
			e.Profile.again(false)
		}
		e.blockBackward(l, k, x, dx, l == p.lowest)
	}
}
