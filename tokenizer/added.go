package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token found in the text before BPE sees it.
type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// addedTokens are matched in the original text, or (normalized) by their normalized
// content in the normalized one.
type addedTokens struct {
	byID             map[int32]addedToken
	ids              map[string]int32
	special          map[string]bool
	decoded          map[int32]string // what decoders see, where it is not Content
	plain, afterNorm trie
}

func newAddedTokens() *addedTokens {
	return &addedTokens{byID: map[int32]addedToken{}, ids: map[string]int32{}, special: map[string]bool{}, decoded: map[int32]string{}}
}

// add takes one token; its id is the vocabulary's if it is there, else next (tokenizers,
// add_tokens). Of two that normalization makes the same, a special one is found before
// another, and the first of equals (tokenizers 0.22; 0.23 takes either, by chance). One
// that it leaves nothing of would cut a text between all its bytes; tokenizers panics on it.
func (a *addedTokens) add(t addedToken, id int32, normalize func(string) string) error {
	if t.Content == "" {
		return errors.New("an added token without content")
	}
	if _, dup := a.ids[t.Content]; dup {
		return fmt.Errorf("%q is given twice", t.Content)
	}
	if other, dup := a.byID[id]; dup {
		return fmt.Errorf("%q and %q both have id %d", other.Content, t.Content, id)
	}
	pattern, tr := t.Content, &a.plain
	if t.Normalized {
		pattern, tr = normalize(t.Content), &a.afterNorm
		if pattern == "" {
			return fmt.Errorf("%q is empty after normalization", t.Content)
		}
		if pattern != t.Content {
			a.decoded[id] = pattern
		}
	}
	if end, other := tr.longest(pattern, 0); end < len(pattern) || t.Special && !a.byID[other].Special {
		tr.add(pattern, id)
	}
	a.byID[id], a.ids[t.Content] = t, id
	if t.Special {
		a.special[t.Content] = true
	}
	return nil
}

// split gives the stretches of p between added tokens, and the tokens, in order. A
// stretch starts where the original of its first character does: if a normalizer took
// what was before it, it is no longer the first for Metaspace.
func (a *addedTokens) split(tr *trie, p piece, text func(piece), token func(id int32, p piece)) {
	done := 0
	for at := 0; ; {
		i, j, id := tr.next(p.text, at)
		if i < 0 {
			break
		}
		at = j
		t := a.byID[id]
		if t.SingleWord && (endsWithWord(p.text[:i]) || startsWithWord(p.text[j:])) {
			continue
		}
		if t.LStrip {
			i = max(done, len(strings.TrimRightFunc(p.text[:i], unicode.IsSpace)))
		}
		if t.RStrip {
			j = len(p.text) - len(strings.TrimLeftFunc(p.text[j:], unicode.IsSpace))
		}
		if i >= j {
			continue // nothing but white space that an rstrip token has taken
		}
		if done < i {
			text(p.slice(done, i))
		}
		token(id, p.slice(i, j))
		done = j
	}
	if done < len(p.text) {
		text(p.slice(done, len(p.text)))
	}
}

func endsWithWord(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && isWord(r)
}

func startsWithWord(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && isWord(r)
}

// trie finds the longest of the leftmost matches of a set of strings.
type trie struct {
	edges map[[2]int32]int32 // (node, byte) → node; node 0 is the root
	ids   map[int32]int32    // node → id of the string that ends there
	first [256]bool
	only  int // the byte that all strings start with, or -1
}

// add makes id that of s.
func (t *trie) add(s string, id int32) {
	if t.edges == nil {
		t.edges, t.ids, t.only = map[[2]int32]int32{}, map[int32]int32{}, int(s[0])
	}
	if int(s[0]) != t.only {
		t.only = -1
	}
	t.first[s[0]] = true
	node := int32(0)
	for i := 0; i < len(s); i++ {
		key := [2]int32{node, int32(s[i])}
		next, ok := t.edges[key]
		if !ok {
			next = int32(len(t.edges) + 1)
			t.edges[key] = next
		}
		node = next
	}
	t.ids[node] = id
}

// next is the first match at or after byte at: s[i:j]; i is -1 if there is none.
func (t *trie) next(s string, at int) (i, j int, id int32) {
	for i = at; t.edges != nil && i < len(s); i++ {
		if t.only >= 0 {
			skip := strings.IndexByte(s[i:], byte(t.only))
			if skip < 0 {
				break
			}
			i += skip
		} else if !t.first[s[i]] {
			continue
		}
		if j, id := t.longest(s, i); j > 0 {
			return i, j, id
		}
	}
	return -1, -1, 0
}

// longest is the end of the longest string that starts at byte i, or 0.
func (t *trie) longest(s string, i int) (end int, id int32) {
	node := int32(0)
	for ; i < len(s); i++ {
		next, ok := t.edges[[2]int32{node, int32(s[i])}]
		if !ok {
			break
		}
		node = next
		if v, ok := t.ids[node]; ok {
			end, id = i+1, v
		}
	}
	return end, id
}
