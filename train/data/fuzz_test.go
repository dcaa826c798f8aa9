package data

import (
	"strings"
	"testing"
	"time"

	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// FuzzRows reads any bytes as each kind of file: no panic, every mistake with its
// place, and rows that keep what they promise.
func FuzzRows(f *testing.F) {
	for _, s := range []string{
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "tools": []}`,
		`{"prompt": "a", "completion": "b"}`, `{"prompt": [], "completion": []}`, `{"text": "\ud83d\ude00"}`, `{"text": "\\ud83d"}`,
		"\xef\xbb\xbf{\"text\": 1}\r\n\n{}", `[{"text": "a"}]`, `{"chosen": 1, "rejected": 2}`, "{", `{"a": {"a": {}}}`,
		`{"instruction": "a", "input": "b", "output": "c", "system": "d", "history": [["e", "f"]]}`,
		`{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}`,
		`{"segments": [{"text": "a", "label": true}, {"text": "b", "label": false}]}`,
		"prompt,completion\n\"a\"\"b\",c\n\"x\ny\",z\n", "text\na\n\"b", "[{}, [1, \"]\"],\n]", "é\n\xff", "a<s>b</s>\nthe the", "\xff\xfe",
	} {
		f.Add(s)
	}
	tok, err := tokenizer.Load(testdata)
	if err != nil {
		f.Fatal(err)
	}
	template, err := chat.Load(testdata, "auto", time.Now(), tok)
	if err != nil {
		f.Fatal(err)
	}
	p := simd.NewPool(1)
	f.Cleanup(p.Close)
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{"a.jsonl", "a.json", "a.csv", "a.txt"} {
			for _, o := range []Options{{TrainOn: "assistant", MaxLength: 7}, {TrainOn: "last", MaxLength: 50, Template: template}} {
				readAny(t, name, s, tok, o, p)
			}
		}
	})
}

// readAny reads s as a file of a kind, and checks each row and every error.
func readAny(t *testing.T, name, s string, tok *tokenizer.Tokenizer, o Options, p *simd.Pool) {
	rows, last := 0, 0
	w := newReader(nil, tok, o, p, nil, func(r *Row, e *encoded) error {
		if rows++; r.Line < last || r.Line < 1 || r.Format == 0 {
			t.Fatalf("%s: a row of %v at line %d after %d", name, r.Format, r.Line, last)
		}
		last = r.Line
		if len(e.IDs) != len(e.Mask) || len(e.IDs) > o.MaxLength || len(e.offsets) > 0 && e.textAt(0) > len(e.text) {
			t.Fatalf("%s:%d: %d ids, %d of the mask", name, r.Line, len(e.IDs), len(e.Mask))
		}
		if e.tokens != len(e.IDs) || e.trained != e.Targets() {
			t.Fatalf("%s:%d: %d tokens, %d trained, counted %+v", name, r.Line, len(e.IDs), e.Targets(), e.tally)
		}
		return nil
	})
	file, mistakes, err := w.read(name, strings.NewReader(s))
	if err == nil && mistakes != nil {
		err = mistakes
	}
	if err == nil && (file.Rows != rows || rows == 0) {
		t.Fatalf("%s: %d rows, the file says %d", name, rows, file.Rows)
	}
	if err != nil && !strings.HasPrefix(err.Error(), name+":") {
		t.Fatalf("an error without its place: %v", err)
	}
}
