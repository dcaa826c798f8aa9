package data

import (
	"crypto/sha256"
	"fmt"
	"testing"
)

func numbered(n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i].Line, rows[i].Digest = i+1, sha256.Sum256(fmt.Append(nil, "row ", i))
	}
	return rows
}

func lines(rows []Row) map[int]bool {
	m := make(map[int]bool)
	for _, r := range rows {
		m[r.Line] = true
	}
	return m
}

func TestSplitKeepsItsPromise(t *testing.T) {
	for _, c := range []struct {
		n           int
		share       float64
		least, most int
	}{
		{199, 0.05, 0, 0},
		{200, 0.05, 2, 22},
		{1000, 0.05, 25, 80},
		{1000, 0, 0, 0},
		{20000, 0.05, 100, 100},
	} {
		train, valid := Split(numbered(c.n), c.share, 42)
		if len(valid) < c.least || len(valid) > c.most || len(train)+len(valid) != c.n {
			t.Errorf("%d rows at %v: %d and %d", c.n, c.share, len(train), len(valid))
		}
		for _, part := range [][]Row{train, valid} {
			for i := 1; i < len(part); i++ {
				if part[i].Line <= part[i-1].Line {
					t.Fatalf("%d rows: out of order at %d", c.n, i)
				}
			}
		}
	}
}

func TestSplitDependsOnContentAlone(t *testing.T) {
	_, small := Split(numbered(1000), 0.05, 42)
	_, large := Split(numbered(1200), 0.05, 42)
	_, other := Split(numbered(1000), 0.05, 43)
	kept, moved := lines(large), 0
	for line := range lines(small) {
		if !kept[line] {
			t.Errorf("row %d is no longer for validation after rows were added", line)
		}
	}
	for line := range lines(other) {
		if !lines(small)[line] {
			moved++
		}
	}
	if moved == 0 {
		t.Error("another seed chose the same rows")
	}
}

func TestSplitKeepsEqualRowsTogether(t *testing.T) {
	rows := append(numbered(3000), numbered(3000)...) // every row twice, and more than the cap
	train, valid := Split(rows, 0.5, 42)
	if n := Shared(train, valid); n != 0 || len(valid) == 0 || len(valid) > splitMost {
		t.Errorf("%d of %d rows stand on both sides", n, len(valid))
	}
	if n := Shared(rows[:10], rows[3005:3020]); n != 5 {
		t.Errorf("Shared: %d, want 5", n)
	}
}
