package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Decode is the text of ids; with skipSpecial special tokens are left out. Ids
// that are no tokens are left out too.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	s := t.NewStream(skipSpecial)
	for _, id := range ids {
		s.push(id)
	}
	return s.Flush()
}

// Stream decodes one id at a time. All it returns, joined, is what Decode gives.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	first       sink
	out         *strings.Builder
}

// NewStream starts a stream. It is for one goroutine.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream {
	s := &Stream{t: t, skipSpecial: skipSpecial, out: &strings.Builder{}}
	s.first = &collect{s.out}
	for i := len(t.decoder) - 1; i >= 0; i-- {
		s.first = t.decoder[i](s.first)
	}
	return s
}

// Next is the text that id completes. It is empty while bytes of a character are
// outstanding, and where byte fallback needs the run of byte tokens to end.
func (s *Stream) Next(id int32) string {
	s.push(id)
	return s.take()
}

// Flush ends the stream: the rest of the text, with U+FFFD for what stayed incomplete.
func (s *Stream) Flush() string {
	s.first.flush()
	return s.take()
}

func (s *Stream) push(id int32) {
	token, ok := s.t.added.decoded[id]
	if !ok {
		token, ok = s.t.Token(id)
	}
	if ok && !(s.skipSpecial && s.t.added.special[token]) {
		s.first.push(token, false)
	}
}

func (s *Stream) take() string {
	text := s.out.String()
	s.out.Reset()
	return text
}

// sink takes tokens, whole (more is false) or in parts. flush comes once, last.
type sink interface {
	push(text string, more bool)
	flush()
}

// stage puts a decoder before the sink that takes its results.
type stage func(next sink) sink

// loadDecoder reads a decoder as stages. joined tells which results come in
// parts; a stage that needs whole tokens then gets a gather before it.
func loadDecoder(raw json.RawMessage) ([]stage, error) {
	if isNull(raw) {
		return []stage{func(next sink) sink { return &spaced{next: next} }}, nil
	}
	var l decoderLoader
	if err := l.load(raw); err != nil {
		return nil, err
	}
	return l.stages, nil
}

type decoderLoader struct {
	stages []stage
	parts  bool // what the last stage gives comes in parts
}

func (l *decoderLoader) whole(s stage) {
	if l.parts {
		l.stages = append(l.stages, func(next sink) sink { return &gather{next: next} })
		l.parts = false
	}
	l.stages = append(l.stages, s)
}

func (l *decoderLoader) load(raw json.RawMessage) error {
	kind, err := componentType(raw)
	if err != nil {
		return err
	}
	if kind == sequence {
		var c struct {
			Type     string
			Decoders []json.RawMessage
		}
		err = decodeStrict(raw, &c)
		for i := 0; err == nil && i < len(c.Decoders); i++ {
			if err = l.load(c.Decoders[i]); err != nil {
				err = fmt.Errorf("[%d]: %w", i, err)
			}
		}
	} else {
		err = l.one(kind, raw)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func (l *decoderLoader) one(kind string, raw json.RawMessage) error {
	switch kind {
	case "ByteLevel":
		l.whole(func(next sink) sink { return &byteDecoder{next: next} })
		l.parts = true
		return decodeStrict(raw, &byteLevelJSON{})
	case "ByteFallback":
		l.whole(func(next sink) sink { return &byteRun{next: next} })
		return decodeStrict(raw, &struct{ Type string }{})
	case "Fuse":
		l.stages = append(l.stages, func(next sink) sink { return &fuse{next} })
		l.parts = true
		return decodeStrict(raw, &struct{ Type string }{})
	case "Replace":
		r, err := loadReplace(raw)
		l.whole(func(next sink) sink { return &replaceDecoder{r, next} })
		return err
	case "Metaspace":
		m, err := loadMetaspace(raw)
		l.stages = append(l.stages, func(next sink) sink { return &metaDecoder{metaspace: m, next: next} })
		return err
	case "Strip":
		return l.strip(raw)
	}
	return errors.New("unknown decoder")
}

func (l *decoderLoader) strip(raw json.RawMessage) error {
	var c struct {
		Type, Content string
		Start, Stop   int
	}
	if err := decodeStrict(raw, &c); err != nil {
		return err
	}
	if utf8.RuneCountInString(c.Content) != 1 || c.Start < 0 || c.Stop < 0 {
		return fmt.Errorf("want one character and two counts, found %q, %d, %d", c.Content, c.Start, c.Stop)
	}
	s := func(next sink) sink {
		return &stripDecoder{content: c.Content, start: c.Start, stop: c.Stop, next: next}
	}
	if c.Stop > 0 {
		l.whole(s) // the end of a token must be seen
	} else {
		l.stages = append(l.stages, s)
	}
	return nil
}
