package data

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestTablesAreRead(t *testing.T) {
	in := "\xef\xbb\xbfprompt, completion,id\r\n" +
		"2+2=,4,1\r\n" +
		"\"say \"\"hi\"\",\nand <go>\",\"hi\",\r\n" +
		"\r\n" +
		"c,d,3"
	rows, file, err := read("train.csv", strings.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || file.Format != PromptCompletion {
		t.Fatalf("%d rows of %v", len(rows), file.Format)
	}
	for i, want := range []string{"2: 2+2=|4", "3: say \"hi\",\nand <go>|hi", "6: c|d"} {
		if got := fmt.Sprintf("%d: %s|%s", rows[i].Line, rows[i].Prompt, rows[i].Text); got != want {
			t.Errorf("row %d: %q, want %q", i, got, want)
		}
	}
}

// A line's end within a quoted cell is the cell's own, as pandas and pyarrow have it; around
// it, it ends the record.
func TestTablesKeepTheLinesOfTheirCells(t *testing.T) {
	in := "prompt,\"completion\"\r\n\"a\r\nb\",\"c\rd\r\r\n\"\r\n\"say \"\"\r\n\"\"\",e\nf,\"g\nh\"\r\n"
	rows, _, err := read("train.csv", strings.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.Prompt+"|"+r.Text)
	}
	if want := []string{"a\r\nb|c\rd\r\r\n", "say \"\r\n\"|e", "f|g\nh"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever the quotes, a table is read as package csv reads it but for the ends of lines.
func TestCellsFollowPackageCSV(t *testing.T) {
	all := func(in io.Reader, end string) (list []string) {
		r := csv.NewReader(in)
		for {
			record, err := r.Read()
			if errors.Is(err, io.EOF) {
				return list
			}
			if wrong := new(csv.ParseError); errors.As(err, &wrong) { // whose column may be behind a CR
				err = fmt.Errorf("parse error in line %d: %w", wrong.Line, wrong.Err)
			}
			list = append(list, strings.ReplaceAll(fmt.Sprintf("%q %v", record, err), end, `\n`))
		}
	}
	rng, whole := rand.New(rand.NewPCG(11, 12)), 0
	for range 50000 {
		text := make([]byte, rng.IntN(24))
		for i := range text {
			text[i] = "a,\"\"\r\n\n"[rng.IntN(7)]
		}
		in := strings.ReplaceAll(string(text), "\n\n", "\r\n")
		want := all(strings.NewReader(in), `\n`)
		if got := all(&cells{in: bufio.NewReader(strings.NewReader(in))}, `\r\n`); !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", in, got, want)
		}
		if strings.Contains(in, "\"\r\n") && !strings.Contains(strings.Join(want, ""), "parse error") {
			whole++
		}
	}
	if whole < 500 {
		t.Errorf("%d tables without a mistake, too few", whole)
	}
}

func TestTablesNameMistakes(t *testing.T) {
	const header = "prompt,completion\n"
	const quote = `write "say ""hi""" for: say "hi"`
	for _, c := range []mistake{
		{"", "train.csv: no rows", ""},
		{header, "train.csv: no rows", ""},
		{header + "a,b\na\n", "train.csv:3: 1 fields, the header has 2", ""},
		{header + "\"x\ny\",b\na,b,c\n", "train.csv:4: 3 fields, the header has 2", ""},
		{header + "a,say \"hi\"\n", "train.csv:2: a quote within a field that has none around it, at column 7 of line 2", quote},
		{header + "a,\"say\"hi\n", "train.csv:2: a quoted field that does not end as it should, at column 7 of line 2", quote},
		{header + "a,b\na,\"b\nc,d\n", "train.csv:3: a quoted field that does not end as it should, at column 5 of line 4", quote},
		{header + "a,\xff\n", `train.csv:2: column "completion" is not valid UTF-8`, ""},
		{header + "a,\n", `train.csv:2: "completion" is empty`, ""},
		{"question,answer\na,b\n", "train.csv:2: neither", "--map prompt=question,completion=answer"},
		{"a,b\r1,2\r", "train.csv:1: the header: lines end in CR alone, want LF", `write it again with LF: tr '\r' '\n' < OLD > NEW`},
		{"a, a\n1,2\n", `train.csv:1: the header: two columns are named "a"`, ""},
		{"a;b\n1;2\n", `train.csv:1: the header: one column, named "a;b": want a header with commas between the names`, ""},
		{"\"a\n", "train.csv:1: the header: a quoted field that does not end as it should", quote},
		{
			"a,\"messages\"\n1,[]\n", `train.csv:2: "messages" is a string, want a list of messages`,
			`the list is spelled out in a text; pandas reads it: df["messages"] = df["messages"].map(json.loads), and then df.to_json("rows.jsonl", orient="records", lines=True)`,
		},
		{"\xff\xfea\x00", "train.csv:1: the file is UTF-16, want UTF-8", utf16Hint},
	} {
		_, _, err := read("train.csv", strings.NewReader(c.in), nil)
		expect(t, fmt.Sprintf("%q", c.in), err, c.want, c.hint)
	}
}

func TestListsAreReadElementByElement(t *testing.T) {
	in := " \n[ {\"text\": \"a, ]}\\\"\"}\n,\n{\"text\":\n\"b\", \"x\": [[1], {}]}\r\n]\n\n"
	rows, _, err := read("train.json", strings.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Text != `a, ]}"` || rows[0].Line != 2 || rows[1].Text != "b" || rows[1].Line != 4 {
		t.Errorf("%+v", rows)
	}
	const missing = "an element of the list is missing: two commas, or one at its end"
	for _, c := range []struct{ in, want string }{
		{"[{\"text\": \"a\"},\n{\"text\": }, {\"text\": 1}]", "train.json:2: not valid JSON at byte 10: found \"}\", want a value\ntrain.json:2: \"text\" is 1, want a string"},
		{"[{\"text\": \"a\"}\n", "train.json:2: not valid JSON: unexpected end of the list"},
		{"[{\"text\": \"a\"}, {\"text\": \"b\n", "train.json:2: not valid JSON: unexpected end of the list"},
		{"[{\"text\": \"a\"}]\n]", "train.json:2: more text after the list"},
		{"[{\"text\": \"a\"},\n]", "train.json:2: " + missing},
		{"[{\"text\": \"a\"},\n,{\"text\": \"b\"}]", "train.json:2: " + missing},
		{"[{\"text\": \"a\"}\n{\"text\": \"b\"}]", "train.json:2: not valid JSON at byte 1: more text after the value: \"{\""},
		{"[1, null]", "train.json:1: 1, want an object\ntrain.json:1: null, want an object"},
		{"[{\"text\": \"\xff\"}]", "train.json:1: not valid UTF-8 at byte 11"},
		{"[]", "train.json: no rows"},
		{"[", "train.json:1: not valid JSON: unexpected end of the list"},
		{"", "train.json: no rows"},
	} {
		_, _, err := read("train.json", strings.NewReader(c.in), nil)
		expect(t, c.in, err, c.want, "")
	}
}

// What is not read as it was meant says how it is read.
func TestFilesOfAnotherShape(t *testing.T) {
	for _, c := range []struct{ name, in, want, hint string }{
		{"a.json", "{\n\"rows\": []\n}", "a.json:1: an object over several lines, want one row a line", "write one object a line: jq -c . FILE > rows.jsonl"},
		{"a.json", `{"rows": []}`, `a.json:1: neither "messages"`, ""},
		{"a.jsonl", "[\n{\"text\": \"a\"}\n]", "a.jsonl:1: not valid JSON at byte 2: the text ends, want a value\na.jsonl:3: ", "a file that is one list of rows is named .json"},
		{"a.jsonl", `[{"text": "a"}]`, "a.jsonl:1: a list, want an object", "a file that is one list of rows is named .json"},
	} {
		_, _, err := read(c.name, strings.NewReader(c.in), nil)
		expect(t, c.in, err, c.want, c.hint)
	}
}

// A failing reader ends every kind of file.
func TestReadErrorsEndTheWalk(t *testing.T) {
	for name, start := range map[string]string{
		"a.jsonl": "{\"text\": \"a\"}\n{", "a.json": "[{\"text\": \"a\"},", "a.csv": "text\na\n", "a.txt": "abc",
	} {
		_, _, err := read(name, io.MultiReader(strings.NewReader(start), broken{}), nil)
		expect(t, name, err, "the disk is gone", "")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, fmt.Errorf("the disk is gone") }

// zeros is n times one byte.
type zeros struct {
	n int
	c byte
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(z.n, len(p))
	for i := range p[:n] {
		p[i] = z.c
	}
	z.n -= n
	return n, nil
}

// A text without end is a mistake, and is not kept in memory.
func TestAbsurdlyLongRowsAreMistakes(t *testing.T) {
	defer func(n int) { longestRow = n }(longestRow)
	longestRow = 1 << 20
	text := func(s string) io.Reader { return strings.NewReader(s) }
	for name, c := range map[string]struct {
		in   io.Reader
		want string
	}{
		"a.jsonl": {io.MultiReader(text(`{"text": "`), &zeros{5 << 20, 'a'}, text("\"}\n{\"text\": 1}\n")), "a.jsonl:1: longer than 1 MB: want one JSON object a line\na.jsonl:2: \"text\" is 1"},
		"b.jsonl": {io.MultiReader(text("{\"text\": \"a\"}\n"), &zeros{5 << 20, 'a'}), "b.jsonl:2: longer than 1 MB"},
		"a.json":  {io.MultiReader(text(`[{"text": "`), &zeros{5 << 20, 'a'}, text("\"},\n{\"text\": 1}]")), "a.json:1: longer than 1 MB: one element of the list\na.json:2: \"text\" is 1"},
		"a.csv":   {io.MultiReader(text("text\nb\n\""), &zeros{5 << 20, 'a'}), "a.csv: after line 2: longer than 1 MB: a quote may not be closed"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := read(name, c.in, nil)
		runtime.ReadMemStats(&after)
		expect(t, name, err, c.want, "")
		if grown := int64(after.Sys) - int64(before.Sys); grown > 32<<20 {
			t.Errorf("%s: %d MB more memory", name, grown>>20)
		}
	}
}

func TestDeepNestingIsAMistake(t *testing.T) {
	deep := `{"text": "a", "x": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "}"
	_, _, err := read("train.jsonl", strings.NewReader(deep), nil)
	expect(t, "deep", err, "train.jsonl:1: not valid JSON", "")
}
