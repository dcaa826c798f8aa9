package tokenizer

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDigestsTellFilesApart(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	load := func() *Tokenizer {
		t.Helper()
		tok, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	text, err := os.ReadFile("testdata/stories260k/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	put("tokenizer.json", string(text))
	a, again := load(), load()
	put("tokenizer_config.json", `{"eos_token": "</s>"}`)
	b := load()
	put("tokenizer.json", string(text)+"\n")
	c := load()
	if a.Digest() != again.Digest() || a.Digest() == b.Digest() || b.Digest() == c.Digest() || a.Digest() == c.Digest() {
		t.Errorf("digests %x, %x, %x", a.Digest(), b.Digest(), c.Digest())
	}
}

func TestTemplateDigestSeesTheDateWhereItShows(t *testing.T) {
	tok := loadStories(t)
	digest := func(source string, day int) [32]byte {
		t.Helper()
		path := filepath.Join(t.TempDir(), "a.jinja")
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		tpl, err := LoadTemplate("testdata/stories260k", path, tok)
		if err != nil {
			t.Fatal(err)
		}
		tpl.SetDate(time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC))
		return tpl.Digest()
	}
	const plain, dated = "{{ bos_token }}", "{{ strftime_now('%d') }}"
	if digest(plain, 1) != digest(plain, 2) || digest(dated, 1) == digest(dated, 2) || digest(plain, 1) == digest("{{ eos_token }}", 1) {
		t.Error("a digest sees too little, or a date that does not show")
	}
}
