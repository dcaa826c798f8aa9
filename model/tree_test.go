package model

import (
	"fmt"
	"testing"
)

// What rows share, and in which order it is laid: children before parents, in the order of
// the rows. A row is letters, and capitals are trained.
func TestPrefixTree(t *testing.T) {
	const a, b = "abcdefghijklmnopqrst", "uvwxyzabcdefghijklmn" // twenty tokens each
	for _, c := range []struct {
		name string
		rows []string
		want string
	}{
		{"nothing", []string{"abcX", "bcdX", "ceX"}, "0[0,4) 1[0,4) 2[0,3) "},
		{"too short a beginning", []string{"abcX", "abcY", "abcZ"}, "0[0,4) 1[0,4) 2[0,4) "},
		{"a beginning of three", []string{a + "xX", a + "yX", a + "zzX"}, "0[20,22) 1[20,22) 2[20,23) 0[0,20)+ "},
		{"too few tokens saved", []string{a + "xX", a + "yX"}, "0[0,22) 1[0,22) "},
		{
			"two groups in turn",
			[]string{a + a + "xX", b + b + "xX", a + a + "yX", b + b + "yX"},
			"0[40,42) 2[40,42) 0[0,40)+ 1[40,42) 3[40,42) 1[0,40)+ ",
		},
		{"others keep their order", []string{"xabX", a + a + "xX", "xacX", a + a + "yX"}, "0[0,4) 1[40,42) 3[40,42) 1[0,40)+ 2[0,4) "},
		{"nested", []string{a + b + b + "xX", a + b + b + "yX", a + "xX", a + "yX"}, "0[60,62) 1[60,62) 0[20,60)+ 2[20,22) 3[20,22) 0[0,20)+ "},
		{"one is the beginning of the other", []string{a + a + "X", a + a + "XyZ"}, "0[39,41) 1[39,43) 0[0,39)+ "},
		{"trained in one of them", []string{a + a + "Xyy", a + a + "xyZ"}, "0[42,43) 1[42,43) 0[0,42)+ "},
		{"equal", []string{a + a + "X", a + a + "X"}, "0[39,41) 1[39,41) 0[0,39)+ "},
	} {
		var seqs []Sequence
		for _, row := range c.rows {
			var s Sequence
			for _, r := range row {
				s.IDs = append(s.IDs, r|32)
				s.Mask = append(s.Mask, r < 'a')
			}
			seqs = append(seqs, s)
		}
		got, tokens := "", 0
		for _, n := range smol.prefixTree(seqs) {
			got += fmt.Sprintf("%d[%d,%d)", n.seq, n.from, n.to)
			if n.shared {
				got += "+"
			}
			got += " "
			tokens += n.len()
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if computed, _ := smol.SharedTokens(seqs); computed != tokens {
			t.Errorf("%s: %d tokens computed, want %d", c.name, computed, tokens)
		}
	}
}

// Rows whose rotations depend on their lengths share nothing, those beside them do.
func TestPrefixTreeOfLengths(t *testing.T) {
	c := *smol
	c.Layers = []LayerConfig{{}, {Rope: Rope{Type: "longrope", OriginalMaxPositionEmbeddings: 50}}}
	var seqs []Sequence
	for _, n := range []int{45, 51, 50, 60} {
		seqs = append(seqs, Sequence{IDs: make([]int32, n), Mask: append(make([]bool, n-1), true)})
	}
	if computed, longest := c.SharedTokens(seqs); computed != 50+51+60 || longest != 45 {
		t.Errorf("%d tokens computed, %d shared, want 161 and 45", computed, longest)
	}
}
