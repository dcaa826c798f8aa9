package strictjson

import (
	"bytes"
	"encoding/json"
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
	f, err := Parse("x.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestObjectRefuses(t *testing.T) {
	for _, test := range [][2]string{
		{"", "not a JSON object"},
		{"null", "not a JSON object"},
		{"[{}]", "not a JSON object"},
		{"\ufeff{}", "not a JSON object"},
		{"{\n\n\"a\": }", "line 3: invalid character"},
		{`{"a": NaN}`, "invalid character 'N'"},
		{`{"a": 01}`, "invalid character"},
		{`{} {}`, "invalid character"},
		{"{\n\"a\xff\": 1}", "line 2: invalid UTF-8"},
		{"{\"a\": 1,\n\"b\": 2,\n\"a\": 3}", `line 3: key "a" twice`},
		{`{"a": 1, "\u0061": 3}`, `key "a" twice`},
		{"{\"x\": [1, {\"y\": {}},\n{\"b\": 1, \"b\": 1}]}", `line 2: key "b" twice`},
	} {
		_, err := Parse("x.json", []byte(test[0]))
		if err == nil || !strings.HasPrefix(err.Error(), "x.json: ") || !strings.Contains(err.Error(), test[1]) {
			t.Errorf("%q: %v, want %q", test[0], err, test[1])
		}
	}
	parse(t, `{"a": {"b": 1}, "b": [{"b": 1}, {"b": 2}], "A": 1, "c": "a"}`) // no key twice
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
		"more keys":    {`{"a":{` + keys.String()[1:] + "}}", ""},
		"many values":  {`{"a":[` + strings.Repeat("1,", 1<<16) + "1]}", ""},
		"many objects": {`{"a":[` + strings.Repeat("{},", 1<<15) + "1]}", ""},
		"deep":         {`{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}", ""},
		"too deep":     {`{"a":` + strings.Repeat("[", 1<<18) + strings.Repeat("]", 1<<18) + "}", "exceeded max depth"},
		"open":         {strings.Repeat(`{"a":`, 1<<16), "exceeded max depth"},
		"long key":     {`{"` + strings.Repeat("a", 1<<18) + `": 0}`, ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := Parse("x.json", []byte(test.text))
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

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.json")
	if _, err := ReadFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "a folder, want a file") {
		t.Errorf("folder: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("large file: %v", err)
	}
}

// twice is noDuplicates by way of encoding/json's tokens.
func twice(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // of the enclosing objects; nil for an array
	wantKey := false
	for {
		t, err := dec.Token()
		if err != nil {
			return false
		}
		switch {
		case t == json.Delim('{'):
			open = append(open, map[string]bool{})
		case t == json.Delim('['):
			open = append(open, nil)
		case t == json.Delim('}') || t == json.Delim(']'):
			open = open[:len(open)-1]
		case wantKey:
			key := t.(string)
			if open[len(open)-1][key] {
				return true
			}
			open[len(open)-1][key] = true
			wantKey = false
			continue
		}
		wantKey = len(open) > 0 && open[len(open)-1] != nil
	}
}

func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a": [1, {"b": null}]}`, `{"a": 1, "a": 2}`, `{"\ud800": 1, "\udfff": 2}`, "{\"a\":\"\xff\"}",
		`{"\"": "\\", "a\\": "\"", "\u0022": 0}`, `{"a": {"b": [{"c": 1}, [], {}], "c": "b"}, "b": {"b": 2}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members, err := Object(data)
		if err != nil && !strings.Contains(err.Error(), "twice") {
			return
		}
		if twice(data) != (err != nil) {
			t.Fatalf("a key twice: %v, but %v", twice(data), err)
		}
		if !json.Valid(data) {
			t.Fatal("not JSON")
		}
		for k, v := range members {
			if !json.Valid(v) || strings.TrimSpace(string(v)) != string(v) {
				t.Fatalf("%q: %q", k, v)
			}
		}
	})
}
