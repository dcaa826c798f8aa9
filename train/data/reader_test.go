package data

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// Good rows come in order, mistakes are counted, and the reading goes to the end.
func TestReadingGoesOnAfterMistakes(t *testing.T) {
	var in strings.Builder
	const n = 2*chunkRows + 10
	for i := range n {
		if i%100 == 7 {
			in.WriteString("{\"text\": 1}\n")
		} else {
			fmt.Fprintf(&in, "{\"text\": \"%d\"}\n", i)
		}
	}
	inFolder(t, "a.jsonl", in.String())
	tok, _ := load(t)
	p := simd.NewPool(3)
	defer p.Close()
	var got, want []int
	var told []int64
	file, mistakes, err := readFile(t, "a.jsonl", tok, Options{TrainOn: "assistant", MaxLength: 9}, p,
		func(bytes int64) { told = append(told, bytes) },
		func(r *Row, e *encoded) error {
			if r.Text != fmt.Sprint(r.Line-1) || len(e.IDs) == 0 {
				t.Errorf("line %d: %q, %d tokens", r.Line, r.Text, len(e.IDs))
			}
			got = append(got, r.Line)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if i%100 != 7 {
			want = append(want, i+1)
		}
	}
	if !slices.Equal(got, want) || file.Rows != len(want) || mistakes.Total != n-len(want) || len(mistakes.First) != shown {
		t.Errorf("%d rows, %+v, %d mistakes, %d shown", len(got), file, mistakes.Total, len(mistakes.First))
	}
	if !slices.IsSorted(told) || told[len(told)-1] != int64(in.Len()) {
		t.Errorf("progress %v of %d", told, in.Len())
	}
}

func TestReadingChecksItsArguments(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		path    string
		columns Columns
		want    string
	}{
		{"a.yaml", nil, `a.yaml: unknown kind of file ".yaml", want one of .jsonl, .json, .ndjson, .csv, .txt, .parquet`},
		{"a.jsonl", nil, "opening the data: "},
		{"a.jsonl", Columns{"x": "y"}, "map: unknown field"},
	} {
		_, err := openRows(c.path, c.columns)
		expect(t, c.path, err, c.want, "")
		_, err = Open(c.path, c.columns, nil, Options{}, nil, nil)
		expect(t, c.path, err, c.want, "")
	}
}

// readFile reads a file row by row.
func readFile(t *testing.T, path string, tok *tokenizer.Tokenizer, o Options, p *simd.Pool, progress func(int64), each func(*Row, *encoded) error) (File, *Mistakes, error) {
	t.Helper()
	f, err := openRows(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return newReader(nil, tok, o, p, progress, each).read(path, f)
}

// A row of more text than a template makes is a mistake of its own: the others are read.
func TestARowOfTooMuchText(t *testing.T) {
	p := simd.NewPool(2)
	defer p.Close()
	rows := 0
	w := &reader{
		pool: p,
		each: func(*Row, *encoded) error {
			rows++
			return nil
		},
		encode: func(r *Row) (encoded, error) {
			if len(r.Text) > muchText {
				return encoded{}, fmt.Errorf("t: chat template: %w: line 3: makes a text of more than 16 MiB", chat.ErrEndless)
			}
			return encoded{}, nil
		},
	}
	in := "{\"text\": \"a\"}\n{\"text\": \"" + strings.Repeat("a b ", 5<<18) + "\"}\n{\"text\": \"c\"}\n"
	_, mistakes, err := w.read("a.jsonl", strings.NewReader(in))
	if err != nil || rows != 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
	expect(t, "the row", mistakes, "a.jsonl:2: t: chat template: does not come to an end: line 3: makes a text of more than 16 MiB", "the row has 5 MB of text: make several of it")
}

// A template that does not end would take its ten seconds for each row.
func TestReadingStopsWhereATemplateDoesNotEnd(t *testing.T) {
	p := simd.NewPool(2)
	defer p.Close()
	var tried atomic.Int32
	rows := 0
	w := &reader{
		pool: p,
		each: func(*Row, *encoded) error {
			rows++
			return nil
		},
		encode: func(r *Row) (encoded, error) {
			if r.Line > chunkRows {
				tried.Add(1)
				return encoded{}, fmt.Errorf("t: chat template: %w: still running after 10s", chat.ErrEndless)
			}
			return encoded{}, nil
		},
	}
	in := strings.Repeat("{\"text\": \"a\"}\n", 4*chunkRows)
	_, mistakes, err := w.read("a.jsonl", strings.NewReader(in))
	expect(t, "the reading", err, "t: chat template: does not come to an end: still running after 10s", "--chat-template names another template, or none")
	if mistakes != nil || rows != chunkRows || tried.Load() > 2 {
		t.Errorf("%d rows, %v, %d rows were tried", rows, mistakes, tried.Load())
	}
}
