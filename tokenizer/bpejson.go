package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// modelJSON is the model of a tokenizer.json. Dropout is for training tokenizers' users, not for us.
type modelJSON struct {
	Type         *string
	Dropout      *float64
	UnkToken     *string          `json:"unk_token"`
	Prefix       *string          `json:"continuing_subword_prefix"`
	Suffix       *string          `json:"end_of_word_suffix"`
	FuseUnk      bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       mergesJSON       `json:"merges"`
}

// mergesJSON is a list of "a b" or of ["a", "b"].
type mergesJSON [][2]string

func (m *mergesJSON) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	*m = mergesJSON{}
	const space = " \t\r\n"
	list := bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("[")), space)
	if len(list) > 0 && list[0] == '"' {
		var lines []string
		if err := json.Unmarshal(raw, &lines); err != nil {
			return err
		}
		for i, line := range lines {
			a, b, ok := strings.Cut(line, " ")
			if !ok || strings.Contains(b, " ") {
				return fmt.Errorf(`merges[%d]: want "a b", found %q`, i, line)
			}
			*m = append(*m, [2]string{a, b})
		}
		return nil
	}
	var pairs [][]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return err
	}
	for i, p := range pairs {
		if len(p) != 2 {
			return fmt.Errorf("merges[%d]: want two tokens, found %d", i, len(p))
		}
		*m = append(*m, [2]string{p[0], p[1]})
	}
	return nil
}

// newBPE builds the model; with raw its symbols are bytes instead of characters.
func newBPE(j *modelJSON, raw bool) (*bpe, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	m := &bpe{
		vocab: j.Vocab, unk: -1, fuseUnk: j.FuseUnk, ignoreMerges: j.IgnoreMerges, cache: newWordCache(),
		tokens: make(map[int32]string, len(j.Vocab)), merges: make(map[uint64]merge, len(j.Merges)),
	}
	for token, id := range j.Vocab {
		if id < 0 {
			return nil, fmt.Errorf("vocab: %q has id %d", token, id)
		}
		if other, dup := m.tokens[id]; dup {
			return nil, fmt.Errorf("vocab: %q and %q both have id %d", min(token, other), max(token, other), id)
		}
		m.tokens[id] = token
	}
	if j.UnkToken != nil {
		id, ok := m.vocab[*j.UnkToken]
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *j.UnkToken)
		}
		m.unk = id
	}
	if err := m.addMerges(j.Merges); err != nil {
		return nil, err
	}
	if raw {
		return m, m.mapBytes(j.ByteFallback)
	}
	m.meta = !j.IgnoreMerges && metaOnlyInFront(j)
	return m, m.addByteFallback(j.ByteFallback)
}

// check refuses what is not plain BPE.
func (j *modelJSON) check() error {
	switch {
	case j.Type != nil && *j.Type != "BPE":
		return fmt.Errorf("type %q is not supported, only BPE", *j.Type)
	case j.Prefix != nil && *j.Prefix != "":
		return fmt.Errorf("continuing_subword_prefix %q is not supported", *j.Prefix)
	case j.Suffix != nil && *j.Suffix != "":
		return fmt.Errorf("end_of_word_suffix %q is not supported", *j.Suffix)
	case len(j.Vocab) == 0:
		return errors.New("vocab is missing or empty")
	case j.Merges == nil:
		return errors.New("merges are missing")
	}
	return nil
}

func (m *bpe) addMerges(merges mergesJSON) error {
	for i, p := range merges {
		a, okA := m.vocab[p[0]]
		b, okB := m.vocab[p[1]]
		id, ok := m.vocab[p[0]+p[1]]
		if !okA || !okB || !ok {
			return fmt.Errorf("merges[%d]: %q + %q: not all of the three are in the vocabulary", i, p[0], p[1])
		}
		m.merges[pairKey(a, b)] = merge{int32(i), id}
	}
	return nil
}

// mapBytes makes bytes the symbols: those of ByteLevel's alphabet that the vocabulary has.
func (m *bpe) mapBytes(fallback bool) error {
	m.raw = new([256]int32)
	for b, r := range byteRune {
		id, ok := m.vocab[string(r)]
		if !ok {
			if fallback {
				return fmt.Errorf("byte_fallback with ByteLevel, and %q (byte %#02x) is not in the vocabulary", r, b)
			}
			id = -1
		}
		m.raw[b] = id
	}
	if m.ignoreMerges {
		m.rawIDs = make(map[string]int32, len(m.vocab))
		for token, id := range m.vocab {
			if s, ok := unmapBytes(token); ok {
				m.rawIDs[s] = id
			}
		}
	}
	return nil
}

// addByteFallback finds <0x00> … <0xFF>: all of them, or none.
func (m *bpe) addByteFallback(on bool) error {
	if !on {
		return nil
	}
	var ids [256]int32
	found, missing := 0, ""
	for b := range ids {
		token := fmt.Sprintf("<0x%02X>", b)
		id, ok := m.vocab[token]
		if ok {
			ids[b] = id
			found++
		} else {
			missing = token
		}
	}
	if found == len(ids) {
		m.bytes = &ids
	} else if found > 0 {
		return fmt.Errorf("byte_fallback: %s is not in the vocabulary, though %d others are", missing, found)
	}
	return nil
}

// metaOnlyInFront says whether no merge makes a token with "▁" after another character.
func metaOnlyInFront(j *modelJSON) bool {
	if _, ok := j.Vocab[metaRune]; !ok {
		return false
	}
	for _, p := range j.Merges {
		if strings.Contains(strings.TrimLeft(p[0]+p[1], metaRune), metaRune) {
			return false
		}
	}
	return true
}
