package mistakes

import "testing"

func TestErr(t *testing.T) {
	var l List
	if err := l.Err("x"); err != nil || l.Len() != 0 {
		t.Errorf("%v of an empty list", err)
	}
	want := "x: no 0"
	for i := range 10 {
		if l.Addf("no %d", i); i > 0 {
			want += "\nx: no " + string(rune('0'+i))
		}
		if got := l.Err("x").Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	l.Addf("eleven")
	l.Addf("twelve")
	for range 2 { // telling changes nothing
		if got := l.Err("x").Error(); got != want+"\nx: and 2 more mistakes" || l.Len() != 12 {
			t.Errorf("got %q of %d", got, l.Len())
		}
	}
}
