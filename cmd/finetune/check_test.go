package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

// checked reads a file as check does, with the demo's model.
func checked(t *testing.T, path, template string) *data.Report {
	t.Helper()
	config := recipe.Default()
	config.Model, config.Data, config.ChatTemplate, config.Threads = filepath.Join("demo", "model"), path, template, 1
	c, err := config.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	j, err := newRowJob(newUI(nil, io.Discard, io.Discard), c)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	return j.checker().Check(path)
}

// Each line of bad.jsonl is a mistake of its own kind, and bad.txt has its message.
func TestBadRows(t *testing.T) {
	dir := filepath.Join("testdata", "check")
	text, err := os.ReadFile(filepath.Join(dir, "bad.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	var got strings.Builder
	seen := map[string]bool{}
	for i, line := range lines[1:] {
		path := filepath.Join(t.TempDir(), "bad.jsonl") // the good first row, blank lines, and the bad one in its place
		row := append(append(bytes.Clone(lines[0]), bytes.Repeat([]byte("\n"), i+1)...), line...)
		if err := os.WriteFile(path, row, 0o644); err != nil {
			t.Fatal(err)
		}
		r := checked(t, path, filepath.Join(dir, "chat.jinja"))
		if r.MistakeCount != 1 || len(r.Stops) != 1 || r.Stats.Rows != 1 {
			t.Errorf("line %d: %d mistakes, %d rows: %s", i+2, r.MistakeCount, r.Stats.Rows, line)
			continue
		}
		m := r.Mistakes[0]
		message, ok := strings.CutPrefix(m.Text, fmt.Sprintf("%s:%d: ", path, i+2))
		if !ok || seen[message+m.Hint] && !strings.Contains(message, "JSON") {
			t.Errorf("line %d: without its place, or said before: %s", i+2, m.Text)
		}
		seen[message+m.Hint] = true
		fmt.Fprintf(&got, "%d: %s\n", i+2, strings.ReplaceAll(message, dir+string(filepath.Separator), ""))
		if m.Hint != "" {
			fmt.Fprintf(&got, "    hint: %s\n", m.Hint)
		}
	}
	golden := filepath.Join(dir, "bad.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestBracketTokens(t *testing.T) {
	token := func(text string, trained bool) data.Token { return data.Token{Text: text, Trained: trained} }
	for _, c := range []struct {
		want   string
		tokens []data.Token
	}{
		{"", nil},
		{"a│ b⟦ c│d⟧", []data.Token{token("a", false), token(" b", false), token(" c", true), token("d", true)}},
		{"⟦a⟧b⟦c⟧", []data.Token{token("a", true), token("b", false), token("c", true)}},
		{"a↵│\nb↵\n⟦c↵⟧\n", []data.Token{token("a\n", false), token("b\n", false), token("c\n", true)}},
		{"é│◦│x", []data.Token{token("é", false), token("", false), token("x", false)}},
		{"␛[31m│⇥⟨U+200B⟩⟨U+202E⟩⟨U+1D173⟩⟨U+E000⟩", []data.Token{token("\x1b[31m", false), token("\t\u200b\u202e\U0001d173\ue000", false)}},
	} {
		if got := bracketTokens(c.tokens); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// Colours end before a line does, and nothing of the data reaches the terminal as a
// control.
func TestColourTokens(t *testing.T) {
	got := colourTokens([]data.Token{{Text: "a\n\n", Trained: true}, {Text: "\x1b[2J"}, {Text: "<s>", Trained: true, Special: true}})
	want := "\x1b[38;5;231;48;5;22ma↵\x1b[0m\n\x1b[38;5;231;48;5;22m↵\x1b[0m\n" +
		"\x1b[38;5;252;48;5;239m␛[2J\x1b[0m\x1b[1;38;5;226;48;5;22m<s>\x1b[0m"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// A terminal that wants no colours gets brackets, as a pipe does.
func TestSamplesWithoutColours(t *testing.T) {
	var stdout bytes.Buffer
	u := newUI(nil, &stdout, nil)
	rows := []data.Sample{{Origin: data.Origin{File: "a.jsonl", Line: 3}, Tokens: []data.Token{{Text: "a"}, {Text: "b", Trained: true}}, Lost: 1}}
	if err := printSamples(u, rows); err != nil {
		t.Fatal(err)
	}
	if want := "\n⟦…⟧ is trained; │ stands between tokens\n\na.jsonl:3  2 tokens\na⟦b⟧ … 1 token cut off\n"; stdout.String() != want {
		t.Errorf("got\n%q\nwant\n%q", stdout.String(), want)
	}
	stdout.Reset()
	u.colours = true
	if err := printSamples(u, rows); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); !strings.Contains(got, "\x1b[") || strings.Contains(got, "⟦") {
		t.Errorf("got %q", got)
	}
}

func TestHistogram(t *testing.T) {
	var b strings.Builder
	printHistogram(&b, []data.Bar{{From: 0, To: 10, Rows: 80}, {From: 10, To: 20, Rows: 1}, {From: 20, To: 21}})
	want := "\n  tokens a row\n" +
		"            0–9  ████████████████████████████████████████ 80\n" +
		"          10–19  ▌ 1\n" +
		"             20   0\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	printHistogram(&b, []data.Bar{{From: 0, To: 10, Rows: 9}})
	if b.Len() > 0 {
		t.Errorf("a plot of few rows: %s", b.String())
	}
}

// A bar of bytes covers all files, and appears once a reading takes a while.
func TestByteProgress(t *testing.T) {
	dir := t.TempDir()
	paths := data.Paths{Train: filepath.Join(dir, "train.txt"), Valid: filepath.Join(dir, "valid.txt")}
	for path, size := range map[string]int{paths.Train: 3_000_000, paths.Valid: 1_500_000} {
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stderr bytes.Buffer
	u := newUI(nil, nil, &stderr)
	u.width = 100
	b := newByteProgress(u, paths)
	told := b.begin(paths.Train)
	if told(1_000_000); stderr.Len() > 0 {
		t.Errorf("at once: %q", stderr.String())
	}
	b.start = b.start.Add(-time.Second)
	told(1_000_000)
	time.Sleep(2 * redrawEvery)
	b.begin(paths.Valid)(1_200_000)
	b.progress.end()
	for _, want := range []string{"megabyte 1/5  ", "megabyte 4/5  "} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is not in %q", want, stderr.String())
		}
	}
}
