package data

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"example.com/finetune/model"
)

// partSize is how much of a .txt file is tokenised at once. A smaller file has the
// tokens of its whole text; at the borders of parts, which are ends of lines where
// there are any, a tokenizer may see white space otherwise than in the whole.
var partSize = 1 << 20 // a toggle of tests

// A part says where a piece of a .txt file stands in it.
type part struct{ first, last bool }

// plain yields the parts of a text.
func (s *source) plain() error {
	buf, line := []byte(nil), 1
	for first := true; ; {
		n := len(buf)
		buf = append(buf, make([]byte, max(0, partSize-n))...)
		m, err := io.ReadFull(s.in, buf[n:])
		buf = buf[:n+m]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return s.failed(err)
		}
		if _, err := s.in.Peek(1); errors.Is(err, io.EOF) {
			last = true
		}
		text := buf
		if !last {
			text = buf[:border(buf)]
		}
		if first && last && len(bytes.TrimSpace(text)) == 0 {
			return nil
		}
		if err := s.each(raw{text: string(text), line: line, part: &part{first, last}}); err != nil || last {
			return err
		}
		line += bytes.Count(text, []byte("\n"))
		buf, first = bytes.Clone(buf[len(text):]), false
	}
}

// border returns where a part may end: after its last line, else before a
// character that is not whole.
func border(buf []byte) int {
	if i := bytes.LastIndexByte(buf, '\n'); i >= 0 {
		return i + 1
	}
	for n := len(buf) - 1; n > max(0, len(buf)-utf8.UTFMax); n-- {
		if utf8.RuneStart(buf[n]) && !utf8.FullRune(buf[n:]) {
			return n
		}
	}
	return len(buf)
}

// pieces tokenises a part and cuts it: each piece of MaxLength tokens is a row. The
// file's first piece begins, and its last ends, as a row of text does.
func (n *encoder) pieces(b raw, at Origin) []item {
	text := b.text
	if !utf8.ValidString(text) {
		at.Line += strings.Count(text[:invalidAt(text)], "\n")
		return []item{{row: Row{Origin: at}, err: errors.New("not valid UTF-8")}}
	}
	var e encoded
	e.take(n, text, []span{{0, len(text)}}, b.part.first)
	if b.part.last {
		e.end(n)
	} else {
		e.withoutEnd()
	}
	var list []item
	seen := 0
	for lo := 0; lo < len(e.IDs); lo += n.o.MaxLength {
		hi := min(lo+n.o.MaxLength, len(e.IDs))
		if hi-lo == 1 && lo > 0 {
			break // one token has nothing to learn from
		}
		from := max(seen, e.textAt(lo))
		to := max(from, e.textAt(hi))
		at.Line += strings.Count(text[seen:from], "\n")
		seen = from
		it := item{
			row: Row{Origin: at, Format: Text, Text: text[from:to], Digest: sha256.Sum256([]byte(text[from:to]))},
			e:   encoded{Sequence: model.Sequence{IDs: e.IDs[lo:hi:hi], Mask: e.Mask[lo:hi:hi]}, open: hi < len(e.IDs) || !b.part.last},
		}
		n.finish(&it.e, &it.row)
		list = append(list, it)
	}
	return list
}

// withoutEnd takes off what the tokenizer puts at the end of a text.
func (e *encoded) withoutEnd() {
	n := len(e.IDs)
	for n > 0 && e.offsets[n-1] == [2]int{} {
		n--
	}
	e.IDs, e.Mask, e.offsets = e.IDs[:n], e.Mask[:n], e.offsets[:n]
}

// invalidAt returns the offset of the first byte that is no UTF-8.
func invalidAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return len(text)
}
