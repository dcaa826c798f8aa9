package train

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

func TestLoadDataFindsValidationRows(t *testing.T) {
	tok, err := tokenizer.Load("data/testdata/tokenizer")
	if err != nil {
		t.Fatal(err)
	}
	p := simd.NewPool(2)
	defer p.Close()
	load := func(path string) (*Data, error) {
		c := Default()
		c.Data = path
		return LoadData(&c, tok, nil, p)
	}
	var rows strings.Builder
	for i := range 400 {
		fmt.Fprintf(&rows, `{"prompt": "a%d", "completion": "b"}`+"\n", i)
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "train.jsonl"), rows.String())
	d, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n, m := len(d.Train.Sequences), len(d.Valid.Sequences); n+m != 400 || m < 5 || m > 50 || !d.Split || len(d.Files) != 1 {
		t.Errorf("%d and %d rows, split %v", n, m, d.Split)
	}
	put(t, filepath.Join(dir, "val.jsonl"), `{"prompt": "a7", "completion": "b"}`+"\n"+`{"prompt": "c", "completion": "d"}`)
	if d, err = load(dir); err != nil {
		t.Fatal(err)
	}
	if len(d.Train.Sequences) != 400 || len(d.Valid.Sequences) != 2 || d.Split || d.Shared != 1 || len(d.Files) != 2 {
		t.Errorf("with a file: %d and %d rows, split %v, shared %d", len(d.Train.Sequences), len(d.Valid.Sequences), d.Split, d.Shared)
	}
	put(t, filepath.Join(dir, "val.jsonl"), "{}")
	_, err = load(dir)
	expect(t, "a bad validation row", err, "val.jsonl:1: neither", "", false)
	other := t.TempDir()
	put(t, filepath.Join(other, "test.jsonl"), rows.String())
	_, err = load(other)
	expect(t, "no training file", err, "no train.jsonl in this folder", "", false)
}
