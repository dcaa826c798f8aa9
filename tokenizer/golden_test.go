package tokenizer

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readJSON reads testdata/name into v.
func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// loadStories is a SentencePiece-style tokenizer of 512 tokens.
func loadStories(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Load("testdata/stories260k")
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// loadSmolLM2 is a byte-level tokenizer of 49152 tokens, unpacked into a folder of its own.
func loadSmolLM2(t testing.TB) *Tokenizer {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), smolLM2File(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func smolLM2File(t testing.TB, name string) []byte {
	t.Helper()
	if name != "tokenizer.json" {
		data, err := os.ReadFile(filepath.Join("testdata/smollm2", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	f, err := os.Open("testdata/smollm2/tokenizer.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// byteOffsets makes byte ranges of ranges in characters.
func byteOffsets(text string, chars [][2]int) [][2]int {
	var at []int
	for i := range text {
		at = append(at, i)
	}
	at = append(at, len(text))
	out := make([][2]int, len(chars))
	for k, c := range chars {
		out[k] = [2]int{at[c[0]], at[c[1]]}
	}
	return out
}

// TestGoldenTokens compares with Hugging Face tokenizers: ids, offsets, decoded text.
func TestGoldenTokens(t *testing.T) {
	var golden map[string][]struct {
		Text     string
		IDs      []int32
		IDsPlain []int32 `json:"ids_plain"`
		Offsets  [][2]int
		Decoded  string
	}
	readJSON(t, "tokens.json", &golden)
	load := map[string]*Tokenizer{"stories260k": loadStories(t), "smollm2": loadSmolLM2(t)}
	if len(golden) != len(load) {
		t.Fatalf("tokens.json has %d tokenizers, want %d", len(golden), len(load))
	}
	for name, cases := range golden {
		tok := load[name]
		if tok == nil || len(cases) == 0 {
			t.Fatalf("%s: not loaded, or without cases", name)
		}
		for _, c := range cases {
			got := tok.Encode(c.Text, true)
			if d := cmp.Diff(c.IDs, got.IDs); d != "" {
				t.Errorf("%s: %q: ids (-want +got):\n%s", name, c.Text, d)
			}
			if d := cmp.Diff(byteOffsets(c.Text, c.Offsets), got.Offsets); d != "" {
				t.Errorf("%s: %q: offsets (-want +got):\n%s", name, c.Text, d)
			}
			if d := cmp.Diff(c.IDsPlain, tok.Encode(c.Text, false).IDs); d != "" {
				t.Errorf("%s: %q: plain ids (-want +got):\n%s", name, c.Text, d)
			}
			if d := tok.Decode(c.IDsPlain, false); d != c.Decoded {
				t.Errorf("%s: decoded %q, want %q", name, d, c.Decoded)
			}
		}
	}
}

// variant is a tokenizer.json with some of its parts replaced.
type variant struct {
	Name, Base string
	Set, Model map[string]json.RawMessage
	Cases      []struct {
		Text          string
		IDs           []int32
		Offsets       [][2]int
		N             int // special tokens added
		Decoded       string
		Random        []int32
		RandomDecoded string `json:"random_decoded"`
	}
}

// patched is the tokenizer.json of base with parts of it and of its model replaced.
func patched(t testing.TB, base string, set, model map[string]json.RawMessage) []byte {
	t.Helper()
	var file, m map[string]json.RawMessage
	readJSON(t, base+"/tokenizer.json", &file)
	if err := json.Unmarshal(file["model"], &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range model {
		m[k] = v
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	file["model"] = raw
	for k, v := range set {
		file[k] = v
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestVariants compares every component and option with Hugging Face tokenizers.
func TestVariants(t *testing.T) {
	var variants []variant
	readJSON(t, "variants.json", &variants)
	if len(variants) < 20 {
		t.Fatalf("variants.json has %d variants", len(variants))
	}
	for _, v := range variants {
		t.Run(v.Name, func(t *testing.T) {
			tok, err := parse(patched(t, v.Base, v.Set, v.Model), &config{})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range v.Cases {
				got := tok.Encode(c.Text, true)
				if d := cmp.Diff(Encoding{c.IDs, c.Offsets}, got); d != "" {
					t.Errorf("%q: (-want +got):\n%s", c.Text, d)
				}
				if n := len(got.IDs) - len(tok.Encode(c.Text, false).IDs); n != c.N {
					t.Errorf("%q: %d special tokens added, want %d", c.Text, n, c.N)
				}
				if d := tok.Decode(c.IDs, true); d != c.Decoded {
					t.Errorf("decoded %q, want %q", d, c.Decoded)
				}
				if d := tok.Decode(c.Random, false); d != c.RandomDecoded {
					t.Errorf("%v: decoded %q, want %q", c.Random, d, c.RandomDecoded)
				}
			}
		})
	}
}
