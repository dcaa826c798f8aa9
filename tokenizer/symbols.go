package tokenizer

// symbol is a token in the making: a node of a doubly linked list. A symbol that
// has been merged into its left neighbour has id -1.
type symbol struct{ id, prev, next, start, end int32 }

// symbols is a word while it is merged. next of the last one is len(symbols).
type symbols []symbol

func (w *symbols) add(id int32, start, end int) {
	n := int32(len(*w))
	*w = append(*w, symbol{id: id, prev: n - 1, next: n + 1, start: int32(start), end: int32(end)})
}

// addUnk adds an unknown symbol, or with fuse makes the last one longer.
func (w *symbols) addUnk(id int32, start, end int, fuse bool) {
	if fuse && len(*w) > 0 {
		(*w)[len(*w)-1].end = int32(end)
		return
	}
	w.add(id, start, end)
}

// candidate is a possible merge of the symbol at pos with the next one.
type candidate struct {
	rank, pos   int32
	left, right int32 // the ids it was made for
	id          int32
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.pos < d.pos
}

// mergeAll merges until no pair has a rule.
func (w symbols) mergeAll(merges *mergeTable) {
	var heap candidates
	n := int32(len(w))
	propose := func(i int32) {
		if i < 0 || w[i].next >= n {
			return
		}
		left, right := w[i].id, w[w[i].next].id
		if rank, id, ok := merges.get(left, right); ok {
			heap.push(candidate{rank, i, left, right, id})
		}
	}
	for i := range n {
		propose(i)
	}
	for len(heap) > 0 {
		c := heap.pop()
		left := &w[c.pos]
		if left.id != c.left || left.next >= n || w[left.next].id != c.right {
			continue // one of the two has been merged since
		}
		right := &w[left.next]
		left.id, left.end, left.next = c.id, right.end, right.next
		right.id = -1
		if left.next < n {
			w[left.next].prev = c.pos
		}
		propose(left.prev)
		propose(c.pos)
	}
}

func (w symbols) tokens() []wordToken {
	out := make([]wordToken, 0, len(w))
	for i := 0; i < len(w); i = int(w[i].next) {
		out = append(out, wordToken{w[i].id, w[i].start, w[i].end})
	}
	return out
}

// candidates is a binary heap, the next merge first.
type candidates []candidate

func (h *candidates) push(c candidate) {
	*h = append(*h, c)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !c.before(s[parent]) {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = c
}

func (h *candidates) pop() candidate {
	s := *h
	top, last := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	i := 0
	for {
		child := 2*i + 1
		if child >= len(s) {
			break
		}
		if child+1 < len(s) && s[child+1].before(s[child]) {
			child++
		}
		if !s[child].before(last) {
			break
		}
		s[i] = s[child]
		i = child
	}
	if len(s) > 0 {
		s[i] = last
	}
	return top
}
