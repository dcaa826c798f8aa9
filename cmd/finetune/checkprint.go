package main

import (
	"fmt"
	"strings"

	"example.com/finetune/train/data"
)

const (
	plotWidth = 40 // columns of the longest bar
	plotFrom  = 10 // rows: fewer make no distribution
)

// printPage writes the report of every file.
func printPage(u *ui, p *checkPage) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s    %s: %s\n", u.bold("model"), p.Model, settingsLine(p))
	for _, f := range p.Files {
		fmt.Fprintf(&b, "\n%s  %s\n", u.bold(f.Path), useText[f.Use])
		for _, fact := range facts(p, f) {
			label := fmt.Sprintf("  %-10s", fact.Label)
			if fact.Odd {
				label = u.yellow(label)
			}
			fmt.Fprintf(&b, "%s %s\n", label, fact.Text)
		}
		printHistogram(&b, f.Lengths.Histogram)
		printWorst(&b, u, f.Report)
		printMistakes(&b, u, f.Report)
	}
	fmt.Fprintf(&b, "\n%s\n", u.bold(verdict(p)))
	for _, s := range p.Stops {
		fmt.Fprintf(&b, "  %s\n", oneLine(s.Text))
	}
	return u.printf("%s", b.String())
}

// useText says what a file is for.
var useText = map[string]string{"train": "training", "valid": "validation", "test": "test"}

// eighths are the ends of a bar.
var eighths = []rune(" ▏▎▍▌▋▊▉█")

// distribution returns the rows of the longest bar, or 0 where there are too few rows
// to draw.
func distribution(bars []data.Bar) (most int) {
	all := 0
	for _, bar := range bars {
		most, all = max(most, bar.Rows), all+bar.Rows
	}
	if all < plotFrom {
		return 0
	}
	return most
}

// printHistogram draws the lengths of rows.
func printHistogram(b *strings.Builder, bars []data.Bar) {
	most := distribution(bars)
	if most == 0 {
		return
	}
	b.WriteString("\n  tokens a row\n")
	for _, bar := range bars {
		n := (bar.Rows*plotWidth*8 + most - 1) / most // eighths of a column; a row at all shows
		drawn := strings.Repeat("█", n/8)
		if n%8 > 0 {
			drawn += string(eighths[n%8])
		}
		line := fmt.Sprintf("  %13s  %s %s", barLabel(bar), drawn, count(bar.Rows))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func barLabel(bar data.Bar) string {
	if bar.To == bar.From+1 {
		return count(bar.From)
	}
	return count(bar.From) + "–" + count(bar.To-1)
}

// printWorst lists the rows to look at.
func printWorst(b *strings.Builder, u *ui, r *data.Report) {
	if len(r.Worst) == 0 {
		return
	}
	fmt.Fprintf(b, "\n  %s\n", u.yellow("rows to look at"))
	for _, w := range r.Worst {
		fmt.Fprintf(b, "  %v: %s\n", w.Origin, oneLine(strings.Join(w.Why, "; ")))
	}
}

// printMistakes lists the first mistakes, each with its hint.
func printMistakes(b *strings.Builder, u *ui, r *data.Report) {
	if r.MistakeCount == 0 {
		return
	}
	head := many(r.MistakeCount, "mistake")
	if n := len(r.Mistakes); n < r.MistakeCount {
		head += fmt.Sprintf(", the first %d", n)
	}
	fmt.Fprintf(b, "\n  %s\n", u.red(head))
	last := ""
	for _, m := range r.Mistakes {
		fmt.Fprintf(b, "  %s\n", oneLine(m.Text))
		if m.Hint != last { // the same advice is given once
			printHint(b, m.Hint)
		}
		last = m.Hint
	}
}

func printHint(b *strings.Builder, hint string) {
	if hint != "" {
		fmt.Fprintf(b, "    hint: %s\n", hint)
	}
}
