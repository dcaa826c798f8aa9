package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	cacheSlots    = 1 << 15 // more than the distinct words of a typical corpus' hot part
	cacheMaxBytes = 64      // longer words are rare and not kept
)

// wordCache keeps the tokens of words seen lately: one word per slot, the newest
// wins. It is bounded and safe for concurrent use without locks.
type wordCache struct {
	seed  maphash.Seed
	slots [cacheSlots]atomic.Pointer[cachedWord]
}

type cachedWord struct {
	word   string
	tokens []wordToken
}

func newWordCache() *wordCache { return &wordCache{seed: maphash.MakeSeed()} }

func (c *wordCache) slot(word string) *atomic.Pointer[cachedWord] {
	return &c.slots[maphash.String(c.seed, word)%cacheSlots]
}

func (c *wordCache) get(slot *atomic.Pointer[cachedWord], word string) ([]wordToken, bool) {
	if w := slot.Load(); w != nil && w.word == word {
		return w.tokens, true
	}
	return nil, false
}

func (c *wordCache) put(slot *atomic.Pointer[cachedWord], word string, tokens []wordToken) {
	slot.Store(&cachedWord{strings.Clone(word), tokens})
}
