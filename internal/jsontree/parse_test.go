package jsontree

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// many is an object with n members, which has an index.
func many(n int, last string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"k` + strings.Repeat("x", i) + `": [` + strings.Repeat("{},", i) + `0], `)
	}
	return "{" + b.String() + last + "}"
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		text, want string
		cause      Cause
	}{
		{"", "line 1, byte 1: the text ends, want a value", Truncated},
		{" \n", "line 2, byte 3: the text ends, want a value", Truncated},
		{"{\n\n\"a\": }", `line 3, byte 9: found "}", want a value`, Syntax},
		{"{", "line 1, byte 2: the text ends, want a key in quotes", Truncated},
		{`{"a"`, `byte 5: the text ends, want ":"`, Truncated},
		{`{"a":`, "byte 6: the text ends, want a value", Truncated},
		{`{"a":1`, `byte 7: the text ends, want "," or "}"`, Truncated},
		{`{"a":1,`, "byte 8: the text ends, want a key in quotes", Truncated},
		{"[1", `byte 3: the text ends, want "," or "]"`, Truncated},
		{"-", "byte 2: the text ends, want a digit", Truncated},
		{"1.", "byte 3: the text ends, want a digit", Truncated},
		{"1e", "byte 3: the text ends, want a digit", Truncated},
		{"tru", "byte 4: the text ends, want a value", Truncated},
		{`"ab`, "byte 1: a string is not closed", Truncated},
		{`"ab\`, "byte 4: the text ends in an escape", Truncated},
		{`"ab\u00`, "byte 4: the text ends in an escape", Truncated},
		{`"ab\"`, "byte 1: a string is not closed", Truncated},
		{`{"a": NaN}`, `byte 7: found "NaN", want a value`, Syntax},
		{`[Infinity]`, `byte 2: found "Infinity", want a value`, Syntax},
		{`[-Infinity]`, `byte 2: found "-Infinity", want a number`, Syntax},
		{`{'a': 1}`, `byte 2: found "'a'", want a key in quotes`, Syntax},
		{`{"a": True}`, `byte 7: found "True", want a value`, Syntax},
		{`[nul]`, `byte 2: found "nul", want a value`, Syntax},
		{`[01]`, `byte 2: found "01", want a number`, Syntax},
		{`[-01]`, `byte 2: found "-01", want a number`, Syntax},
		{`[+1]`, `byte 2: found "+1", want a value`, Syntax},
		{`[.5]`, `byte 2: found ".5", want a value`, Syntax},
		{`[1.]`, `byte 2: found "1.", want a number`, Syntax},
		{`[1.e3]`, `byte 2: found "1.e3", want a number`, Syntax},
		{`[1e+]`, `byte 2: found "1e+", want a number`, Syntax},
		{`[1x]`, `byte 3: found "x", want "," or "]"`, Syntax},
		{`[1,]`, `byte 4: found "]", want a value`, Syntax},
		{`{"a":1,}`, `byte 8: found "}", want a key in quotes`, Syntax},
		{`{"a" 1}`, `byte 6: found "1", want ":"`, Syntax},
		{`{1: 2}`, `byte 2: found "1", want a key in quotes`, Syntax},
		{`{"a":1 "b":2}`, `byte 8: found "\"", want "," or "}"`, Syntax},
		{"[\"a\tb\"]", `byte 4: a control character 0x09 in a string, want \u0009`, Syntax},
		{"[\x00]", `byte 2: found "\x00", want a value`, Syntax},
		{`["\q"]`, `byte 3: found "\\q", want an escape`, Syntax},
		{`["\u12g4"]`, `byte 3: found "\\u12g4", want an escape`, Syntax},
		{`["\U0041"]`, `byte 3: found "\\U0041", want an escape`, Syntax},
		{"\ufeff{}", `byte 1: found "\ufeff", want a value`, Syntax},
		{`{} {}`, `byte 4: more text after the value: "{"`, Trailing},
		{"{}\n{}", `line 2, byte 4: more text after the value: "{"`, Trailing},
		{"1 2", `byte 3: more text after the value: "2"`, Trailing},
		{"{}\x00", `byte 3: more text after the value: "\x00"`, Trailing},
		{"{\n\"a\xff\": 1}", "line 2, byte 5: invalid UTF-8", InvalidUTF8},
		{"\"\ufffd\xc3\"", "byte 5: invalid UTF-8", InvalidUTF8},
		{"\"\xed\xa0\x80\"", "byte 2: invalid UTF-8", InvalidUTF8},
		{`["a\ud800"]`, `byte 4: half a surrogate pair: \ud800`, HalfSurrogate},
		{`["\ud83d\u0041"]`, `byte 3: half a surrogate pair: \ud83d`, HalfSurrogate},
		{`["\uDE00\uD83D"]`, `byte 3: half a surrogate pair: \uDE00`, HalfSurrogate},
		{`{"\ud83d": 1}`, `byte 3: half a surrogate pair: \ud83d`, HalfSurrogate},
		{"{\"a\": 1,\n\"b\": 2,\n\"a\": 3}", `line 3, byte 18: duplicate key "a"`, DuplicateKey},
		{`{"a": 1, "\u0061": 3}`, `byte 10: duplicate key "a"`, DuplicateKey},
		{"{\"x\": [1, {\"y\": {}},\n{\"b\": 1, \"b\": 1}]}", `line 2, byte 31: duplicate key "b"`, DuplicateKey},
		{many(15, `"kx": 0`), `duplicate key "kx"`, DuplicateKey},
		{many(40, `"kx": 0`), `duplicate key "kx"`, DuplicateKey},
		{many(40, `"x": {"a": 0, "k": 0, "a": 0}`), `duplicate key "a"`, DuplicateKey},
		{`{"\u001b": 1, "\u001b": 2}`, `duplicate key "` + "\ufffd" + `"`, DuplicateKey},
		{strings.Repeat("[", 10001), "byte 10001: more than 10000 lists and objects in one another", TooLarge},
		{strings.Repeat(`{"a":`, 1<<16), "more than 10000 lists and objects in one another", TooLarge},
	} {
		_, err := Parse(test.text)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) || e.Cause != test.cause {
			t.Errorf("%.60q: cause %d of %v, want %d of %q", test.text, e.Cause, err, test.cause, test.want)
		}
	}
}

func TestParseAtMost(t *testing.T) {
	const text = `{"a": [1, 2]}` // an object, a key, a list, two numbers
	if _, err := ParseAtMost(text, 5); err != nil {
		t.Error(err)
	}
	_, err := ParseAtMost(text, 4)
	var e *Error
	if !errors.As(err, &e) || e.Cause != TooLarge || !strings.HasSuffix(e.Text, "more than 4 values and keys") || e.Offset != 10 {
		t.Errorf("%v", err)
	}
}

func TestTaken(t *testing.T) {
	for _, text := range []string{
		`{"a": {"b": 1}, "b": [{"b": 1}, {"b": 2}], "A": 1, "c": "a"}`, // no key twice
		many(15, `"a": 0`), many(16, `"a": 0`), many(17, `"a": 0`),
		strings.Repeat("[", 10000) + strings.Repeat("]", 10000),
		"\t[ ]\r\n", `"\ud83d\ude00 \uD83D\uDE00 \\ud800"`, "-0", "1E-7", "0.0e+00", "\"\ufffd\"", "\"\u2028\x7f\"",
	} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// decoded is a value as encoding/json gives it.
func decoded(v Value) any {
	switch v.Kind() {
	case Bool:
		b, _ := v.Bool()
		return b
	case Number:
		return json.Number(v.Raw())
	case String:
		s, _ := v.Str()
		return s
	case List:
		list := []any{}
		for i, item := range v.Items() {
			if i != len(list) {
				panic("items are not numbered")
			}
			list = append(list, decoded(item))
		}
		return list
	case Object:
		object := map[string]any{}
		for k, member := range v.Members() {
			if v.Get(k) != member {
				panic("Get is not the member")
			}
			object[k] = decoded(member)
		}
		return object
	}
	return nil
}

// FuzzParse: what is taken is the value that encoding/json reads; what is refused is no
// JSON to it either, or one of the mistakes it lets pass.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a": [1, {"b": null}]}`, `{"a": 1, "a": 2}`, `{"\ud800": 1, "\udfff": 2}`, "{\"a\":\"\xff\"}",
		`{"\"": "\\", "a\\": "\"", "\u0022": 0}`, `{"a": {"b": [{"c": 1}, [], {}], "c": "b"}, "b": {"b": 2}}`,
		`[-0.5e+7, true, false, "\u00e9\ud83d\ude00\n", ""] `, `[01]`, `[NaN]`, many(20, `"kx": 0`), many(20, `"y": {}`),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			e := err.(*Error)
			if e.Offset < 0 || e.Offset > len(text) || e.Line != 1+strings.Count(text[:e.Offset], "\n") {
				t.Fatalf("%v of %d bytes", err, len(text))
			}
			lenient := e.Cause >= InvalidUTF8
			if !lenient && json.Valid([]byte(text)) {
				t.Fatalf("JSON is refused: %v", err)
			}
			if e.Cause == InvalidUTF8 && utf8.ValidString(text) {
				t.Fatal(err)
			}
			return
		}
		if v.Raw() != strings.Trim(text, " \t\r\n") || text[v.Offset():v.Offset()+len(v.Raw())] != v.Raw() {
			t.Fatalf("raw text %q", v.Raw())
		}
		var want any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("taken, but: %v", err)
		}
		if got := decoded(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
	})
}
