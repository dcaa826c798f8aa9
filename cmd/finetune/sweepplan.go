package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train"
	"example.com/finetune/train/sweep"
)

// paceKeys are the settings that change how long a step takes.
var paceKeys = []string{
	"batch_size", "gradient_accumulation_steps", "lora_r", "target_modules", "init", "init_samples", "optimizer", "compute", "threads", "memory",
}

// time says how long a run would take, and how long of that it would evaluate, from a trial
// of its first batch; runs that differ in nothing that matters to that share one.
func (p *sweepPlans) time(r *sweep.Run, paces map[string]train.Pace) (took, evaluating time.Duration, err error) {
	key := rowsKey(r)
	for _, k := range paceKeys {
		key += "\x00" + r.Config.Text(k)
	}
	pace, ok := paces[key]
	if !ok {
		s, err := p.session(r)
		if err == nil {
			pace, err = s.Trial(context.Background())
		}
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", r.Label(), err)
		}
		paces[key] = pace
	}
	plan := p.of[r]
	took = plan.Start(pace) + plan.Left(0, pace)
	return took, time.Duration(plan.EvalShare(pace) * float64(took)), nil
}

// list shows every run with its plan.
func (c *sweepCommand) list(u *ui, runs []*sweep.Run, plans *sweepPlans) error {
	paces := map[string]train.Pace{}
	var total, evaluating time.Duration
	lines := [][]string{{"run", "seed", "steps", "memory", "time", "folder"}}
	for _, r := range runs {
		took, of, err := plans.time(r, paces)
		if err != nil {
			return err
		}
		total, evaluating = total+took, evaluating+of
		p := plans.of[r]
		lines = append(lines, []string{fmt.Sprint(r.Index), fmt.Sprint(r.Seed), count(p.Steps), bytesText(p.AllocatedBytes), duration(took), r.Dir()})
	}
	if err := u.printf("%s", columnsText(lines)); err != nil {
		return err
	}
	share := ""
	if evaluating > 0 {
		share = fmt.Sprintf("; evaluations take %.0f %% of it", 100*evaluating.Seconds()/total.Seconds())
	}
	if evaluating > total/muchEvaluated {
		share += ", less with another eval_steps or eval_samples under base"
	}
	return u.printf("\n%s, about %s of work in all, %d at a time%s\n", many(len(runs), "run"), duration(total), c.Jobs, share)
}

// muchEvaluated is the part of a sweep's work, as its inverse, from which its evaluations are
// worth a remark: the runs of a sweep have the same rows, however short they are.
const muchEvaluated = 5

// columnsText sets lines in columns: the last to the left, numbers before it to the right.
func columnsText(lines [][]string) string {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line[:len(line)-1] {
			b.WriteString(strings.Repeat(" ", width[i]-len([]rune(cell))) + cell + "  ")
		}
		b.WriteString(line[len(line)-1] + "\n")
	}
	return b.String()
}

// printStatus says how far every run is.
func printStatus(u *ui, s *sweep.Sweep, plans *sweepPlans) error {
	lines := [][]string{{"run", "state", "step", "loss", "best", "folder"}}
	counts := map[sweep.State]int{}
	for _, r := range s.Runs {
		st, err := s.Status(r)
		if err != nil {
			st.State, st.Failure = sweep.Failed, err.Error()
		}
		counts[st.State]++
		name := r.Name
		if st.Failure != "" {
			name += ": " + strings.ReplaceAll(st.Failure, "\n", " ")
		}
		lines = append(lines, []string{fmt.Sprint(r.Index), string(st.State), fmt.Sprintf("%d/%d", st.Step, plans.of[r].Steps), lossText(st.Loss), lossText(st.Best), name})
	}
	if err := u.printf("%s", columnsText(lines)); err != nil {
		return err
	}
	judged := ""
	for _, j := range s.Record.PartlyJudged() {
		judged += fmt.Sprintf("at a rung %v: the others had failed or were ended before it\n", j)
	}
	return u.printf("\n%s\n%s", countsText(counts, len(s.Runs)), judged)
}

func lossText(loss float64) string {
	if loss == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4f", loss)
}

