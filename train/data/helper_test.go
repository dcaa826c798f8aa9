package data

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// read reads rows without tokenising them.
func read(name string, r io.Reader, columns Columns) ([]Row, File, error) {
	p := simd.NewPool(1)
	defer p.Close()
	var rows []Row
	w := &reader{
		columns: columns, pool: p,
		each: func(r *Row, _ *encoded) error {
			rows = append(rows, *r)
			return nil
		},
		encode: func(*Row) (encoded, error) { return encoded{}, nil },
		pieces: func(b raw, at Origin) []item {
			return []item{{row: Row{Origin: at, Format: Text, Text: b.text}}}
		},
	}
	file, mistakes, err := w.read(name, r)
	if err == nil && mistakes != nil {
		err = mistakes
	}
	return rows, file, err
}

// The tokenizer in testdata has a token for each byte, and <s>, </s>, <|user|>,
// <|assistant|>, <|end|>, " b", "th" and "the".
func load(t testing.TB) (*tokenizer.Tokenizer, *chat.Template) {
	t.Helper()
	tok, err := tokenizer.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Load(testdata, "auto", time.Now(), tok)
	if err != nil {
		t.Fatal(err)
	}
	return tok, template
}

// testdata is absolute: tests change their folder.
var testdata = func() string {
	path, err := filepath.Abs("testdata/tokenizer")
	if err != nil {
		panic(err)
	}
	return path
}()

// inFolder makes a new folder with a file the present one.
func inFolder(t *testing.T, name, content string) {
	t.Helper()
	t.Chdir(t.TempDir())
	put(t, name, content)
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// open tokenises a file with the tokenizer in testdata, and its template where that
// is wanted.
func open(t *testing.T, name string, o Options, template bool) (*Set, *tokenizer.Tokenizer, error) {
	t.Helper()
	tok, tpl := load(t)
	if template {
		o.Template = tpl
	}
	if o.MaxLength == 0 {
		o.MaxLength = 100
	}
	p := simd.NewPool(2)
	defer p.Close()
	set, err := Open(name, nil, tok, o, p, nil)
	if set != nil {
		t.Cleanup(func() { _ = set.Close() })
	}
	return set, tok, err
}

func encode(t *testing.T, in string, o Options, template bool) (*Set, *tokenizer.Tokenizer, error) {
	t.Helper()
	inFolder(t, "train.jsonl", in)
	return open(t, "train.jsonl", o, template)
}

func pool(t *testing.T) *simd.Pool {
	t.Helper()
	p := simd.NewPool(2)
	t.Cleanup(p.Close)
	return p
}

func sequence(t *testing.T, s *Set, i int) model.Sequence {
	t.Helper()
	q, err := s.Sequence(i)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func digest(t *testing.T, s *Set) string {
	t.Helper()
	d, err := s.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// show writes a sequence's tokens, the trained ones in brackets.
func show(t *testing.T, tok *tokenizer.Tokenizer, s *Set, i int) string {
	t.Helper()
	var b strings.Builder
	q := sequence(t, s, i)
	for k, id := range q.IDs {
		text := tok.Decode([]int32{id}, false)
		if q.Mask[k] {
			text = "[" + text + "]"
		}
		b.WriteString(text)
	}
	return strings.ReplaceAll(b.String(), "\n", "↵")
}

// expect fails unless err contains want and carries exactly this hint.
func expect(t *testing.T, what string, err error, want, hint string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s:\n got %v\nwant %s", what, err, want)
		return
	}
	var h interface{ Hint() string }
	got := ""
	if errors.As(err, &h) {
		got = h.Hint()
	}
	if got != hint {
		t.Errorf("%s: hint %q, want %q", what, got, hint)
	}
}

const utf16Hint = "write it again as UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW, or Out-File -Encoding utf8 in PowerShell"
