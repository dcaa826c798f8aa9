package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/train/sweep"
)

// conclude puts into words what the numbers show and what they do not.
func (c *Comparison) conclude() {
	done := c.done()
	if len(done) == 0 {
		c.limitf("No run is finished: there is nothing to compare yet.")
		c.limitMissing()
		return
	}
	best := done[0]
	c.findingf("%s has the lowest %s: %s.", best.Label, c.lossName(), spread(best))
	if c.named > 1 {
		c.findingf("The baseline is the best of the %d configurations that are named as such.", c.named)
	}
	if best != c.Baseline && best.Against != nil {
		c.findingf("Against the baseline, %s, its loss is %s: %s.", c.Baseline.Label, change(best.Against), verdict(best.Against))
	} else if best == c.Baseline && len(done) > 1 {
		c.findingf("That is the baseline: nothing that was tried is better on average.")
	}
	if len(done) > 1 && done[1] != c.Baseline {
		if d := Differ(best, done[1]); d.Known() {
			c.findingf("The next best, %s, is %s: %s.", done[1].Label, change(d.reversed()), verdict(d))
		}
	}
	c.concludeAnswers(done)
	if c.Baseline == nil {
		c.limitf("No run of the baseline is finished: nothing is compared to it.")
	}
	c.limitSeeds(done)
	c.limitEdges(best)
	c.limitLength(done)
	if n := len(done) - 1; n >= 5 {
		c.limitf("Of %d intervals of 95 %%, one in twenty leaves 0 out by chance.", n)
	}
	if c.Validated && len(done) > 1 {
		c.limitf("The best was chosen on the rows it is judged by, so it looks a little better than it is: measure it once more with finetune eval on test rows.")
	}
	c.limitData()
	c.limitMissing()
}

// concludeAnswers says which configuration answers best, and whether better than the baseline.
func (c *Comparison) concludeAnswers(done []*Configuration) {
	scored := slices.DeleteFunc(slices.Clone(done), func(g *Configuration) bool { return g.Right.Runs == 0 })
	if len(scored) == 0 {
		return
	}
	best := slices.MaxFunc(scored, func(a, b *Configuration) int { return cmp.Compare(a.Right.Mean, b.Right.Mean) })
	c.findingf("%s has the most right answers: %s, and the base model %.1f %%.", best.Label, best.Right.share(), 100*best.Right.Base)
	switch d := best.Answers; {
	case d != nil:
		c.findingf("Against the baseline that is %s: %s.", changeOfAnswers(d), verdict(d))
	case best == c.Baseline && len(scored) > 1:
		c.findingf("That is the baseline: nothing that was tried answers better.")
	}
	if best != done[0] && done[0].Right.Runs > 0 && done[0].Right.Mean < best.Right.Mean {
		c.limitf("The lowest loss and the most right answers are of different configurations: what a user gets is the answers, and their intervals are wider.")
	}
}

// changeOfAnswers says a difference of accuracies in words.
func changeOfAnswers(d *Difference) string {
	word := "more"
	if d.Mean < 0 {
		word = "fewer"
	}
	text := fmt.Sprintf("%.1f %% %s", 100*math.Abs(d.Mean), word)
	if d.Known() {
		text += fmt.Sprintf(" (95 %%: %+.1f to %+.1f)", 100*d.Low, 100*d.High)
	}
	return text
}

func (c *Comparison) findingf(format string, args ...any) {
	c.Findings = append(c.Findings, fmt.Sprintf(format, args...))
}

func (c *Comparison) limitf(format string, args ...any) {
	c.Limits = append(c.Limits, fmt.Sprintf(format, args...))
}

// done lists the configurations with a result.
func (c *Comparison) done() (list []*Configuration) {
	for _, g := range c.Configurations {
		if len(g.Done) > 0 {
			list = append(list, g)
		}
	}
	return list
}

func (c *Comparison) lossName() string {
	if c.Validated {
		return "validation loss"
	}
	return "training loss"
}

func spread(g *Configuration) string {
	if len(g.Done) == 1 {
		return fmt.Sprintf("%.4f, of one seed", g.Mean)
	}
	return fmt.Sprintf("%.4f ± %.4f over %s", g.Mean, g.SD, Many(len(g.Done), "seed"))
}

// change says a difference in words.
func change(d *Difference) string {
	word := "lower"
	if d.Mean > 0 {
		word = "higher"
	}
	text := fmt.Sprintf("%.4f %s", math.Abs(d.Mean), word)
	if d.Known() {
		text += fmt.Sprintf(" (%s)", intervalText(d))
	}
	return text
}

func intervalText(d *Difference) string { return fmt.Sprintf("95 %%: %+.4f to %+.4f", d.Low, d.High) }

func verdict(d *Difference) string {
	switch {
	case !d.Known():
		return "of one seed, without an interval"
	case !d.Clear():
		return "the interval holds 0, so these runs do not tell them apart"
	case d.ByRows:
		return "clear over the held-out rows of this seed, which says nothing about other seeds"
	}
	return "clear over " + Many(d.Pairs, "seed")
}

