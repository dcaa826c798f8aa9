package report

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/train/rundir"
)

// mostMoved is how many rows are shown that gained most, and that lost most.
const mostMoved = 5

// A movedRow is a held-out row whose loss differs between the best configuration and the
// baseline, in nats per token.
type movedRow struct {
	Where  string // file:line
	Change float64
	Text   string // of the line, "" where it cannot be read any more
}

// Moved are the rows that differ most between two runs of one seed.
type Moved struct {
	Best, Baseline string
	Seed           uint64
	Gained, Lost   []movedRow
}

// moved compares the rows of the best configuration to those of the baseline, or, where
// that is the best, of the next best to it. Nil without rows in common.
func (c *Comparison) moved() *Moved {
	done := c.done()
	if len(done) < 2 || c.Baseline == nil {
		return nil
	}
	best := done[0]
	if best == c.Baseline {
		best = done[1]
	}
	for _, a := range best.Done {
		for _, b := range c.Baseline.Done {
			if a.Recipe.Seed != b.Recipe.Seed || !sameRows(a, b) {
				continue
			}
			m := &Moved{Best: best.Label, Baseline: c.Baseline.Label, Seed: a.Recipe.Seed}
			m.fill(a, b)
			return m
		}
	}
	return nil
}

// sameRows reports whether two runs were measured on the same held-out rows.
func sameRows(a, b *Run) bool {
	return len(a.HeldOut) > 1 && slices.EqualFunc(a.HeldOut, b.HeldOut, func(x, y rundir.HeldOutRow) bool {
		return x.File == y.File && x.Line == y.Line && x.Tokens == y.Tokens
	})
}

// fill finds the rows with the lowest and the highest change, a against b.
func (m *Moved) fill(a, b *Run) {
	rows := make([]movedRow, len(a.HeldOut))
	lines := map[int]string{}
	for i, x := range a.HeldOut {
		rows[i] = movedRow{Where: x.File + ":" + strconv.Itoa(x.Line), Change: (x.Nats - b.HeldOut[i].Nats) / float64(x.Tokens)}
		lines[x.Line] = ""
	}
	readLines(a, lines)
	for i, x := range a.HeldOut {
		rows[i].Text = lines[x.Line]
	}
	slices.SortStableFunc(rows, func(x, y movedRow) int { return cmp.Compare(x.Change, y.Change) })
	for i := range min(mostMoved, len(rows)) {
		if r := rows[i]; r.Change < 0 {
			m.Gained = append(m.Gained, r)
		}
		if r := rows[len(rows)-1-i]; r.Change > 0 {
			m.Lost = append(m.Lost, r)
		}
	}
}

// longestText is how much of a row is shown, in bytes.
const longestText = 400

// readLines fills in the text of lines of the file that a run's held-out rows are of. What
// cannot be read, is not made of lines, or has changed since stays empty: the page goes
// without.
func readLines(r *Run, lines map[int]string) {
	for _, file := range r.Provenance.Data.Files {
		if filepath.Base(file.Path) != r.HeldOut[0].File {
			continue
		}
		sum, err := files.SHA256(file.Path)
		if err != nil || sum != file.SHA256 || strings.EqualFold(filepath.Ext(file.Path), ".parquet") {
			return
		}
		f, err := os.Open(file.Path)
		if err != nil {
			return
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		in.Buffer(nil, 16<<20)
		for n := 1; in.Scan(); n++ {
			if _, wanted := lines[n]; wanted {
				lines[n] = strings.ToValidUTF8(in.Text()[:min(len(in.Text()), longestText)], "")
			}
		}
		return
	}
}
