package model

import (
	"fmt"
	"testing"
)

func TestMicroBatches(t *testing.T) {
	for _, c := range []struct {
		lens   []int
		tokens int
		want   string
	}{
		{nil, 10, "[]"},
		{[]int{3, 4, 3, 1}, 10, "[3 1]"},
		{[]int{30, 4, 6, 1, 11, 2}, 10, "[1 2 1 1 1]"},
		{[]int{1, 1, 1}, 1, "[1 1 1]"},
	} {
		var seqs []Sequence
		for _, n := range c.lens {
			seqs = append(seqs, Sequence{IDs: make([]int32, n)})
		}
		sizes := []int{}
		for _, b := range MicroBatches(seqs, c.tokens) {
			sizes = append(sizes, len(b))
		}
		if got := fmt.Sprint(sizes); got != c.want {
			t.Errorf("%v in %d tokens: %s, want %s", c.lens, c.tokens, got, c.want)
		}
	}
}