// limitSeeds says where there are too few seeds.
func (c *Comparison) limitSeeds(done []*Configuration) {
	least := slices.MinFunc(done, func(a, b *Configuration) int { return len(a.Done) - len(b.Done) })
	switch n := len(least.Done); {
	case n == 1:
		c.limitf("One seed (%s): how much another seed would change is not known. Three or more show it.", least.Label)
	case n == 2:
		c.limitf("Two seeds (%s): their interval has one degree of freedom and is 12.7 standard errors wide on each side. Three or more narrow it.", least.Label)
	}
	var unclear []string
	for _, g := range done {
		if g.Against.Known() && !g.Against.Clear() {
			unclear = append(unclear, g.Label)
		}
	}
	if len(unclear) > 0 {
		c.limitf("Not told apart from the baseline: %s.", strings.Join(unclear, "; "))
	}
}

// limitEdges names the settings whose best value is the last that was tried.
func (c *Comparison) limitEdges(best *Configuration) {
	for _, a := range c.Axes {
		value := best.value(a)
		numbers := c.tried(a, best)
		if len(numbers) < 2 {
			continue
		}
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		end, beyond := "", ""
		switch x {
		case slices.Min(numbers):
			end, beyond = "smallest", "smaller"
		case slices.Max(numbers):
			end, beyond = "largest", "larger"
		}
		if end != "" {
			c.limitf("The best %s, %s, is the %s that was tried: a %s one may be better.", a.Key, value, end, beyond)
		}
	}
}

// tried lists the numbers of an axis that the best configuration's variant has tried.
func (c *Comparison) tried(a Axis, best *Configuration) (numbers []float64) {
	for _, g := range c.done() {
		x, err := strconv.ParseFloat(g.value(a), 64)
		if err == nil && g.Runs[0].Variant == best.Runs[0].Variant && !slices.Contains(numbers, x) {
			numbers = append(numbers, x)
		}
	}
	return numbers
}

// limitLength says where the best step is the last.
func (c *Comparison) limitLength(done []*Configuration) {
	last := 0
	for _, g := range done {
		for _, r := range g.Done {
			if r.Provenance.Validated && r.Provenance.BestStep == r.Provenance.Steps {
				last++
			}
		}
	}
	total := 0
	for _, g := range done {
		total += len(g.Done)
	}
	if 2*last > total {
		c.limitf("In %d of %s the best step was the last: they were still learning, and a longer run may rank them differently.", last, Many(total, "run"))
	}
}

// limitData says where losses are of different rows, tokens or bases.
func (c *Comparison) limitData() {
	rows, judged := map[uint64]string{}, true
	trained, bases := map[string]bool{}, map[string]bool{}
	for _, r := range c.Runs {
		if !r.Finished() {
			continue
		}
		bases[r.origin("model").digest] = true
		if files := r.Provenance.Data.Files; len(files) > 0 {
			trained[files[0].SHA256] = true
		}
		_, digest, _ := strings.Cut(r.Provenance.Data.Sequences, " ")
		digest += fmt.Sprint(r.Recipe.EvalSamples)
		if before, ok := rows[r.Recipe.Seed]; ok && before != digest && c.Validated {
			judged = false
		}
		rows[r.Recipe.Seed] = digest
	}
	if !judged {
		c.limitf("Not all runs were judged by the same rows and tokens: their losses cannot be compared.")
	}
	if len(trained) > 1 {
		c.limitf("Not all runs were trained on the same file of rows: it is a part of what differs.")
	}
	if len(bases) > 1 {
		c.limitf("Not all runs have the same base model: it is a part of what differs.")
	}
	if !c.Validated {
		c.limitf("There are runs without validation rows: the losses are those of training, which says little about other rows.")
	}
}

func (c *Comparison) limitMissing() {
	counts, total := c.missing(), 0
	var parts []string
	for _, state := range []sweep.State{sweep.Failed, sweep.Paused, sweep.Running, sweep.Waiting} {
		if n := counts[state]; n > 0 {
			total += n
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if total > 0 {
		c.limitf("%s missing: %s.", Many(total, "run"), strings.Join(parts, ", "))
	}
	if n := counts[sweep.Stopped]; n > 0 {
		c.limitf("%s stopped at a rung: who begins slowly may have won later.", Many(n, "run"))
	}
	if len(c.judged) > 0 {
		c.limitf("At a rung %s: the others had failed or were ended before it.", strings.Join(c.judged, "; "))
	}
	if n := len(c.unread); n > 0 {
		c.limitf("%s cannot be read and left out: %v.", Many(n, "run"), c.unread[0])
	}
	if c.repeated > 0 {
		c.limitf("%s left out: another has the same settings, files and seed.", Many(c.repeated, "run"))
	}
}

// byNumber orders texts, numbers by their size.
func byNumber(a, b string) int {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return 0
}
