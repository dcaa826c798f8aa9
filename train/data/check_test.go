package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/finetune/simd"
)

// survey checks rows written to a file, through the template.
func surveyed(t *testing.T, name, rows string, change func(*Checker)) *Report {
	t.Helper()
	tok, template := load(t)
	p := simd.NewPool(2)
	t.Cleanup(p.Close)
	c := &Checker{Tokenizer: tok, Options: Options{Template: template, MaxLength: 100, Overlong: "truncate"}, Pool: p, VocabSize: int(tok.MaxID()) + 1}
	if change != nil {
		change(c)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	return c.Check(path)
}

func plainText(c *Checker) { c.Options.Template = nil }

// Each oddity is counted, and its row is among the worst with the reason.
func TestCheckFindsOddRows(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		what, row string
		change    func(*Checker)
		count     func(*Report) int
		why       string
	}{
		{"cut", `{"prompt": "a", "completion": "` + long + `"}`, nil, func(r *Report) int { return r.Cut }, "107 of its 207 tokens are cut off"},
		{"dropped", `{"prompt": "a", "completion": "` + long + `"}`, func(c *Checker) { c.Options.Overlong = "drop" }, func(r *Report) int { return r.Dropped }, "207 tokens, longer than max_length: dropped"},
		{"untrained", `{"prompt": "` + long + `", "completion": "a"}`, nil, func(r *Report) int { return r.Untrained }, "none of its 100 tokens is trained: dropped"},
		{"no end token of a cut row", `{"prompt": "a", "completion": "` + long + `"}`, nil, func(r *Report) int { return r.NoEnd }, ""},
		{"a marker", `{"prompt": "a <|end|> b", "completion": "c"}`, nil, func(r *Report) int { return r.Markers }, `"<|end|>" stands in its text and becomes that token`},
		{"lost bytes", `{"prompt": "a", "completion": "b\ufffd"}`, nil, func(r *Report) int { return r.Broken }, "U+FFFD in its text: bytes were lost before"},
		{"a joined token", `{"prompt": "a ", "completion": "b"}`, plainText, func(r *Report) int { return r.Joined }, ""},
		{"few trained", `{"prompt": "` + strings.Repeat("x", 180) + `", "completion": "b"}`, func(c *Checker) { c.Options.MaxLength = 300 }, func(r *Report) int { return len(r.Worst) }, "only 2 of 187 tokens are trained"},
	} {
		r := surveyed(t, "a.jsonl", `{"prompt": "a", "completion": "b"}`+"\n"+c.row+"\n"+`{"prompt": "c", "completion": "d"}`, c.change)
		if n := c.count(r); n != 1 {
			t.Errorf("%s: counted %d", c.what, n)
		}
		if len(r.Stops) > 0 {
			t.Errorf("%s: stops a run: %v", c.what, r.Stops)
		}
		switch {
		case c.why == "":
		case len(r.Worst) == 0:
			t.Errorf("%s: no row is named", c.what)
		case len(r.Worst) > 1 || r.Worst[0].Line != 2 || !slices.Contains(r.Worst[0].Why, c.why):
			t.Errorf("%s: %q in line %d, want %q in line 2", c.what, r.Worst[0].Why, r.Worst[0].Line, c.why)
		case len(r.WorstRows) != 1 || r.WorstRows[0].Line != 2:
			t.Errorf("%s: not spelled out", c.what)
		}
	}
}

