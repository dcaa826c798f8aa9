package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is typed comes as it is; a paste of several lines becomes one, without control
// characters and without the ends of lines at its end.
func TestPaste(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"abc\r", "abc\r"},
		{"\x1b[A\x1b[2~\x1b", "\x1b[A\x1b[2~\x1b"},
		{"a\x1b[200~one\ntwo\x1b[201~b\r", "aone⏎twob\r"},
		{"\x1b[200~one\r\n\r\n\ttwo\r\x1b[201~\r", "one⏎⏎ two\r"},
		{"\x1b[200~\n\n\x1b[201~", ""},
		{"\x1b[200~x\x03\x1b[A\x04y\x1b[201~\x04", "x[Ay\x04"},
		{"\x1b[200~世\n界\x1b[201~", "世⏎界"},
		{"\x1b[200~a\x1b[200~b\x1b[201~\x1b[201~", "a[200~b\x1b[201~"},
	} {
		p := paster{}
		if got := string(p.next([]byte(c.keys))); got != c.want {
			t.Errorf("%q: %q, want %q", c.keys, got, c.want)
		}
	}
}

// Piped lines are texts: what is not UTF-8 would be another one.
func TestPipedLines(t *testing.T) {
	p := &plainLines{in: bufio.NewReader(strings.NewReader("one\r\n\xff\n"))}
	if line, err := p.read(""); line != "one" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := p.read(""); err == nil || err.Error() != "a line of standard input is not valid UTF-8" {
		t.Errorf("got %v", err)
	}
}

// Where the bytes are cut changes nothing, but for a mark of a paste's beginning that is
// cut behind its escape or bracket, which is taken for keys.
func TestPasteInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.SampledFrom([]string{"a", "世", "\n", "\r", "\r\n", "\t", pasteBegin, pasteEnd, "\x1b[A", "\x1b[2~"})).Draw(t, "words")
		whole, pieces := paster{}, paster{}
		all := strings.Join(words, "")
		want := string(whole.next([]byte(all)))
		got := ""
		for all != "" {
			n := rapid.IntRange(1, len(all)).Draw(t, "n")
			for strings.HasSuffix(all[:n], "\x1b") || strings.HasSuffix(all[:n], "\x1b[") {
				n++
			}
			got += string(pieces.next([]byte(all[:n])))
			all = all[n:]
		}
		if got+pieces.rest != want+whole.rest {
			t.Fatalf("%q: %q in pieces, %q at once", words, got, want)
		}
	})
}

// Lines of a pipe: the last may lack its end, and a broken pipe is an error.
func TestPlainLines(t *testing.T) {
	p := plainLines{in: bufio.NewReader(strings.NewReader("one\r\n\ntwo"))}
	for _, want := range []string{"one", "", "two"} {
		if got, err := p.read(">>> "); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if _, err := p.read(""); !errors.Is(err, io.EOF) {
		t.Errorf("%v at the end", err)
	}
	broken := errors.New("broken")
	p = plainLines{in: bufio.NewReader(io.MultiReader(strings.NewReader("half"), errReader{broken}))}
	if _, err := p.read(""); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type errReader struct{ error }

func (e errReader) Read([]byte) (int, error) { return 0, e.error }
