package tokenizer

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/bits"
)

// vocab is the tokens of a model by id, and the ids by token.
type vocab struct {
	seed   maphash.Seed
	tokens []string // by id
	slots  []int32  // id + 1 of a token by its hash, 0: free; a power of two of them
	count  int
}

// noToken stands at the ids that are none; it is not UTF-8, so no token is the same.
const noToken = "\xff"

// maxTokenID bounds the memory for a vocabulary with holes; the largest in use has 2^18 tokens.
const maxTokenID = 1 << 22

// read reads {"token": id, …}.
func (v *vocab) read(s *jsonScanner) error {
	type entry struct{ id, end int }
	var text []byte
	var entries []entry
	top := -1
	err := s.members(func(key []byte) error {
		text = append(text, key...)
		id, err := s.integer()
		if err == nil && (id < 0 || id >= maxTokenID) {
			err = fmt.Errorf("%q has id %d", key, id)
		}
		if err != nil {
			return err
		}
		entries = append(entries, entry{int(id), len(text)})
		top = max(top, int(id))
		return nil
	})
	if err != nil {
		return err
	}
	v.seed = maphash.MakeSeed()
	v.tokens = make([]string, top+1)
	for i := range v.tokens {
		v.tokens[i] = noToken
	}
	v.slots = make([]int32, slotsFor(len(entries)))
	all, start := string(text), 0
	for _, e := range entries {
		if err := v.add(all[start:e.end], e.id); err != nil {
			return err
		}
		start = e.end
	}
	return nil
}

// slotsFor is a power of two that keeps a table of n at most half full.
func slotsFor(n int) int { return 1 << bits.Len(uint(2*n)) }

func (v *vocab) add(token string, id int) error {
	if other := v.tokens[id]; other != noToken {
		return fmt.Errorf("%q and %q both have id %d", other, token, id)
	}
	i, other := v.find(maphash.String(v.seed, token), token)
	if other >= 0 {
		return fmt.Errorf("%q is given twice", token)
	}
	v.tokens[id], v.slots[i] = token, int32(id+1)
	v.count++
	return nil
}

// find is the slot of a token and its id, or a free slot and -1.
func (v *vocab) find(hash uint64, token string) (slot int, id int32) {
	mask := len(v.slots) - 1
	for slot = int(hash) & mask; ; slot = (slot + 1) & mask {
		id = v.slots[slot] - 1
		if id < 0 || v.tokens[id] == token {
			return slot, id
		}
	}
}

// id is the id of a token.
func (v *vocab) id(token string) (int32, bool) {
	_, id := v.find(maphash.String(v.seed, token), token)
	return id, id >= 0
}

// idOf is id for bytes: the same search, without making a string of them.
func (v *vocab) idOf(token []byte) (int32, bool) {
	mask := len(v.slots) - 1
	for slot := int(maphash.Bytes(v.seed, token)) & mask; ; slot = (slot + 1) & mask {
		id := v.slots[slot] - 1
		if id < 0 || v.tokens[id] == string(token) {
			return id, id >= 0
		}
	}
}

func (v *vocab) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.tokens) || v.tokens[id] == noToken {
		return "", false
	}
	return v.tokens[id], true
}

// mergeTable is the merges by their pair of ids.
type mergeTable struct {
	slots []mergeSlot
	shift uint // of the hash, to an index
}

// mergeSlot is a merge; a free one has the rank 0, others one more than theirs.
type mergeSlot struct {
	pair     uint64
	rank, id int32
}

func newMergeTable(n int) mergeTable {
	size := slotsFor(n)
	return mergeTable{slots: make([]mergeSlot, size), shift: 64 - uint(bits.TrailingZeros(uint(size)))}
}

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// slot is where a pair is, or would be.
func (m *mergeTable) slot(pair uint64) *mergeSlot {
	const golden = 0x9E3779B97F4A7C15 // 2^64 over the golden ratio
	mask := len(m.slots) - 1
	for i := int(pair * golden >> m.shift); ; i = (i + 1) & mask {
		if s := &m.slots[i]; s.rank == 0 || s.pair == pair {
			return s
		}
	}
}

func (m *mergeTable) get(a, b int32) (rank, id int32, ok bool) {
	s := m.slot(pairKey(a, b))
	return s.rank - 1, s.id, s.rank > 0
}

// readMerges reads a list of "a b" or of ["a", "b"].
func (v *vocab) readMerges(s *jsonScanner) (mergeTable, error) {
	type merged struct{ a, b, id int32 }
	var all []merged
	var text []byte
	err := s.items(func() (err error) {
		var split int
		if text, split, err = s.pair(text[:0]); err != nil {
			return fmt.Errorf("[%d]: %w", len(all), err)
		}
		a, okA := v.idOf(text[:split])
		b, okB := v.idOf(text[split:])
		id, ok := v.idOf(text)
		if !okA || !okB || !ok {
			return fmt.Errorf("[%d]: %q + %q: not all of the three are in the vocabulary", len(all), text[:split], text[split:])
		}
		all = append(all, merged{a, b, id})
		return nil
	})
	if err != nil {
		return mergeTable{}, err
	}
	m := newMergeTable(len(all))
	for rank, p := range all {
		key := pairKey(p.a, p.b)
		*m.slot(key) = mergeSlot{key, int32(rank + 1), p.id}
	}
	return m, nil
}

// pair reads "a b" or ["a", "b"] and appends a and b to dst; b begins at split.
func (s *jsonScanner) pair(dst []byte) (joined []byte, split int, err error) {
	if s.peek() == '"' {
		word, err := s.string()
		a, b, ok := bytes.Cut(word, []byte(" "))
		if err == nil && (!ok || bytes.IndexByte(b, ' ') >= 0) {
			err = fmt.Errorf(`want "a b", found %q`, word)
		}
		return append(append(dst, a...), b...), len(a), err
	}
	n := 0
	err = s.items(func() error {
		word, err := s.string()
		if n++; n == 2 {
			split = len(dst)
		}
		dst = append(dst, word...)
		return err
	})
	if err == nil && n != 2 {
		err = fmt.Errorf("want two tokens, found %d", n)
	}
	return dst, split, err
}
