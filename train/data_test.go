package train

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/train/recipe"
)

func TestLoadDataFindsValidationRows(t *testing.T) {
	tok, err := tokenizer.Load("data/testdata/tokenizer")
	if err != nil {
		t.Fatal(err)
	}
	p := simd.NewPool(2)
	defer p.Close()
	load := func(path string) (*Data, error) {
		c := recipe.Default()
		c.Data = path
		return LoadData(&recipe.Resolved{Config: c}, &model.Config{VocabSize: 264}, tok, nil, p, nil)
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
	if n, m := d.Train.Len(), d.Valid.Len(); n+m != 400 || m < 5 || m > 50 || !d.Split || len(d.Files) != 1 {
		t.Errorf("%d and %d rows, split %v", n, m, d.Split)
	}
	put(t, filepath.Join(dir, "val.jsonl"), `{"prompt": "a7", "completion": "b"}`+"\n"+`{"prompt": "c", "completion": "d"}`)
	if d, err = load(dir); err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 400 || d.Valid.Len() != 2 || d.Split || len(d.Files) != 2 {
		t.Errorf("with a file: %d and %d rows, split %v", d.Train.Len(), d.Valid.Len(), d.Split)
	}
	if n := d.Notes; len(n) != 1 || n[0].Path != d.Files[0].Path || n[0].Label != "shared" || n[0].Count != 1 || !n[0].Harms {
		t.Errorf("a row of both files: %+v", n)
	}
	put(t, filepath.Join(dir, "val.jsonl"), "{}")
	_, err = load(dir)
	expect(t, "a bad validation row", err, "val.jsonl:1: neither", "")
	other := t.TempDir()
	put(t, filepath.Join(other, "test.jsonl"), rows.String())
	_, err = load(other)
	expect(t, "no training file", err, "no train.jsonl in this folder", "")
}

func TestLoadDataTakesFilesOfAllKinds(t *testing.T) {
	tok, err := tokenizer.Load("data/testdata/tokenizer")
	if err != nil {
		t.Fatal(err)
	}
	p := simd.NewPool(2)
	defer p.Close()
	dir := t.TempDir()
	files := map[string]string{
		"train.csv":  "prompt,completion\na,b\n\"c\nd\",e\n",
		"dev.ndjson": `{"prompt": "a", "completion": "c"}` + "\n",
		"test.txt":   "not opened",
	}
	size := int64(0)
	for _, name := range []string{"train.csv", "dev.ndjson"} {
		size += int64(len(files[name]))
	}
	for name, text := range files {
		put(t, filepath.Join(dir, name), text)
	}
	c := recipe.Default()
	c.Data = dir
	var done, total int64
	d, err := LoadData(&recipe.Resolved{Config: c}, &model.Config{VocabSize: 264}, tok, nil, p, func(n, of int64) {
		if n < done {
			t.Errorf("progress goes from %d to %d", done, n)
		}
		done, total = n, of
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 2 || d.Valid.Len() != 1 || d.Train.Origin(1).Line != 3 || d.Files[0].Rows != 2 {
		t.Errorf("%d and %d rows, the second at %v", d.Train.Len(), d.Valid.Len(), d.Train.Origin(1))
	}
	if done != size || total != size {
		t.Errorf("progress ends at %d of %d, want %d", done, total, size)
	}
	if sequences := d.digest(); len(sequences) != 129 {
		t.Errorf("the digest of two sets: %q", sequences)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	put(t, filepath.Join(dir, "train.txt"), "a")
	_, err = LoadData(&recipe.Resolved{Config: c}, &model.Config{VocabSize: 264}, tok, nil, p, nil)
	expect(t, "two training files", err, "are both there: which of them is meant?", "")
	if err := os.Remove(filepath.Join(dir, "train.txt")); err != nil {
		t.Fatal(err)
	}
	_, err = LoadData(&recipe.Resolved{Config: c}, &model.Config{VocabSize: 1}, tok, nil, p, nil)
	expect(t, "a small vocabulary", err, "but the model's vocab_size is 1", "tokenizer.json and config.json are of different models, or the chat template uses tokens the model lacks")
}
