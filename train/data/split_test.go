package data

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// taken draws from n different rows, each repeated.
func taken(n, times int, share float64, seed uint64) []int {
	d := draw{share: share, seed: seed}
	for i := range n * times {
		d.add(i, sha256.Sum256(fmt.Append(nil, "row ", i%n)))
	}
	return d.rows()
}

func TestDrawKeepsItsPromise(t *testing.T) {
	for _, c := range []struct {
		n           int
		share       float64
		least, most int
	}{
		{200, 0.05, 2, 22},
		{1000, 0.05, 25, 80},
		{20000, 0.05, 100, 100},
	} {
		rows := taken(c.n, 1, c.share, 42)
		if len(rows) < c.least || len(rows) > c.most || !slices.IsSorted(rows) {
			t.Errorf("%d rows at %v: %d", c.n, c.share, len(rows))
		}
	}
}

// The rows of a seed are pinned: a change of them changes every run that makes its
// own validation rows.
func TestDrawIsPinned(t *testing.T) {
	if got, want := taken(200, 1, 0.03, 42), []int{49, 68, 77, 86, 89, 105, 179, 191}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDrawDependsOnContentAlone(t *testing.T) {
	small, large, other := taken(1000, 1, 0.05, 42), taken(1200, 1, 0.05, 42), taken(1000, 1, 0.05, 43)
	for _, row := range small {
		if !slices.Contains(large, row) {
			t.Errorf("row %d is no longer for validation after rows were added", row)
		}
	}
	if slices.Equal(small, other) {
		t.Error("another seed chose the same rows")
	}
}

func TestDrawKeepsEqualRowsTogether(t *testing.T) {
	rows := taken(3000, 2, 0.5, 42) // every row twice, and more than the cap
	if len(rows) == 0 || len(rows) > splitMost {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		if !slices.Contains(rows, (row+3000)%6000) {
			t.Errorf("row %d was taken, and not its twin", row)
		}
	}
}

// numbered are n rows of text.
func numbered(from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"text\": \"row %d\"}\n", from+i)
	}
	return b.String()
}

func TestSplitTakesASetApart(t *testing.T) {
	set, _, err := encode(t, numbered(0, 1000), Options{TrainOn: "assistant"}, false)
	if err != nil {
		t.Fatal(err)
	}
	train, valid, err := set.Split(0.05, 42)
	if err != nil {
		t.Fatal(err)
	}
	if train.Len()+valid.Len() != 1000 || train.Stats.Rows+valid.Stats.Rows != 1000 || valid.Len() != valid.Stats.Kept {
		t.Errorf("%d and %d rows, %+v, %+v", train.Len(), valid.Len(), train.Stats, valid.Stats)
	}
	seen := map[int]bool{}
	for _, part := range []*Set{train, valid} {
		last := 0
		for i := range part.Len() {
			line := part.Origin(i).Line
			if line <= last || seen[line] {
				t.Fatalf("line %d after %d, or twice", line, last)
			}
			last, seen[line] = line, true
			if q := sequence(t, part, i); !slices.Equal(q.IDs, sequence(t, set, line-1).IDs) {
				t.Fatalf("line %d has the tokens of another", line)
			}
		}
	}
	for _, c := range []struct {
		rows  int
		share float64
	}{{199, 0.5}, {1000, 0}} {
		set, _, err := encode(t, numbered(0, c.rows), Options{TrainOn: "assistant"}, false)
		if err != nil {
			t.Fatal(err)
		}
		if train, valid, err := set.Split(c.share, 42); err != nil || valid != nil || train.Len() != c.rows {
			t.Errorf("%d rows at %v: %v, %v", c.rows, c.share, valid, err)
		}
	}
}

// The tokens of both parts are pinned too.
func TestSplitIsPinned(t *testing.T) {
	var in strings.Builder
	for i := range 300 {
		fmt.Fprintf(&in, "{\"prompt\": \"the bat %d\", \"completion\": \"the ball\"}\n", i)
	}
	set, _, err := encode(t, in.String(), Options{TrainOn: "assistant"}, true)
	if err != nil {
		t.Fatal(err)
	}
	train, valid, err := set.Split(0.1, 7)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		set    *Set
		rows   int
		digest string
	}{
		{train, 264, "a1820606b889775a1df548705c62c36daa0337ee0a17df10b31192bc8b96116b"},
		{valid, 36, "50787e078a28f41be800e60ceff3e057321303c7f101fe9a55a08a0bda467455"},
	} {
		if got := digest(t, c.set); got != c.digest || c.set.Len() != c.rows {
			t.Errorf("part %d: %d rows, digest %s, want %d, %s", i, c.set.Len(), got, c.rows, c.digest)
		}
	}
}

func TestSharedRowsAreCounted(t *testing.T) {
	inFolder(t, "a.jsonl", numbered(0, 10)+numbered(0, 1))
	put(t, "b.jsonl", numbered(5, 15))
	a, _, err := open(t, "a.jsonl", Options{TrainOn: "assistant"}, false)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := open(t, "b.jsonl", Options{TrainOn: "assistant"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := a.Shared(b); n.Rows != 5 || err != nil {
		t.Errorf("%d, %v, want 5", n.Rows, err)
	}
}
