package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// modelJSON is the model of a tokenizer.json without its vocabulary and merges.
// Dropout is for training a tokenizer's user, not for us.
type modelJSON struct {
	Type         *string
	Dropout      *float64
	UnkToken     *string `json:"unk_token"`
	Prefix       *string `json:"continuing_subword_prefix"`
	Suffix       *string `json:"end_of_word_suffix"`
	FuseUnk      bool    `json:"fuse_unk"`
	ByteFallback bool    `json:"byte_fallback"`
	IgnoreMerges bool    `json:"ignore_merges"`

	vocab  vocab
	merges mergeTable
}

// readModel reads the model. A type that is not BPE is named before its fields are.
func readModel(s *jsonScanner) (*modelJSON, error) {
	m := &modelJSON{}
	options := map[string]json.RawMessage{}
	var merges json.RawMessage // where they come before the vocabulary
	err := s.members(func(key []byte) (err error) {
		name := string(key)
		switch {
		case name == "vocab" && s.peek() == '{':
			return wrap(name, m.vocab.read(s))
		case name == "merges" && s.peek() == '[' && m.vocab.slots != nil:
			m.merges, err = m.vocab.readMerges(s)
			return wrap(name, err)
		case name == "merges" && s.peek() == '[':
			merges, err = s.value()
		case name == "vocab" || name == "merges":
			_, err = s.value()
		default:
			options[name], err = s.value()
		}
		return err
	})
	if kind := options["type"]; !isNull(kind) && string(kind) != `"BPE"` {
		return nil, fmt.Errorf("type %s is not supported, only BPE", kind)
	}
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(options)
	if err == nil {
		err = decodeStrict(raw, m)
	}
	if err == nil && merges != nil && m.vocab.slots != nil {
		m.merges, err = m.vocab.readMerges(&jsonScanner{data: merges})
		err = wrap("merges", err)
	}
	if err != nil {
		return nil, err
	}
	return m, m.check()
}

// wrap names the part an error is in; an index joins the name.
func wrap(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case strings.HasPrefix(err.Error(), "["):
		return fmt.Errorf("%s%w", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// check refuses what is not plain BPE.
func (j *modelJSON) check() error {
	switch {
	case j.Prefix != nil && *j.Prefix != "":
		return fmt.Errorf("continuing_subword_prefix %q is not supported", *j.Prefix)
	case j.Suffix != nil && *j.Suffix != "":
		return fmt.Errorf("end_of_word_suffix %q is not supported", *j.Suffix)
	case j.vocab.count == 0:
		return errors.New("vocab is missing or empty")
	case j.merges.slots == nil:
		return errors.New("merges are missing")
	}
	return nil
}

// newBPE builds the model; with raw its symbols are bytes instead of characters.
func newBPE(j *modelJSON, raw bool) (*bpe, error) {
	m := &bpe{vocab: &j.vocab, merges: j.merges, unk: -1, fuseUnk: j.FuseUnk, ignoreMerges: j.IgnoreMerges, cache: newWordCache()}
	if j.UnkToken != nil {
		id, ok := m.vocab.id(*j.UnkToken)
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *j.UnkToken)
		}
		m.unk = id
	}
	if raw {
		return m, m.mapBytes(j.ByteFallback)
	}
	if !j.IgnoreMerges {
		m.findGlued()
	}
	if j.ByteFallback {
		m.addByteFallback()
	}
	return m, nil
}

// mapBytes makes bytes the symbols: those of ByteLevel's alphabet that the vocabulary has.
func (m *bpe) mapBytes(fallback bool) error {
	m.raw = new([256]int32)
	for b, r := range byteRune {
		id, ok := m.vocab.id(string(r))
		if !ok && fallback {
			return fmt.Errorf("byte_fallback with ByteLevel, and %q (byte %#02x) is not in the vocabulary", r, b)
		}
		m.raw[b] = id // -1 if there is none
	}
	return nil
}

// addByteFallback finds <0x00> … <0xFF>. Vocabularies may lack some: Gemma 2's has a tab
// in the place of <0x09>.
func (m *bpe) addByteFallback() {
	m.bytes = new([256]int32)
	for b := range m.bytes {
		m.bytes[b] = -1
		if id, ok := m.vocab.id(fmt.Sprintf("<0x%02X>", b)); ok {
			m.bytes[b] = id
		}
	}
}

// findGlued looks for the characters in front of a "▁" within the tokens that merges make:
// behind all others a text may be cut into words. Gemma 3 has one such token, ">▁</".
func (m *bpe) findGlued() {
	if _, m.meta = m.vocab.id(metaRune); !m.meta {
		return
	}
	m.glued = map[rune]bool{}
	for _, s := range m.merges.slots {
		if s.rank == 0 || strings.LastIndex(m.vocab.tokens[s.id], metaRune) <= 0 {
			continue
		}
		parts := strings.Split(m.vocab.tokens[s.id], metaRune)
		for _, before := range parts[:len(parts)-1] {
			if r, size := utf8.DecodeLastRuneInString(before); size > 0 {
				m.glued[r] = true
			}
		}
	}
}
