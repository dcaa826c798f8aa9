package data

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// texts are the sequences of a set, as show writes them.
func texts(t *testing.T, name string, o Options) []string {
	t.Helper()
	set, tok, err := open(t, name, o, false)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i := range set.Len() {
		list = append(list, fmt.Sprintf("%d %s", set.Origin(i).Line, show(t, tok, set, i)))
	}
	return list
}

func TestTextFilesAreCutInPieces(t *testing.T) {
	for _, c := range []struct {
		in     string
		length int
		want   []string
	}{
		{"abc\n", 10, []string{"1 <s>[a][b][c][↵][</s>]"}},
		{"ab\ncd\n\nef", 4, []string{"1 <s>[a][b][↵]", "2 [c][d][↵][↵]", "4 [e][f][</s>]"}},
		{"abc", 4, []string{"1 <s>[a][b][c]"}}, // </s> alone has nothing to learn from
		{"\xef\xbb\xbfé", 3, []string{"1 <s>[\xc3][\xa9]"}},
	} {
		inFolder(t, "a.txt", c.in)
		got := texts(t, "a.txt", Options{TrainOn: "assistant", MaxLength: c.length})
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], "[�][�]", "[\xc3][\xa9]")
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q:\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

// A text of many parts has the pieces of its lines, whatever a part's size.
func TestLongTextFilesAreReadInParts(t *testing.T) {
	defer func(n int) { partSize = n }(partSize)
	partSize = 16
	inFolder(t, "a.txt", "first\nsecond line\nthird\n"+strings.Repeat("é", 20)+"\nlast")
	got := texts(t, "a.txt", Options{TrainOn: "assistant", MaxLength: 100})
	want := []string{
		"1 <s>[f][i][r][s][t][↵]", "2 [s][e][c][o][n][d][ ][l][i][n][e][↵]", "3 [th][i][r][d][↵]",
	}
	if len(got) < 5 || !slices.Equal(got[:3], want) || !strings.HasSuffix(got[len(got)-1], "[l][a][s][t][</s>]") {
		t.Errorf("got %q", got)
	}
	joined := ""
	for _, s := range got {
		_, s, _ = strings.Cut(s, " ")
		joined += s
	}
	if n := strings.Count(joined, "[�]"); n != 40 || strings.Count(joined, "<s>") != 1 || strings.Count(joined, "</s>") != 1 {
		t.Errorf("%d halves of é in %q", n, joined)
	}
}

func TestTextFilesNameMistakes(t *testing.T) {
	inFolder(t, "a.txt", " \n\n")
	_, _, err := open(t, "a.txt", Options{TrainOn: "assistant"}, false)
	expect(t, "blank", err, "a.txt: no rows", "")
	put(t, "b.txt", "a\nb\xff\nc")
	_, _, err = open(t, "b.txt", Options{TrainOn: "assistant"}, false)
	expect(t, "invalid", err, "b.txt:2: not valid UTF-8", "")
	put(t, "c.txt", "\xfe\xff\x00a")
	_, _, err = open(t, "c.txt", Options{TrainOn: "assistant"}, false)
	expect(t, "UTF-16", err, "c.txt:1: the file is UTF-16, want UTF-8", utf16Hint)
}
