package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// byteRune is GPT-2's alphabet: a visible character for every byte.
var byteRune = func() (t [256]rune) {
	n := rune(0)
	for b := range t {
		if '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b {
			t[b] = rune(b)
		} else {
			t[b] = 256 + n
			n++
		}
	}
	return t
}()

// runeByte is the way back; -1 where there is none. Its last index is 323.
var runeByte = func() (t [324]int16) {
	for r := range t {
		t[r] = -1
	}
	for b, r := range byteRune {
		t[r] = int16(b)
	}
	return t
}()

// byteLevel is the pre-tokenizer that makes every byte a character.
type byteLevel struct {
	prefixSpace, words bool
	raw                bool // leave the bytes alone: the vocabulary has been mapped instead
}

// byteLevelJSON are the options of ByteLevel, as pre-tokenizer, post-processor or decoder.
type byteLevelJSON struct {
	Type        string
	PrefixSpace *bool `json:"add_prefix_space"`
	TrimOffsets *bool `json:"trim_offsets"`
	UseRegex    *bool `json:"use_regex"`
}

func loadByteLevel(raw json.RawMessage) (*byteLevel, error) {
	var c byteLevelJSON
	err := decodeStrict(raw, &c)
	return &byteLevel{
		prefixSpace: c.PrefixSpace == nil || *c.PrefixSpace,
		words:       c.UseRegex == nil || *c.UseRegex,
	}, err
}

func (b *byteLevel) split(p piece, emit func(piece)) {
	if b.prefixSpace && !strings.HasPrefix(p.text, " ") {
		p = p.prepend(" ")
	}
	if !b.raw {
		inner := emit
		emit = func(q piece) { inner(q.mapBytes()) }
	}
	if !b.words {
		emit(p)
		return
	}
	for i := 0; i < len(p.text); {
		j := scanGPT2(p.text, i)
		emit(p.slice(i, j))
		i = j
	}
}

// mapBytes writes every byte as its character of the alphabet.
func (p piece) mapBytes() piece {
	changes := make([]change, 0, len(p.text))
	for i := 0; i < len(p.text); i++ {
		delta := 1
		if utf8.RuneStart(p.text[i]) {
			delta = 0
		}
		changes = append(changes, change{byteRune[p.text[i]], delta})
	}
	return p.transform(changes)
}

// unmapBytes is the bytes that token stands for; not ok if a character is not in the alphabet.
func unmapBytes(token string) (string, bool) {
	b := make([]byte, 0, len(token))
	for _, r := range token {
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return token, false
		}
		b = append(b, byte(runeByte[r]))
	}
	return string(b), true
}
