package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// collect is the end of every chain.
type collect struct{ b *strings.Builder }

func (c *collect) push(text string, _ bool) { c.b.WriteString(text) }
func (c *collect) flush()                   {}

// gather joins the parts of a token.
type gather struct {
	parts strings.Builder
	next  sink
}

func (g *gather) push(text string, more bool) {
	g.parts.WriteString(text)
	if !more {
		g.next.push(g.parts.String(), false)
		g.parts.Reset()
	}
}

func (g *gather) flush() { g.next.flush() }

// spaced puts a space between tokens: what there is without a decoder.
type spaced struct {
	started bool
	next    sink
}

func (s *spaced) push(text string, more bool) {
	if s.started {
		s.next.push(" ", true)
	}
	s.started = true
	s.next.push(text, more)
}

func (s *spaced) flush() { s.next.flush() }

// fuse makes all tokens one.
type fuse struct{ next sink }

func (f *fuse) push(text string, _ bool) { f.next.push(text, true) }

func (f *fuse) flush() {
	f.next.push("", false)
	f.next.flush()
}

// byteDecoder takes ByteLevel's characters back to bytes and makes one token of
// them all. An incomplete character waits for its other bytes.
type byteDecoder struct {
	pending []byte
	next    sink
}

func (d *byteDecoder) push(token string, _ bool) {
	s, _ := unmapBytes(token) // a token with other characters stands for itself
	text, rest := decodeUTF8(append(d.pending, s...), false)
	d.pending = append(d.pending[:0], rest...)
	d.next.push(text, true)
}

func (d *byteDecoder) flush() {
	text, _ := decodeUTF8(d.pending, true)
	d.next.push(text, false)
	d.next.flush()
}

// decodeUTF8 replaces each maximal invalid part by U+FFFD, as Rust's
// from_utf8_lossy does. Unless final, an incomplete character at the end is left over.
func decodeUTF8(b []byte, final bool) (text string, rest []byte) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	var out strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			if !utf8.FullRune(b) && !final {
				break
			}
			for size < len(b) && !utf8.FullRune(b[:size+1]) {
				size++
			}
		}
		out.WriteRune(r)
		b = b[size:]
	}
	return out.String(), b
}

// byteRun joins runs of byte tokens (<0x0A>) to text, or to a U+FFFD each if the
// whole run is not UTF-8: it is known only when the run ends.
type byteRun struct {
	run  []byte
	next sink
}

func (d *byteRun) push(token string, _ bool) {
	if len(token) == 6 && strings.HasPrefix(token, "<0x") && token[5] == '>' {
		if b, err := strconv.ParseUint(token[3:5], 16, 8); err == nil {
			d.run = append(d.run, byte(b))
			return
		}
	}
	d.end()
	d.next.push(token, false)
}

func (d *byteRun) end() {
	if utf8.Valid(d.run) {
		if len(d.run) > 0 {
			d.next.push(string(d.run), false)
		}
	} else {
		for range d.run {
			d.next.push("\uFFFD", false)
		}
	}
	d.run = d.run[:0]
}

func (d *byteRun) flush() {
	d.end()
	d.next.flush()
}

type replaceDecoder struct {
	replace
	next sink
}

func (d *replaceDecoder) push(token string, _ bool) {
	var b strings.Builder
	done := 0
	d.pattern.find(token, func(i, j int) {
		b.WriteString(token[done:i])
		b.WriteString(d.content)
		done = j
	})
	b.WriteString(token[done:])
	d.next.push(b.String(), false)
}

func (d *replaceDecoder) flush() { d.next.flush() }

// metaDecoder makes spaces of the replacement, and nothing of it in the first
// token if encoding may have put it there.
type metaDecoder struct {
	metaspace
	later bool // past the first token
	next  sink
}

func (d *metaDecoder) push(token string, more bool) {
	with := " "
	if !d.later && d.scheme != "never" {
		with = ""
	}
	d.later = d.later || !more
	d.next.push(strings.ReplaceAll(token, d.replacement, with), more)
}

func (d *metaDecoder) flush() { d.next.flush() }

// stripDecoder takes up to start characters off the front of each token and up to
// stop off its end.
type stripDecoder struct {
	content     string
	start, stop int
	cut         int  // taken off the front of this token so far
	inside      bool // past the front of this token
	next        sink
}

func (d *stripDecoder) push(token string, more bool) {
	for !d.inside && d.cut < d.start && strings.HasPrefix(token, d.content) {
		token = token[len(d.content):]
		d.cut++
	}
	d.inside = d.inside || token != "" || d.cut == d.start
	for i := 0; i < d.stop && strings.HasSuffix(token, d.content); i++ {
		token = token[:len(token)-len(d.content)]
	}
	if !more {
		d.cut, d.inside = 0, false
	}
	d.next.push(token, more)
}

func (d *stripDecoder) flush() { d.next.flush() }
