package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/finetune/train/sweep"
)

// A sweepTable shows a sweep at work: what happens as lines, and on a terminal a table of
// the runs at work below them.
type sweepTable struct {
	u     *ui
	sweep *sweep.Sweep
	plans *sweepPlans

	began map[*sweep.Run]seen // at work, as first seen
	lines int                 // of the table on the screen
	best  string
	least float64 // the best loss so far; 0 before any
}

// A seen is where a run was when it was first looked at.
type seen struct {
	at   time.Time
	step int
}

func newSweepTable(u *ui, s *sweep.Sweep, plans *sweepPlans) *sweepTable {
	t := &sweepTable{u: u, sweep: s, plans: plans, began: map[*sweep.Run]seen{}}
	counts := map[sweep.State]int{}
	for _, r := range s.Runs {
		st, err := s.Status(r)
		if err != nil { // the runner tells what is wrong
			st.State = sweep.Failed
		}
		counts[st.State]++
		t.compare(r, st)
	}
	u.infof("%s", countsText(counts, len(s.Runs)))
	return t
}

// compare keeps the best loss of finished runs.
func (t *sweepTable) compare(r *sweep.Run, st sweep.Status) {
	if st.Finished != nil && st.Finished.Validated && (t.least == 0 || st.Finished.Best < t.least) {
		t.least, t.best = st.Finished.Best, r.Name
	}
}

// tell shows an event.
func (t *sweepTable) tell(event any) {
	t.clear()
	switch e := event.(type) {
	case sweep.Started:
		if st, err := e.Run.Figures(); err == nil {
			t.began[e.Run] = seen{time.Now(), st.Step}
		}
	case sweep.Ended:
		delete(t.began, e.Run)
		t.compare(e.Run, e.Status)
	case sweep.Ticked:
		t.draw(e.Active)
		return
	}
	tellEvent(t.u, t.sweep, event)
}

// tellEvent writes an event as a line.
func tellEvent(u *ui, s *sweep.Sweep, event any) {
	switch e := event.(type) {
	case sweep.Started:
		word := "started"
		if e.Before == sweep.Paused {
			word = "resumed"
		}
		u.infof("%-8s  %d/%d  %s", word, e.Run.Index+1, len(s.Runs), e.Run.Name)
	case sweep.Ended:
		tellEnd(u, s, e)
	case sweep.Elsewhere:
		u.infof("%s is at work in another process", e.Run.Name)
	case sweep.Judged:
		u.infof("rung %g  %s kept, %s stopped", e.Rung, many(len(e.Kept), "configuration"), count(len(e.Stopped)))
		remark(u, partlyJudged(s, e), "other configuration")
	}
}

// partlyJudged says which configurations a rung has judged without some of their seeds.
func partlyJudged(s *sweep.Sweep, e sweep.Judged) (list []string) {
	for _, j := range s.Record.PartlyJudged() {
		if slices.Contains(e.Kept, j.Configuration) || slices.Contains(e.Stopped, j.Configuration) {
			list = append(list, fmt.Sprintf("rung %g: %v, as the others have failed or were ended before it", e.Rung, j))
		}
	}
	return list
}

func tellEnd(u *ui, s *sweep.Sweep, e sweep.Ended) {
	name := fmt.Sprintf("%d/%d  %s", e.Run.Index+1, len(s.Runs), e.Run.Name)
	switch done := e.Status.Finished; {
	case e.Error != nil:
		u.line(levelError, fmt.Sprintf("finetune: failed: %s: %v", name, e.Error))
	case done == nil:
		u.infof("%-8s  %s  step %d", "rung", name, e.Status.Step)
	case done.Validated:
		u.infof("%-8s  %s  loss %.4f at step %d of %d", "finished", name, done.Best, done.BestStep, done.Steps)
	default:
		u.infof("%-8s  %s  training loss %.4f", "finished", name, done.TrainLoss)
	}
}

// mostShown is how many runs the table has: it must fit on a screen.
const mostShown = 12

// draw shows the runs at work where there is a terminal.
func (t *sweepTable) draw(active []*sweep.Run) {
	if t.u.width == 0 || t.u.level < levelInfo {
		return
	}
	lines := [][]string{{"state", "step", "loss", "best", "left", "run"}}
	for _, r := range active[:min(len(active), mostShown)] {
		st, err := r.Figures()
		if err != nil {
			continue // it ends with that
		}
		steps := t.plans.of[r].Steps
		lines = append(lines, []string{string(st.State), fmt.Sprintf("%d/%d", st.Step, steps), lossText(st.Loss), lossText(st.Best), t.left(r, st.Step, steps), r.Name})
	}
	text := columnsText(lines)
	if more := len(active) - mostShown; more > 0 {
		text += fmt.Sprintf("and %d more\n", more)
	}
	if t.best != "" {
		text += fmt.Sprintf("best so far %.4f  %s\n", t.least, t.best)
	}
	t.u.mu.Lock()
	defer t.u.mu.Unlock()
	for line := range strings.Lines(text) {
		fmt.Fprintln(t.u.stderr, cutTo(strings.TrimSuffix(line, "\n"), t.u.width))
		t.lines++
	}
}

// left is how long a run still takes at its pace since it was first seen.
func (t *sweepTable) left(r *sweep.Run, step, steps int) string {
	first, ok := t.began[r]
	if !ok || step <= first.step {
		return "-"
	}
	each := time.Since(first.at) / time.Duration(step-first.step)
	return duration(each * time.Duration(steps-step))
}

// cutTo cuts a line to the columns of the terminal.
func cutTo(line string, width int) string {
	if r := []rune(line); len(r) >= width {
		return string(r[:width-1])
	}
	return line
}

// clear takes the table off the screen.
func (t *sweepTable) clear() {
	t.u.mu.Lock()
	defer t.u.mu.Unlock()
	if t.lines > 0 {
		fmt.Fprintf(t.u.stderr, "\x1b[%dA\x1b[J", t.lines)
		t.lines = 0
	}
}

func (t *sweepTable) end() { t.clear() }
