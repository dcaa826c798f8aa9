package data

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"example.com/finetune/model"
	"example.com/finetune/tokenizer"
)

// blockSize is how much of a .txt file is tokenised at once. A smaller file has the
// tokens of its whole text; at the borders of blocks, which are ends of lines where
// there are any, a tokenizer may see white space otherwise than in the whole.
var blockSize = 1 << 20 // a toggle of tests

// A block is where a part of a .txt file stands in it.
type block struct{ first, last bool }

// plain yields the blocks of a text.
func (s *source) plain() error {
	buf, line := []byte(nil), 1
	for first := true; ; {
		n := len(buf)
		buf = append(buf, make([]byte, max(0, blockSize-n))...)
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
		s.each(raw{text: text, line: line, block: &block{first, last}})
		if last {
			return nil
		}
		line += bytes.Count(text, []byte("\n"))
		buf, first = bytes.Clone(buf[len(text):]), false
	}
}

// border returns where a block may end: after its last line, else before a
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

// pieces tokenises a block and cuts it: each piece of MaxLength tokens is a row. The
// file's first piece begins, and its last ends, as a row of text does.
func pieces(b raw, at Origin, t *tokenizer.Tokenizer, o Options) []item {
	if !utf8.Valid(b.text) {
		i := invalidAt(b.text)
		at.Line += bytes.Count(b.text[:i], []byte("\n"))
		return []item{{row: Row{Origin: at}, err: errors.New("not valid UTF-8")}}
	}
	text := string(b.text)
	var e encoded
	e.take(t, text, []span{{0, len(text)}}, b.block.first)
	if b.block.last {
		e.end(t)
	} else {
		e.open()
	}
	e.oneBOS(t)
	var list []item
	seen := 0
	for lo := 0; lo < len(e.IDs); lo += o.MaxLength {
		hi := min(lo+o.MaxLength, len(e.IDs))
		if hi-lo == 1 && lo > 0 {
			break // one token has nothing to learn from
		}
		from := max(seen, e.textAt(lo))
		to := max(from, e.textAt(hi))
		at.Line += strings.Count(text[seen:from], "\n")
		seen = from
		p := encoded{Sequence: model.Sequence{IDs: e.IDs[lo:hi:hi], Learn: e.Learn[lo:hi:hi]}}
		row := Row{Origin: at, Format: Text, Text: text[from:to], Digest: sha256.Sum256(b.text[from:to])}
		list = append(list, item{row, p, nil})
	}
	return list
}

// open takes off what the tokenizer puts at the end of a text.
func (e *encoded) open() {
	n := len(e.IDs)
	for n > 0 && e.offsets[n-1] == [2]int{} {
		n--
	}
	e.IDs, e.Learn, e.offsets = e.IDs[:n], e.Learn[:n], e.offsets[:n]
}
