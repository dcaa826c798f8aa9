package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding: the symbols of a word are merged, the pair of lowest
// rank first, the leftmost of equals.
type bpe struct {
	vocab  *vocab
	merges mergeTable

	raw     *[256]int32 // by byte, the id of its character; nil: symbols are characters
	bytes   *[256]int32 // ids of <0x00> … <0xFF> for byte fallback, -1 for what is missing; or nil
	unk     int32       // -1: none; an unknown symbol is dropped
	fuseUnk bool

	ignoreMerges bool
	meta         bool          // words may be cut before runs of "▁", where no merge reaches across
	glued        map[rune]bool // characters that a merge joins with a "▁" behind them
	cache        *wordCache
}

// wordToken is a token and its bytes start..end in the word.
type wordToken struct{ id, start, end int32 }

const metaRune = "▁"

// words cuts a piece where no merge can reach across.
func (m *bpe) words(p piece, emit func(piece)) {
	if !m.meta {
		emit(p)
		return
	}
	start := 0
	for at := 0; ; {
		i := strings.Index(p.text[at:], metaRune)
		if i < 0 {
			break
		}
		if i += at; i > start && m.cutsAfter(p.text[start:i]) {
			emit(p.slice(start, i))
			start = i
		}
		at = i + len(metaRune)
	}
	emit(p.slice(start, len(p.text)))
}

// cutsAfter says whether no merge joins the last character of s with a "▁" behind it.
func (m *bpe) cutsAfter(s string) bool {
	if strings.HasSuffix(s, metaRune) {
		return false
	}
	if len(m.glued) == 0 {
		return true
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	return !m.glued[r]
}

// encode is the tokens of one word. The result is shared: it is not to be changed.
func (m *bpe) encode(word string) []wordToken {
	if len(word) > cacheMaxBytes {
		return m.merge(word)
	}
	slot := m.cache.slot(word)
	if tokens, ok := m.cache.get(slot, word); ok {
		return tokens
	}
	tokens := m.merge(word)
	m.cache.put(slot, word, tokens)
	return tokens
}

func (m *bpe) merge(word string) []wordToken {
	if m.ignoreMerges {
		if id, ok := m.whole(word); ok {
			return []wordToken{{id, 0, int32(len(word))}}
		}
	}
	var w symbols
	if m.raw != nil {
		m.addBytes(&w, word)
	} else {
		m.addRunes(&w, word)
	}
	w.mergeAll(&m.merges)
	return w.tokens()
}

// whole is the id of a word that is a token.
func (m *bpe) whole(word string) (int32, bool) {
	if m.raw == nil {
		return m.vocab.id(word)
	}
	mapped := make([]byte, 0, 2*cacheMaxBytes)
	for i := 0; i < len(word); i++ {
		mapped = utf8.AppendRune(mapped, byteRune[word[i]])
	}
	return m.vocab.idOf(mapped)
}

// addBytes makes one symbol of each byte.
func (m *bpe) addBytes(w *symbols, word string) {
	unk := false
	for i := 0; i < len(word); i++ {
		id := m.raw[word[i]]
		if id >= 0 {
			w.add(id, i, i+1)
			unk = false
		} else if m.unk >= 0 {
			w.addUnk(m.unk, i, i+1, unk && m.fuseUnk)
			unk = true
		}
	}
}

// addRunes makes one symbol of each character that the vocabulary has; of the
// others one for each byte, where it has all of them, or an unknown. An unknown waits
// for the next character that is known or unknown: as in Hugging Face's tokenizers, the
// bytes of characters between them come first.
func (m *bpe) addRunes(w *symbols, word string) {
	unk, unkEnd := -1, 0 // the unknown that waits
	for i := 0; i < len(word); {
		_, size := utf8.DecodeRuneInString(word[i:])
		end := i + size
		id, known := m.vocab.id(word[i:end])
		switch {
		case known:
			if unk >= 0 {
				w.add(m.unk, unk, unkEnd)
				unk = -1
			}
			w.add(id, i, end)
		case m.hasBytes(word[i:end]):
			for k := i; k < end; k++ {
				w.add(m.bytes[word[k]], k, k+1)
			}
		case m.unk >= 0 && unk >= 0 && m.fuseUnk:
			unkEnd = end
		case m.unk >= 0:
			if unk >= 0 {
				w.add(m.unk, unk, unkEnd)
			}
			unk, unkEnd = i, end
		}
		i = end
	}
	if unk >= 0 {
		w.add(m.unk, unk, unkEnd)
	}
}

// hasBytes reports whether the vocabulary has a token for each byte of a character.
func (m *bpe) hasBytes(s string) bool {
	if m.bytes == nil {
		return false
	}
	for i := range len(s) {
		if m.bytes[s[i]] < 0 {
			return false
		}
	}
	return true
}