// countsText counts runs by their state.
func countsText(counts map[sweep.State]int, total int) string {
	parts := []string{}
	for _, state := range []sweep.State{sweep.Finished, sweep.Running, sweep.Paused, sweep.Failed, sweep.Stopped, sweep.Waiting} {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return many(total, "run") + ": " + strings.Join(parts, ", ")
}

// submit gives what is not finished to an engine, or prints what it would be given.
func (c *sweepCommand) submit(u *ui, s *sweep.Sweep, plans *sweepPlans) error {
	if s.Stop != nil {
		return hint.New(hint.Usagef("%s: stop needs one place that judges, which engines are not", s.Path), "take stop out, or run the sweep on one machine")
	}
	if err := checkLocks(u, s); err != nil && !errors.Is(err, fs.ErrNotExist) { // before the first task it is not there
		return err
	}
	t, err := c.task(u, s, plans)
	if err != nil {
		return err
	}
	if len(t.Runs) == 0 {
		u.infof("finetune: all runs are finished: nothing is left to do")
		return nil
	}
	var text string
	var command []string
	logs := filepath.Join(s.OutputDir, sweep.LogsDir)
	if c.Engine == "slurm" {
		text, command = s.Slurm.Script(t, filepath.ToSlash(logs)), []string{"sbatch"}
	} else {
		t.Program = "/finetune" // where the image has it
		if text, err = s.Kubernetes.Manifest(t); err != nil {
			return err
		}
		command = []string{"kubectl", "create", "-f", "-"} // a job that is there stays as it is
	}
	if c.Print {
		if _, err := os.Stat(logs); err != nil && c.Engine == "slurm" {
			u.infof("finetune: nothing is submitted; Slurm needs the folder of the logs before that: mkdir -p %s", quote(logs))
		}
		return u.printf("%s", text)
	}
	if err := s.Take(); err != nil {
		return err
	}
	if err := checkLocks(u, s); err != nil {
		return err
	}
	if err := files.MkdirAll(logs); err != nil {
		return err
	}
	return give(u, command, text)
}

// madeBefore is what the API server says of a job of the same runs, which may differ from the
// new one in its resources.
var madeBefore = regexp.MustCompile(`\(AlreadyExists\).* "([^"]+)" already exists`)

// give starts an engine's own program with a text on its standard input.
func give(u *ui, command []string, text string) error {
	run := exec.Command(command[0], command[1:]...)
	run.Stdin = strings.NewReader(text)
	var out, errs bytes.Buffer
	run.Stdout, run.Stderr = &out, &errs
	if err := run.Run(); err != nil {
		if job := madeBefore.FindStringSubmatch(errs.String()); job != nil {
			return hint.Newf(fmt.Errorf("job %s is there already: nothing was started", job[1]), "kubectl delete job %s, and type this again", job[1])
		}
		return hint.New(fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(errs.String())), "--print shows what it would be given")
	}
	return u.printf("%s", out.String())
}

// task is what is not finished, with what a run takes at most.
func (c *sweepCommand) task(u *ui, s *sweep.Sweep, plans *sweepPlans) (sweep.Task, error) {
	exe, err := os.Executable()
	if err != nil {
		return sweep.Task{}, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return sweep.Task{}, err
	}
	t := sweep.Task{Program: exe, File: c.File, Dir: dir, Of: len(s.Runs), PerTask: c.PerTask, Yes: u.yes}
	if c.Jobs > 1 {
		t.Jobs = c.Jobs
	}
	paces := map[string]train.Pace{}
	for _, r := range s.Runs {
		st, err := s.Status(r)
		if err == nil && st.State == sweep.Finished {
			continue
		}
		if st.State == sweep.Failed && !c.Retry {
			u.warnf("%s has failed and is left out: --retry submits it again", r.Name)
			continue
		}
		took, _, err := plans.time(r, paces)
		if err != nil {
			return t, err
		}
		t.Runs = append(t.Runs, r.Index)
		t.Bytes = max(t.Bytes, plans.of[r].AllocatedBytes+plans.rows[rowsKey(r)].Weights.MappedBytes())
		t.Seconds = max(t.Seconds, took.Seconds())
	}
	return t, nil
}
