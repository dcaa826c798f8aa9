package model

import "slices"

// What is shared, decided by the tokens alone: a stretch of leastStretch tokens that
// saves leastSaved at least. Shorter ones, a first token that all texts have among them,
// save less than the second look at their keys costs.
const (
	leastStretch = 8
	leastSaved   = 32
)

// A node is tokens [from,to) of a sequence, and of all sequences below it, which begin with
// the same to tokens. The leaves are what each sequence has for itself.
type node struct {
	seq, from, to int
	parent        int // -1: none
	shared        bool
	targets       []target // row counts from the node's first token
}

func (n *node) len() int { return n.to - n.from }

// A target is a row that must predict a token of a sequence.
type target struct {
	row, id, seq int
}

// prefixTree returns the nodes of seqs: children before their parent, and those beside each
// other in the order of their first sequences. No token from which more than one sequence
// trains is shared, nor any of a sequence whose rotations depend on its length.
func (c *Config) prefixTree(seqs []Sequence) []node {
	t := planter{seqs: seqs}
	var usual []int
	var list []branch
	for i, s := range seqs {
		if len(s.IDs) <= c.usualLength() {
			usual = append(usual, i)
		} else {
			list = append(list, t.grow([]int{i}, 0, 0)...)
		}
	}
	if len(usual) > 0 {
		list = append(list, t.grow(usual, 0, 0)...)
	}
	inOrder(list)
	for _, b := range list {
		t.plant(b)
	}
	return t.nodes
}

// SharedTokens returns how many tokens of seqs are left where those that they share are
// counted once, and how many the longest shared beginning has.
func (c *Config) SharedTokens(seqs []Sequence) (computed, longest int) {
	for _, n := range c.prefixTree(seqs) {
		computed += n.len()
		if n.shared {
			longest = max(longest, n.to)
		}
	}
	return computed, longest
}

type planter struct {
	seqs  []Sequence
	nodes []node
}

// A branch is a node to be, of the sequences in rows.
type branch struct {
	rows     []int
	from, to int
	children []branch
}

// grow returns the branches of rows, which agree on their first at tokens. The first from of
// them belong to the branches above.
func (t *planter) grow(rows []int, from, at int) []branch {
	if len(rows) == 1 {
		if n := len(t.seqs[rows[0]].IDs); n > from {
			return []branch{{rows: rows, from: from, to: n}}
		}
		return nil
	}
	for t.together(rows, at) {
		at++
	}
	n := at - from
	share := n >= leastStretch && n*(len(rows)-1) >= leastSaved
	b := branch{rows: rows, from: from, to: at}
	if share {
		from = at
	}
	for _, g := range t.split(rows, at) {
		b.children = append(b.children, t.grow(g, from, at)...)
	}
	inOrder(b.children)
	if share {
		return []branch{b}
	}
	return b.children
}

// inOrder sorts branches by their first sequences.
func inOrder(list []branch) {
	slices.SortFunc(list, func(x, y branch) int { return x.rows[0] - y.rows[0] })
}

// together reports whether rows have the same token at a position, and one of them at most
// trains from it.
func (t *planter) together(rows []int, at int) bool {
	trained := 0
	for _, r := range rows {
		ids := t.seqs[r].IDs
		if at == len(ids) || ids[at] != t.seqs[rows[0]].IDs[at] {
			return false
		}
		if t.trains(r, at) {
			trained++
		}
	}
	return trained <= 1
}

// split partitions rows that are not together at a position by their tokens there. A row
// that ends there is alone, and so are several that train from the same one.
func (t *planter) split(rows []int, at int) [][]int {
	groups, trained := map[int32][]int{}, map[int32]int{}
	var ended [][]int
	for _, r := range rows {
		if ids := t.seqs[r].IDs; at == len(ids) {
			ended = append(ended, []int{r})
		} else {
			groups[ids[at]] = append(groups[ids[at]], r)
			if t.trains(r, at) {
				trained[ids[at]]++
			}
		}
	}
	list := ended
	for id, group := range groups {
		if trained[id] > 1 {
			group = slices.DeleteFunc(group, func(r int) bool {
				if t.trains(r, at) {
					list = append(list, []int{r})
				}
				return t.trains(r, at)
			})
		}
		if len(group) > 0 {
			list = append(list, group)
		}
	}
	return list
}

// trains reports whether row r predicts a target from a position.
func (t *planter) trains(r, at int) bool {
	s := t.seqs[r]
	return at+1 < len(s.IDs) && at+1 < len(s.Mask) && s.Mask[at+1]
}

// plant adds a branch's nodes and returns the index of its own, the last.
func (t *planter) plant(b branch) int {
	var children []int
	for _, c := range b.children {
		children = append(children, t.plant(c))
	}
	n := node{seq: b.rows[0], from: b.from, to: b.to, parent: -1, shared: len(children) > 0}
	for at := b.from; at < b.to; at++ {
		for _, r := range b.rows {
			if t.trains(r, at) {
				n.targets = append(n.targets, target{row: at - b.from, id: int(t.seqs[r].IDs[at+1]), seq: r})
			}
		}
	}
	t.nodes = append(t.nodes, n)
	for _, c := range children {
		t.nodes[c].parent = len(t.nodes) - 1
	}
	return len(t.nodes) - 1
}