// A row whose template ends it with an ordinary text has no trained end token; a
// token that the model's configuration names is one.
func TestCheckKnowsEnds(t *testing.T) {
	const row = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}`
	tok, _ := load(t)
	b, _ := tok.ID("b")
	if r := surveyed(t, "a.jsonl", row, nil); r.NoEnd != 0 {
		t.Error("the template's <|end|> is no end")
	}
	segments := `{"segments": [{"text": "a", "label": false}, {"text": "b", "label": true}]}`
	if r := surveyed(t, "a.jsonl", segments, nil); r.NoEnd != 1 || len(r.Worst) != 1 {
		t.Errorf("a segment without an end: %d", r.NoEnd)
	}
	if r := surveyed(t, "a.jsonl", segments, func(c *Checker) { c.Options.Ends = []int{int(b)} }); r.NoEnd != 0 {
		t.Error("an end token of the configuration does not count")
	}
}

func TestCheckCountsEqualRows(t *testing.T) {
	a := surveyed(t, "a.jsonl", `{"prompt": "a", "completion": "b"}
{"prompt": "c", "completion": "d"}
{"completion": "b", "prompt": "a", "id": 3}
{"prompt": "c", "completion": "d"}
{"prompt": "a", "completion": "b"}`, nil)
	if a.Duplicates != 3 || a.DuplicateAt != [2]int{1, 3} {
		t.Errorf("%d rows twice, first %v", a.Duplicates, a.DuplicateAt)
	}
	b := surveyed(t, "b.jsonl", `{"prompt": "x", "completion": "d"}
{"prompt": "c", "completion": "d"}`, nil)
	a.Share(b)
	if len(a.Shared) != 1 || a.Shared[0] != (Overlap{b.Path, 2, [2]int{2, 2}}) {
		t.Errorf("%+v", a.Shared)
	}
	c := surveyed(t, "c.jsonl", `{"prompt": "e", "completion": "f"}`, nil)
	if b.Share(c); len(b.Shared) > 0 {
		t.Errorf("%+v", b.Shared)
	}
}

// The split is that of a run; a row that differs from one of its own validation
// rows in nothing that is trained is named.
func TestCheckSplits(t *testing.T) {
	var rows strings.Builder
	for i := range 400 {
		fmt.Fprintf(&rows, "{\"prompt\": \"a%d\", \"completion\": \"b\"}\n", i)
	}
	split := func(c *Checker) { c.ValSplit, c.Seed = 0.05, 42 }
	r := surveyed(t, "a.jsonl", rows.String(), split)
	if r.Validation < 5 || r.Validation > 40 || len(r.Shared) > 0 {
		t.Fatalf("%d rows for validation, %+v", r.Validation, r.Shared)
	}
	twins := strings.ReplaceAll(rows.String(), "}\n", ", \"id\": 1}\n")
	r = surveyed(t, "a.jsonl", rows.String()+twins, split)
	if len(r.Shared) != 1 || r.Shared[0].Rows == 0 || r.Shared[0].Rows > r.Validation || r.Duplicates != 400 {
		t.Errorf("%d for validation, %+v, %d twice", r.Validation, r.Shared, r.Duplicates)
	}
	if d := r.Shared[0].Lines[0] - r.Shared[0].Lines[1]; d != 400 && d != -400 {
		t.Errorf("lines %v are no twins", r.Shared[0].Lines)
	}
	for what, change := range map[string]func(*Checker){"no split": nil, "few rows": split} {
		part := rows.String()
		if change != nil {
			part = strings.Join(strings.SplitAfter(part, "\n")[:199], "")
		}
		if r := surveyed(t, "a.jsonl", part, change); r.Validation != 0 {
			t.Errorf("%s: %d rows for validation", what, r.Validation)
		}
	}
}

// What a run refuses is a stop; a check goes on behind it.
func TestCheckStops(t *testing.T) {
	for _, c := range []struct {
		what, name, rows string
		change           func(*Checker)
		want             string
		good             int
	}{
		{"mistakes", "a.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}\n{", nil, "a.jsonl: 2 rows with mistakes", 1},
		{"no rows", "a.jsonl", "\n", nil, "a.jsonl: no rows", 0},
		{"an unknown kind", "a.md", "# Rows", nil, "unknown kind of file", 0},
		{"most rows untrained", "a.jsonl", `{"prompt": "` + strings.Repeat("x", 200) + `", "completion": "b"}`, nil, "1 of 1 rows have no token to train on", 1},
		{"all too long", "a.jsonl", `{"text": "` + strings.Repeat("x", 200) + `"}`, func(c *Checker) { c.Options.Overlong = "drop" }, "no row is left to train on", 1},
		{"a small vocabulary", "a.jsonl", `{"text": "a"}`, func(c *Checker) { c.VocabSize = 5 }, "but the model's vocab_size is 5", 1},
		{"columns that are not there", "a.jsonl", `{"text": "a"}`, func(c *Checker) { c.Columns = Columns{"text": "body"} }, "1 row with mistakes", 0},
		{"columns that cannot be", "a.jsonl", `{"text": "a"}`, func(c *Checker) { c.Columns = Columns{"body": "text"} }, "map: unknown field", 0},
	} {
		r := surveyed(t, c.name, c.rows, c.change)
		if len(r.Stops) != 1 || !strings.Contains(r.Stops[0].Text, c.want) || r.Stats.Rows != c.good {
			t.Errorf("%s: %+v, %d rows, want %q, %d", c.what, r.Stops, r.Stats.Rows, c.want, c.good)
		}
	}
}

// The report does not depend on the threads, and its samples are a seeded choice in
// the file's order.
func TestCheckIsRepeatable(t *testing.T) {
	var rows strings.Builder
	for i := range 1100 {
		fmt.Fprintf(&rows, "{\"prompt\": \"a%d\", \"completion\": \"%s\"}\n", i%1000, strings.Repeat("b", i%125))
	}
	read := func(threads int, seed uint64) *Report {
		return surveyed(t, "a.jsonl", strings.ReplaceAll(rows.String(), `""`, `"b"`), func(c *Checker) {
			c.Pool = simd.NewPool(threads)
			t.Cleanup(c.Pool.Close)
			c.Samples, c.Seed = 5, seed
		})
	}
	one, four, other := read(1, 1), read(4, 1), read(4, 2)
	one.Path, four.Path = "", ""
	for _, r := range []*Report{one, four} {
		for _, list := range [][]Sample{r.Rows, r.WorstRows} {
			for i := range list {
				list[i].File = ""
			}
		}
		for i := range r.Worst {
			r.Worst[i].File = ""
		}
	}
	if !reflect.DeepEqual(one, four) {
		t.Error("the report depends on the threads")
	}
	at := func(list []Sample) (lines []int) {
		for _, s := range list {
			lines = append(lines, s.Line)
		}
		return lines
	}
	if l := at(one.Rows); len(l) != 5 || !slices.IsSorted(l) || slices.Equal(l, at(other.Rows)) {
		t.Errorf("samples at %v, with another seed at %v", l, at(other.Rows))
	}
	if len(one.Worst) != worstRows || one.Duplicates == 0 {
		t.Errorf("%d worst, %d twice", len(one.Worst), one.Duplicates)
	}
}

func TestLengths(t *testing.T) {
	for _, c := range []struct {
		what string
		rows map[int]int
		want Lengths
	}{
		{"none", nil, Lengths{Histogram: []Bar{}}},
		{"one", map[int]int{7: 1}, Lengths{7, 7, 7, 7, 7, []Bar{{7, 8, 1}}, nil}},
		{"few", map[int]int{10: 50, 12: 49, 30: 1}, Lengths{11.18, 10, 12, 12, 30, []Bar{{10, 12, 50}, {12, 14, 49}, {14, 16, 0}, {16, 18, 0}, {18, 20, 0}, {20, 22, 0}, {22, 24, 0}, {24, 26, 0}, {26, 28, 0}, {28, 30, 0}, {30, 32, 1}}, nil}},
		{"a giant", map[int]int{10: 50, 12: 149, 100000: 1}, Lengths{511.44, 12, 12, 12, 100000, []Bar{{10, 11, 50}, {11, 12, 0}, {12, 13, 149}, {13, 100001, 1}}, nil}},
	} {
		got := newLengths(c.rows)
		for _, n := range []int{0, 11, 12, 99999} {
			want := 0
			for size, rows := range c.rows {
				if size > n {
					want += rows
				}
			}
			if above := got.Above(n); above != want {
				t.Errorf("%s: %d rows above %d, want %d", c.what, above, n, want)
			}
		}
		got.rows = nil
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.what, got, c.want)
		}
	}
	// Every row is in one bar, and there are never many.
	for longest := 1; longest < 200000; longest = longest*3/2 + 1 {
		rows := map[int]int{longest: 1, longest/2 + 1: 3, 1: 2}
		l := newLengths(rows)
		sum := 0
		for i, b := range l.Histogram {
			sum += b.Rows
			if i > 0 && b.From != l.Histogram[i-1].To {
				t.Errorf("longest %d: a gap before %d", longest, b.From)
			}
		}
		all := 0
		for n := range maps.Values(rows) {
			all += n
		}
		if sum != all || len(l.Histogram) > histogramBars+2 {
			t.Errorf("longest %d: %d rows in %d bars", longest, sum, len(l.Histogram))
		}
	}
}

func TestMarkers(t *testing.T) {
	tok, _ := load(t)
	m := newMarkers(tok)
	for text, want := range map[string]string{
		"": "", "a < b": "", "<|": "", "<|user": "", "é<|user|>": "<|user|>", "<<s>": "<s>", "a</s>b<s>": "</s>",
	} {
		if got := m.find(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Samples say which byte of the text each token stands for.
func TestSamplesSpellRowsOut(t *testing.T) {
	spelled := func(s Sample) string {
		var b strings.Builder
		for _, k := range s.Tokens {
			mark := map[[2]bool]string{{false, false}: "%s|", {true, false}: "[%s]", {false, true}: "(%s)", {true, true}: "[(%s)]"}[[2]bool{k.Trained, k.Special}]
			fmt.Fprintf(&b, mark, k.Text)
		}
		return b.String()
	}
	few := func(c *Checker) { c.Samples = 9 }
	r := surveyed(t, "a.jsonl", `{"prompt": "the é", "completion": "b"}`, few)
	if got, want := spelled(r.Rows[0]), "(<s>)(<|user|>)the| |é||(<|end|>)(<|assistant|>)[b][(<|end|>)]\n|"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r = surveyed(t, "a.jsonl", `{"prompt": "a", "completion": " b"}`, func(c *Checker) { few(c); plainText(c) })
	if got, want := spelled(r.Rows[0]), "(<s>)a|[ b][(</s>)]"; got != want {
		t.Errorf("without a template: got %q, want %q", got, want)
	}
	r = surveyed(t, "a.jsonl", `{"text": "abcdef"}`, func(c *Checker) { few(c); c.Options.MaxLength = 4 })
	if got, want := spelled(r.Rows[0]), "(<s>)[a][b][c]"; got != want || r.Rows[0].Lost != 4 {
		t.Errorf("cut: got %q and %d lost, want %q and 4", got, r.Rows[0].Lost, want)
	}
	r = surveyed(t, "a.txt", "abcdef", func(c *Checker) { few(c); c.Options.MaxLength = 4 })
	if len(r.Rows) != 2 || spelled(r.Rows[0]) != "(<s>)[a][b][c]" || spelled(r.Rows[1]) != "[d][e][f][(</s>)]" {
		t.Errorf("a text file: %q, %q", spelled(r.Rows[0]), spelled(r.Rows[1]))
	}
}

func TestGuessColumns(t *testing.T) {
	for _, c := range []struct{ name, rows, want string }{
		{"a.jsonl", `{"question": "q", "answer": "a"}`, "completion=answer,prompt=question"},
		{"a.csv", "query,response\nq,a\n", "completion=response,prompt=query"},
		{"a.json", `[{"body": "t"}]`, "text=body"},
		{"a.jsonl", "{\n{\"question\": \"q\", \"answer\": \"a\"}", "completion=answer,prompt=question"},
		{"a.jsonl", `{"prompt": "q", "completion": "a"}`, ""},
		{"a.jsonl", `{"this": "q", "that": "a"}`, ""},
		{"a.txt", "question, answer", ""},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.rows), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := GuessColumns(path)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %v, %v, want %s", c.rows, got, err, c.want)
		}
	}
	if _, err := GuessColumns(filepath.Join(t.TempDir(), "none.jsonl")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := GuessColumns("a.xlsx"); err == nil {
		t.Error("a parquet file was opened")
	}
}

// The report's JSON has every count under its name.
func TestReportJSON(t *testing.T) {
	text, err := json.Marshal(surveyed(t, "a.jsonl", `{"prompt": "a", "completion": "b"}`, nil))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"path", "format", "sha256", "rows", "kept", "tokens", "trained_tokens", "trained_share", "cut", "dropped", "untrained", "skipped_turns",
		"joined", "end_not_trained", "markers_in_text", "broken_text", "duplicates", "validation_rows", "lengths", "worst", "mistakes", "mistake_count", "stops",
	} {
		if _, ok := m[key]; !ok {
			t.Errorf("no %q", key)
		}
	}
}
