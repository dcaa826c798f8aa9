package jsontree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) *Fields {
	t.Helper()
	f, err := ParseFields("x.json", text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseFieldsNamesTheFile(t *testing.T) {
	for text, want := range map[string]string{
		"null":                             "x.json: null, want an object",
		"[{}]":                             "x.json: a list, want an object",
		"":                                 "x.json: line 1, byte 1: the text ends, want a value",
		"{\"a\": 1,\n\"b\": 2,\n\"a\": 3}": `x.json: line 3, byte 18: duplicate key "a"`,
	} {
		if _, err := ParseFields("x.json", text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	f := parse(t, `{"i": 7, "f": 1e-5, "b": true, "s": "x", "l": ["p", "q"], "n": null, "one": 2, "more": [2, 3], "o": {"i": 8}}`)
	if f.Int("i", 0, 0, 9) != 7 || f.Int("none", 5, 0, 9) != 5 || f.Int("n", 6, 0, 9) != 6 {
		t.Error("Int")
	}
	if f.Float("f", 0) != 1e-5 || f.Float("i", 0) != 7 || f.Positive("none", 3) != 3 {
		t.Error("Float")
	}
	if !f.Bool("b", false) || !f.Bool("n", true) {
		t.Error("Bool")
	}
	if f.Text("s", "") != "x" || f.Text("n", "y") != "y" {
		t.Error("Text")
	}
	if !slices.Equal(f.Texts("l"), []string{"p", "q"}) || f.Texts("n") != nil {
		t.Error("Texts")
	}
	if !slices.Equal(f.Integers("one", 0, 9), []int{2}) || !slices.Equal(f.Integers("more", 0, 9), []int{2, 3}) || f.Integers("n", 0, 9) != nil {
		t.Error("Integers")
	}
	if f.Nested("o").Int("i", 0, 0, 9) != 8 || f.Nested("n") != nil {
		t.Error("Nested")
	}
	if f.Absent("n") || !f.Absent("none") || f.Has("n") || f.Raw("none") != "null" {
		t.Error("Absent, Has, Raw")
	}
	if err := f.Err(); err != nil {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	f := parse(t, `{"a": 1.0, "b": 11, "c": "1e3", "d": -1, "e": 1, "f": "true", "g": ["x", null], "h": [1, 2.5], "i": [], "o": {"z": 1}}`)
	f.Int("a", 0, 0, 9)
	f.Int("b", 0, 0, 9)
	f.Float("c", 0)
	f.Positive("d", 0)
	f.Bool("f", false)
	f.Texts("g")
	f.Integers("h", 0, 9)
	f.Nested("i")
	f.Nested("o").Text("z", "")
	f.Need("e", "none")
	want := []string{
		"a is 1.0, want an integer from 0 to 9",
		"b is 11, want an integer from 0 to 9",
		`c is "1e3", want a number`,
		"d is -1, want a number above 0",
		`f is "true", want true or false`,
		`g is ["x", null], want a list of strings`,
		"h is [1, 2.5], want an integer from 0 to 9, or a list of them",
		"i is [], want an object",
		"o.z is 1, want a string",
		"none is missing",
	}
	if err := f.Err(); err == nil || err.Error() != "x.json: "+strings.Join(want, "\nx.json: ") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	f.Positive("c", 0)
	f.Wrong("a", strings.Repeat("w", 5))
	if err := f.Err(); !strings.HasSuffix(err.Error(), "\nx.json: and 2 more mistakes") {
		t.Errorf("twelve mistakes: %v", err)
	}
}

// TestErrorsStayLegible: what is long is cut, and nothing reaches a terminal that it
// would obey.
func TestErrorsStayLegible(t *testing.T) {
	long := strings.Repeat("ü", 1000)
	f := parse(t, `{"a": "`+long+`", "`+long+`": 1, "b\u001b[2J\n": "\u009b", "c": [1,`+"\n"+`2]}`)
	f.Int("a", 0, 0, 1)
	f.Text(long, "")
	f.Int("b\x1b[2J\n", 0, 0, 1)
	f.Int("c", 0, 0, 1)
	f.Need(long + "!")
	got := f.Err().Error()
	if len(got) > 700 || strings.ContainsAny(got, "\x1b\u009b") || strings.Count(got, "\n") != 4 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if want := "x.json: c is [1, 2], want"; !strings.Contains(got, want) {
		t.Errorf("%q, want %q in it", got, want)
	}
}

// TestMemory: what a file makes the reader allocate is a small multiple of it.
func TestMemory(t *testing.T) {
	var keys strings.Builder
	for i := range 1 << 14 {
		fmt.Fprintf(&keys, `,"%x":0`, i)
	}
	for what, test := range map[string]struct{ text, want string }{
		"many keys":    {"{" + keys.String()[1:] + "}", ""},
		"nested keys":  {`{"a":{` + keys.String()[1:] + "}}", ""},
		"many values":  {`{"a":[` + strings.Repeat("1,", 1<<16) + "1]}", ""},
		"many objects": {`{"a":[` + strings.Repeat("{},", 1<<15) + "1]}", ""},
		"deep":         {`{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}", ""},
		"too deep":     {`{"a":` + strings.Repeat("[", 1<<18) + strings.Repeat("]", 1<<18) + "}", "more than 10000 lists and objects"},
		"open":         {strings.Repeat(`{"a":`, 1<<16), "more than 10000 lists and objects"},
		"long key":     {`{"` + strings.Repeat("a", 1<<18) + `": 0}`, ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := ParseFields("x.json", test.text)
		if err == nil {
			for _, k := range f.Keys() {
				f.Text(k, "") // a mistake for each
			}
			f.Nested("a")
			f.Texts("a")
			f.Integers("a", 0, 9)
			_ = f.Err()
		}
		runtime.ReadMemStats(&after)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
		if n := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(test.text)); n > 200 {
			t.Errorf("%s: %.0f bytes allocated for each of the file", what, n)
		}
	}
}

func TestReadFields(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.json")
	if _, err := ReadFields(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := ReadFields(dir); err == nil || !strings.Contains(err.Error(), "a folder, want a file") {
		t.Errorf("folder: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFields(path); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("large file: %v", err)
	}
}
