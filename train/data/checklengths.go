package data

import (
	"maps"
	"slices"
)

// histogramBars is how many bars a histogram has at most.
const histogramBars = 12

// Lengths are the tokens of a file's rows.
type Lengths struct {
	Mean      float64 `json:"mean"`
	P50       int     `json:"p50"`
	P95       int     `json:"p95"`
	P99       int     `json:"p99"`
	Longest   int     `json:"longest"`
	Histogram []Bar   `json:"histogram"`

	rows map[int]int // by their tokens
}

// A Bar counts the rows of From tokens to below To.
type Bar struct {
	From int `json:"from"`
	To   int `json:"to"`
	Rows int `json:"rows"`
}

// newLengths sums up the rows by their length.
func newLengths(rows map[int]int) Lengths {
	l := Lengths{Histogram: []Bar{}}
	sizes := slices.Sorted(maps.Keys(rows))
	n, sum := 0, 0
	for _, size := range sizes {
		n += rows[size]
		sum += size * rows[size]
	}
	if n == 0 {
		return l
	}
	// at is the smallest length that a share of all rows does not exceed.
	at := func(percent int) int {
		seen := 0
		for _, size := range sizes {
			if seen += rows[size]; seen*100 >= n*percent {
				return size
			}
		}
		return sizes[len(sizes)-1]
	}
	l.Mean, l.rows = float64(sum)/float64(n), rows
	l.P50, l.P95, l.P99, l.Longest = at(50), at(95), at(99), sizes[len(sizes)-1]
	l.histogram(sizes, rows)
	return l
}

// histogram counts in bars of equal width 1, 2 or 5 times a power of ten. Where a
// few rows are far longer than the rest, the last bar takes them all.
func (l *Lengths) histogram(sizes []int, rows map[int]int) {
	top := l.Longest
	if top > 3*l.P99 {
		top = l.P99
	}
	first := sizes[0]
	width := 1
	for i := 0; top/width-first/width >= histogramBars; i++ {
		width = width / []int{1, 2, 5}[i%3] * []int{2, 5, 10}[i%3]
	}
	first = first / width * width
	last := top/width*width + width // beyond it, everything is one bar
	for from := first; from < last; from += width {
		l.Histogram = append(l.Histogram, Bar{From: from, To: from + width})
	}
	if l.Longest >= last {
		l.Histogram = append(l.Histogram, Bar{From: last, To: l.Longest + 1})
	}
	for _, size := range sizes {
		i := min((size-first)/width, len(l.Histogram)-1)
		l.Histogram[i].Rows += rows[size]
	}
}

// Above returns how many rows have more than n tokens.
func (l *Lengths) Above(n int) int {
	above := 0
	for size, rows := range l.rows {
		if size > n {
			above += rows
		}
	}
	return above
}
