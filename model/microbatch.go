package model

import "iter"

// A microBatch is tokens laid end to end: what one pass through the blocks computes.
type microBatch struct {
	ids       []int32
	positions []position // of each token
	texts
	targets []target
	asked   []int // the rows whose output is asked for, ascending
	ahead   bool  // the last piece is tokens of the prefix

	askedPositions []position
	askedTexts     texts // the same pieces, and the queries that are asked for
}

// A position is what the rotation of a token depends on: its index t in its text, and with some
// ropes the text's length.
type position struct{ t, length int }

// texts are pieces and the queries in them.
type texts struct {
	pieces  []piece
	queries []queries
}

// A piece is rows [lo,hi) of a micro-batch: consecutive tokens of a text, the first of them
// at position first. The text's tokens before it are those of the parent and what lies
// before that one, or the engine's prefix.
type piece struct {
	lo, hi, first int
	length        int  // of the text, or of one of those that share the piece
	parent        int  // -1: what lies before it is the prefix's
	shared        bool // other pieces have it before them
	carried       bool // it was part of the prefix, which has gradients of its keys and values
}

// end is the position behind the piece's last token.
func (p piece) end() int { return p.first + p.hi - p.lo }

// queries are rows [lo,hi) of a matrix of queries: consecutive ones of a piece, the first of
// them at position first.
type queries struct{ piece, lo, hi, first int }

func (q queries) end() int { return q.first + q.hi - q.lo }

// blocks returns the queries in blocks of queryBlock.
func (q queries) blocks() iter.Seq[queries] {
	return func(yield func(queries) bool) {
		for some := q; some.lo < q.hi; some.lo, some.first = some.lo+queryBlock, some.first+queryBlock {
			some.hi = min(q.hi, some.lo+queryBlock)
			if !yield(some) {
				return
			}
		}
	}
}

// reset empties m.
func (m *microBatch) reset() {
	m.ids, m.positions, m.targets = m.ids[:0], m.positions[:0], m.targets[:0]
	m.pieces, m.queries, m.ahead = m.pieces[:0], m.queries[:0], false
}

// lay adds a piece with these ids from position first on.
func (m *microBatch) lay(ids []int32, p piece) {
	p.lo, p.hi = len(m.ids), len(m.ids)+len(ids)
	m.queries = append(m.queries, queries{len(m.pieces), p.lo, p.hi, p.first})
	m.pieces = append(m.pieces, p)
	for i, id := range ids {
		m.ids = append(m.ids, id)
		m.positions = append(m.positions, position{p.first + i, p.length})
	}
}

// drop takes the last piece out.
func (m *microBatch) drop() {
	last := len(m.pieces) - 1
	n := m.pieces[last].lo
	m.ids, m.positions = m.ids[:n], m.positions[:n]
	m.pieces, m.queries = m.pieces[:last], m.queries[:last]
	m.askedTexts.pieces, m.ahead = m.pieces, false
}

// askAll asks for the output of every row.
func (m *microBatch) askAll() {
	m.begin()
	for row := range m.ids {
		m.ask(row)
	}
}

// askTargets asks for the output of the rows that predict a target.
func (m *microBatch) askTargets() {
	m.begin()
	for _, t := range m.targets {
		m.ask(t.row)
	}
}

// begin asks for nothing.
func (m *microBatch) begin() {
	m.asked, m.askedPositions = m.asked[:0], m.askedPositions[:0]
	m.askedTexts = texts{m.pieces, m.askedTexts.queries[:0]}
}

// ask asks for the output of one more row, behind those before.
func (m *microBatch) ask(row int) {
	at, list := 0, m.askedTexts.queries
	if n := len(list); n > 0 {
		at = list[n-1].piece
	}
	for m.pieces[at].hi <= row {
		at++
	}
	n := len(m.asked)
	if last := len(list) - 1; last >= 0 && list[last].piece == at && m.asked[n-1] == row-1 {
		list[last].hi++
	} else {
		list = append(list, queries{at, n, n + 1, m.positions[row].t})
	}
	m.askedTexts.queries = list
	m.asked = append(m.asked, row)
	m.askedPositions = append(m.askedPositions, m.positions[row])
}
