package chat

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/finetune/tokenizer"
)

// TestFamilies compares real tokenizers and templates with Hugging Face's, and
// prints a table. scripts/tokenizers.sh makes the files and runs it.
func TestFamilies(t *testing.T) {
	root := os.Getenv("FINETUNE_FAMILIES")
	if root == "" {
		t.Skip("FINETUNE_FAMILIES is not set: scripts/tokenizers.sh sets it")
	}
	dirs, err := filepath.Glob(filepath.Join(root, "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no families in %s", root)
	}
	fmt.Printf("%-34s %8s %10s %6s %10s %6s %8s %8s %8s %8s %8s\n", "family", "strings", "mismatches", "chats", "mismatches", "masks", "wrong", "trained", "untold", "MB/s", "load ms")
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { familyRow(t, dir) })
	}
}

func familyRow(t *testing.T, dir string) {
	var tok *tokenizer.Tokenizer
	speed, loaded := "-", "-"
	strs, wrong := 0, 0
	if _, err := os.Stat(filepath.Join(dir, "tokenizer.json")); err == nil {
		best := time.Hour
		for range 3 {
			start := time.Now()
			if tok, err = tokenizer.Load(dir); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		loaded = fmt.Sprint(best.Milliseconds())
		speed = fmt.Sprintf("%.1f", encodeSpeed(t, tok))
		strs, wrong = familyStrings(t, dir, tok)
	} else {
		tok = loadBare(t)
	}
	f := familyChats(t, dir, tok)
	fmt.Printf("%-34s %8d %10d %6d %10d %6d %8d %8d %8d %8s %8s\n", filepath.Base(dir), strs, wrong, f.chats, f.rendered, f.masks, f.masked, f.trained, f.untold, speed, loaded)
}

// loadBare loads a tokenizer that names <s> and </s> alone, for templates without one.
func loadBare(t *testing.T) *tokenizer.Tokenizer {
	t.Helper()
	data, err := os.ReadFile("../testdata/stories260k/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, dir, "tokenizer.json", string(data))
	writeFile(t, dir, "tokenizer_config.json", `{"bos_token": "<s>", "eos_token": "</s>"}`)
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// encodeSpeed is MB/s of one core over English text: the best of many short passes, as the machine is shared.
func encodeSpeed(t *testing.T, tok *tokenizer.Tokenizer) float64 {
	text := strings.Repeat("Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.\n", 4000)
	if path := os.Getenv("FINETUNE_TEXT"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data)
	}
	best := 0.0
	const pass = 1 << 17
	for i := 0; i < 24; i++ {
		part := text[i*pass%(len(text)-pass):][:pass]
		start := time.Now()
		tok.Encode(part, false)
		best = max(best, pass/time.Since(start).Seconds()/1e6)
	}
	return best
}

// eachRow decodes the lines of dir/name; false if there is no such file.
func eachRow[T any](t *testing.T, dir, name string, row func(T)) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		row(v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func familyStrings(t *testing.T, dir string, tok *tokenizer.Tokenizer) (n, wrong int) {
	type row struct {
		Text               string
		IDs, Plain, Random []int32
		Offsets            [][2]int
		Decoded, Skipped   string
	}
	eachRow(t, dir, "strings.jsonl", func(c row) {
		n++
		plain := tok.Encode(c.Text, false)
		for _, d := range []struct {
			what string
			same bool
		}{
			{"ids", slices.Equal(tok.Encode(c.Text, true).IDs, c.IDs)},
			{"plain ids", slices.Equal(plain.IDs, c.Plain)},
			{"offsets", c.Offsets == nil || slices.Equal(plain.Offsets, c.Offsets)},
			{"decoded", tok.Decode(c.Random, false) == c.Decoded},
			{"decoded without special tokens", tok.Decode(c.Random, true) == c.Skipped},
		} {
			if !d.same {
				if wrong++; wrong <= 3 {
					t.Errorf("%s of %q, or of %v: found %v %q, want %v %q", d.what, c.Text, c.Random, plain.IDs, tok.Decode(c.Random, false), c.Plain, c.Decoded)
				}
				break
			}
		}
	})
	return n, wrong
}

// familyCounts are chats and those rendered wrongly, masks and wrong ones, and messages
// of the assistant that are trained, or whose text cannot be told.
type familyCounts struct{ chats, rendered, masks, masked, trained, untold int }

func familyChats(t *testing.T, dir string, tok *tokenizer.Tokenizer) (f familyCounts) {
	tpl, err := Load(dir, "auto", fixedDate, tok)
	if err != nil {
		t.Fatal(err)
	}
	if tpl == nil {
		return f
	}
	type row struct {
		Messages []json.RawMessage
		Tools    json.RawMessage
		Add      bool `json:"add_generation_prompt"`
		Rendered *string
		Error    string
	}
	eachRow(t, dir, "chats.jsonl", func(c row) {
		f.chats++
		conv := raws(c.Messages, c.Tools)
		text, err := tpl.Render(conv, c.Add)
		if (err == nil) != (c.Rendered != nil) || err == nil && text != *c.Rendered || err != nil && !strings.Contains(err.Error(), c.Error) {
			if f.rendered++; f.rendered <= 3 {
				t.Errorf("%s\nfound %q, %v\nwant  %s, error %q", c.Messages, text, err, dereference(c.Rendered), c.Error)
			}
		}
		if c.Rendered == nil {
			return
		}
		f.masks++
		if err := checkMask(tok, tpl, conv); err != nil {
			if f.masked++; f.masked <= 3 {
				t.Errorf("mask: %v", err)
			}
		}
		if r, err := tpl.RenderSpans(conv, nil); err == nil {
			f.trained += len(r.Spans)
			f.untold += len(r.Skipped)
		}
	})
	return f
}

func dereference(s *string) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("%q", *s)
}
