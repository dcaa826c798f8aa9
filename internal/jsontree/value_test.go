package jsontree

import (
	"slices"
	"testing"
)

func TestTheOrderAndTheTextAreKept(t *testing.T) {
	text := ` {"z": 1.50, "a": [ 1 , 2 ], "\u006d": {"x":{}}, "n": null}`
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var keys, raws []string
	for k, member := range v.Members() {
		keys, raws = append(keys, k), append(raws, member.Raw())
		if at := member.Offset(); text[at:at+len(member.Raw())] != member.Raw() {
			t.Errorf("%s begins at %d", k, at)
		}
	}
	if !slices.Equal(keys, []string{"z", "a", "m", "n"}) || !slices.Equal(raws, []string{"1.50", "[ 1 , 2 ]", `{"x":{}}`, "null"}) {
		t.Errorf("%q: %q", keys, raws)
	}
	for range v.Members() {
		break
	}
	if v.Len() != 4 || v.Get("a").Len() != 2 || v.Get("z").Len() != 0 || v.Get("m").Get("x").Kind() != Object {
		t.Error("Len, Get")
	}
	if !v.Has("z") || v.Has("n") || v.Has("none") || v.Get("n").Kind() != Null || v.Get("none").Kind() != Absent {
		t.Error("Has, null and absent")
	}
}

func TestAbsent(t *testing.T) {
	v := Value{}.Get("a").Get("b")
	if v.Kind() != Absent || !v.IsNull() || v.Raw() != "" || v.Offset() != 0 || v.Len() != 0 || v.Kind().String() != "nothing" {
		t.Errorf("%+v", v)
	}
	for range v.Members() {
		t.Error("a member of nothing")
	}
	for range v.Items() {
		t.Error("an item of nothing")
	}
	_, err := v.Str()
	expect(t, err, "nothing, want a string")
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestTypedValues(t *testing.T) {
	v, err := Parse(`{"i": -7, "f": 1e-5, "b": true, "s": "\u00e9\ud83d\ude00\/\n\"", "l": [], "n": null, "big": 9223372036854775808, "huge": 1e999}`)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := v.Get("i").Int(); n != -7 || err != nil {
		t.Errorf("Int: %d, %v", n, err)
	}
	if x, err := v.Get("f").Float(); x != 1e-5 || err != nil {
		t.Errorf("Float: %v, %v", x, err)
	}
	if b, err := v.Get("b").Bool(); !b || err != nil {
		t.Errorf("Bool: %v, %v", b, err)
	}
	if s, err := v.Get("s").Str(); s != "é😀/\n\"" || err != nil {
		t.Errorf("Str: %q, %v", s, err)
	}
	_, err = v.Get("f").Int()
	expect(t, err, "1e-5, want an integer")
	_, err = v.Get("big").Int()
	expect(t, err, "9223372036854775808, want an integer")
	_, err = v.Get("huge").Float()
	expect(t, err, "1e999, want a number")
	_, err = v.Get("l").Str()
	expect(t, err, "a list, want a string")
	_, err = v.Get("s").Bool()
	expect(t, err, "a string, want true or false")
	_, err = v.Get("n").Float()
	expect(t, err, "null, want a number")
}
