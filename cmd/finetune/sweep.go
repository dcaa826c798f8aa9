package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
	"example.com/finetune/train/rundir"
	"example.com/finetune/train/sweep"
)

type sweepCommand struct {
	File string `arg:"" placeholder:"FILE" help:"The sweep: base, output_dir, grid, variants, random, seeds, baseline, stop, slurm, kubernetes."`

	Jobs  int  `short:"j" default:"1" placeholder:"N" help:"Runs at a time (default ${default}). Threads and the budget of memory are divided; no result depends on it."`
	Retry bool `help:"Run failed ones again as well."`

	List   bool `xor:"what" help:"Show every run with its plan, and run nothing."`
	Status bool `xor:"what" help:"Show how far every run is, whatever runs them."`
	Index  *int `xor:"what" placeholder:"I" help:"Run number I alone, from 0: what an engine's task does."`

	Of      string `placeholder:"LIST" help:"With --index: I is the place in this list of numbers."`
	Threads int    `placeholder:"N" help:"Threads of all runs at work together here (default: all cores)."`
	Engine  string `enum:"local,slurm,kubernetes" default:"local" placeholder:"NAME" help:"local, slurm (one array job) or kubernetes (one Indexed Job) (default ${default})."`
	Print   bool   `help:"With --engine: print what it would be given, and submit nothing."`
	PerTask int    `default:"1" placeholder:"K" help:"Runs in one task of slurm, one after the other (default ${default})."`
}

func (sweepCommand) Help() string {
	return `Runs every combination that a file names, each in a folder of its own, and compares them. Typed again it does what is missing: ` +
		`a run that was interrupted, or killed, is resumed to the same bits. A run that fails does not end the others.

For example, a file sweep.yaml of 18 runs:

    base: {model: SmolLM2-135M-Instruct, data: folder, max_steps: 60}
    output_dir: runs
    grid: {lora_r: [8, 16, 32]}
    variants:
      loraone: {}
      lora: {init: lora, optimizer: adamw, learning_rate: 0.002}
    seeds: [1, 2, 3]
    baseline: {variant: lora}

Values may be drawn, and worse configurations stopped early, at shares of their steps. One is judged by those of its seeds that come so far:

    random: {samples: 20, weight_decay: {log: [1e-4, 0.1]}, lora_r: {choice: [8, 16]}}
    stop: {rule: halving, keep: 0.5, at: [0.25, 0.5]}

    finetune sweep sweep.yaml --list
    finetune sweep sweep.yaml --jobs 2
    finetune sweep sweep.yaml --engine slurm --print
    finetune report runs --html report.html
`
}

// Run reads the file, checks every run, and starts what is missing.
func (c *sweepCommand) Run(u *ui) error {
	if err := c.checkFlags(); err != nil {
		return err
	}
	f, err := sweep.Read(c.File)
	if err != nil {
		return err
	}
	tellNotes(u, &f.Base)
	if n := f.Count(); n > sweep.MostUnasked && !u.yes {
		return hint.New(hint.Usagef("%s: %s: is that meant?", c.File, many(n, "run")), "--yes runs them")
	}
	runs, err := f.Runs()
	if err != nil {
		return err
	}
	if c.Index != nil {
		return c.one(u, f, runs)
	}
	tellRuns(u, runs)
	plans, err := c.check(u, f, runs)
	if err != nil {
		return err
	}
	defer plans.close()
	s, err := sweep.Open(f, runs, today(), u.yes)
	if err != nil {
		return err
	}
	if err := tellStrangers(u, s); err != nil {
		return err
	}
	switch {
	case c.List:
		return c.list(u, runs, plans)
	case c.Status:
		return printStatus(u, s, plans)
	case c.Engine != "local":
		return c.submit(u, s, plans)
	}
	return c.local(u, s, plans)
}

// checkFlags returns an error for flags that would be without effect: what is meant to be
// looked at, or to be a part of the sweep, must not run all of it.
func (c *sweepCommand) checkFlags() error {
	engine := c.Engine != "local"
	switch {
	case c.Jobs < 1 || c.PerTask < 1 || c.Threads < 0:
		return hint.Usagef("--jobs, --per-task and --threads want counts")
	case c.Print && !engine:
		return hint.New(hint.Usagef("--print is of what an engine is given, and none is named"), "--engine slurm or kubernetes; --list shows the runs")
	case engine && (c.List || c.Status || c.Index != nil):
		return hint.Usagef("--engine submits runs, and --list, --status and --index do not")
	case c.Of != "" && c.Index == nil:
		return hint.New(hint.Usagef("--of is the list that --index chooses from, and that is not there"), "--index 0 is the first of them")
	case c.PerTask > 1 && c.Engine != "slurm":
		return hint.New(hint.Usagef("--per-task is of tasks of Slurm"), "--engine slurm; --jobs is how many runs are at work at a time")
	case c.Threads > 0 && engine:
		return hint.Newf(hint.Usagef("--threads is of runs here: those of an engine have the CPUs of their task"), "%s in the sweep's file", map[string]string{"slurm": "slurm: {cpus: 4}", "kubernetes": "kubernetes: {cpu: 4}"}[c.Engine])
	}
	return nil
}

// mostRemarks is how many remarks of one kind are said: rates that were drawn are all
// different, and of another base all runs are.
const mostRemarks = 3

// remark warns of each, up to so many.
func remark(u *ui, list []string, noun string) {
	for _, text := range list[:min(len(list), mostRemarks)] {
		u.warnf("%s", text)
	}
	if n := len(list) - mostRemarks; n > 0 {
		u.warnf("and so in %s", many(n, noun))
	}
}

// tellRuns says what the settings of runs need said, each remark once.
func tellRuns(u *ui, runs []*sweep.Run) {
	var told []string
	for _, r := range runs {
		for _, note := range r.Config.Notes {
			if !slices.Contains(told, note) {
				told = append(told, note)
			}
		}
	}
	remark(u, told, "other setting")
}

// tellStrangers names the folders that no longer belong to the sweep.
func tellStrangers(u *ui, s *sweep.Sweep) error {
	list, err := s.Strangers()
	for i, name := range list {
		list[i] = fmt.Sprintf("%s is no run of %s any more", filepath.Join(s.OutputDir, name), s.Path)
	}
	remark(u, list, "other folder")
	return err
}

// share divides the machine among the runs that are at work together.
func (c *sweepCommand) share(runs []*sweep.Run, jobs int) {
	for _, r := range runs {
		all := cmp.Or(c.Threads, r.Config.Threads, runtime.NumCPU())
		r.Config.Threads = max(1, all/jobs)
		r.Config.Memory /= recipe.Size(jobs)
	}
}

// one runs one run, as the tasks of an engine do.
func (c *sweepCommand) one(u *ui, f *sweep.File, runs []*sweep.Run) error {
	i := *c.Index
	if c.Of != "" {
		list := strings.Split(c.Of, ",")
		if i < 0 || i >= len(list) {
			return hint.Usagef("--index is %d of %d numbers", i, len(list))
		}
		n, err := strconv.Atoi(list[i])
		if err != nil {
			return hint.Usagef("--of: %.40q is no number", list[i])
		}
		i = n
	}
	if i < 0 || i >= len(runs) {
		return hint.Usagef("--index is %d, the sweep has %s, from 0", i, many(len(runs), "run"))
	}
	c.share(runs, 1)
	s, err := sweep.Open(f, runs, today(), u.yes)
	if err == nil {
		err = s.Take()
	}
	if err != nil {
		return err
	}
	if err := checkLocks(u, s); err != nil {
		return err
	}
	ctx, done := stopSignals(u)
	defer done()
	r := c.runner(s, func(e any) { tellEvent(u, s, e) }, nil)
	interrupted, err := r.One(ctx, runs[i])
	if interrupted {
		return errInterrupted
	}
	return err
}

// checkLocks refuses a folder in which nothing would keep two tasks out of one run: engines
// start a task again whose machine they have lost, though it may be at work.
func checkLocks(u *ui, s *sweep.Sweep) error {
	ok, err := rundir.Locks(s.OutputDir)
	if err != nil || ok || u.yes {
		return err
	}
	return hint.New(fmt.Errorf("output_dir: the file system of %s has no locks: nothing would keep two tasks out of one run", s.OutputDir),
		"name a folder on another; --yes goes without, where no task is ever started twice")
}

// runner runs the sweep's runs as processes of this program.
func (c *sweepCommand) runner(s *sweep.Sweep, told func(any), plans *sweepPlans) *sweep.Runner {
	return &sweep.Runner{
		Sweep: s, Jobs: c.Jobs, Retry: c.Retry, Report: told,
		Command: func(r *sweep.Run, settings string) *exec.Cmd {
			exe, err := os.Executable()
			if err != nil {
				exe = os.Args[0]
			}
			return exec.Command(exe, "train", "--config", settings, "--resume", "--progress", "log")
		},
		Length: func(r *sweep.Run) (steps, evalEvery int) {
			p := plans.of[r]
			return p.Steps, p.EvalEvery
		},
	}
}

// local runs what is missing here, to the end, and prints the comparison.
func (c *sweepCommand) local(u *ui, s *sweep.Sweep, plans *sweepPlans) error {
	if err := s.Take(); err != nil {
		return err
	}
	plans.close() // what the runs need themselves
	tellUnscored(u, s)
	ctx, done := stopSignals(u)
	defer done()
	table := newSweepTable(u, s, plans)
	r := c.runner(s, table.tell, plans)
	result, err := r.Run(ctx)
	table.end()
	if err != nil {
		return err
	}
	if result.Interrupted {
		u.line(levelError, "finetune: interrupted; what was running is saved. Resume with: "+program()+" sweep "+quote(c.File))
		return errInterrupted
	}
	runs, err := report.ReadRuns([]string{s.OutputDir})
	if err != nil {
		return err
	}
	if err := u.printf("%s", report.Compare(runs).Text()); err != nil {
		return err
	}
	if err := c.failed(s, result); err != nil {
		return err
	}
	return runs.Damage()
}

// tellUnscored says that runs which finished before a score was set have none: it is no part
// of their recipe, and they are not run again.
func tellUnscored(u *ui, s *sweep.Sweep) {
	n := 0
	for _, r := range s.Runs {
		st, err := s.Status(r)
		if err == nil && st.Finished != nil && st.Finished.Answers == nil && r.Config.Score.On() {
			n++
		}
	}
	if n > 0 {
		u.warnf("%s finished before score was set, and not scored: finetune eval --answers scores an adapter, another output_dir has all runs anew", many(n, "run"))
	}
}

// failed is the error of a sweep with runs that did not get done.
func (c *sweepCommand) failed(s *sweep.Sweep, result *sweep.Result) error {
	if len(result.Failed)+len(result.Killed) == 0 {
		return nil
	}
	var lines []string
	advice := "--retry runs failed ones again"
	for _, r := range result.Failed {
		st, err := s.Status(r)
		if err != nil {
			st.Failure, advice = err.Error(), "move away what cannot be read, and --retry runs failed ones again"
		}
		lines = append(lines, fmt.Sprintf("%s failed: %s", r.Name, cmp.Or(st.Failure, "see "+s.Log(r))))
	}
	for _, r := range result.Killed {
		lines = append(lines, r.Name+" was ended by somebody else; typed again it is resumed")
	}
	err := fmt.Errorf("%d of %s not done\n%s", len(lines), many(len(s.Runs), "run"), strings.Join(lines, "\n"))
	if len(result.Failed) > 0 {
		return hint.New(err, advice)
	}
	return hint.New(err, "a system whose memory is full ends programs: fewer --jobs, or memory: 1GB under base, take less")
}

// A sweepPlans is the plan of every run, and what a trial of one needs.
type sweepPlans struct {
	of   map[*sweep.Run]*train.Plan
	rows map[string]*readRows // by what decides them
}

// readRows are the rows of some runs.
type readRows struct {
	*job
	held int64 // bytes that this program holds
}

// check opens model and data of every run, and plans it. All mistakes are reported together.
func (c *sweepCommand) check(u *ui, f *sweep.File, runs []*sweep.Run) (*sweepPlans, error) {
	jobs := min(c.Jobs, len(runs))
	if c.Engine != "local" {
		jobs = 1
	}
	c.share(runs, jobs)
	p := &sweepPlans{of: map[*sweep.Run]*train.Plan{}, rows: map[string]*readRows{}}
	var found []error
	told := map[string]bool{}
	for _, r := range runs {
		err := p.plan(u, r)
		if err == nil && f.Stop != nil {
			for i := range f.Stop.At {
				if _, e := f.Stop.Rung(i, p.of[r].Steps, p.of[r].EvalEvery); e != nil {
					err = e
					break
				}
			}
		}
		if err != nil && !told[err.Error()] {
			told[err.Error()] = true
			found = append(found, hint.New(hint.Usagef("%s: %w", r.Label(), err), hint.Of(err)))
		}
	}
	if err := recipe.Together(found); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// plan plans a run, and finds whatever would keep it from starting. Rows are read once for
// all runs that read them alike.
func (p *sweepPlans) plan(u *ui, r *sweep.Run) error {
	j, err := p.read(u, r)
	if err != nil {
		return err
	}
	plan, err := train.NewPlan(r.Config, j.Config, j.data.Train, j.data.Valid, j.held)
	if err != nil {
		return err
	}
	p.of[r] = &plan
	_, err = p.session(r)
	return err
}

// session returns a run that is planned, ready to start.
func (p *sweepPlans) session(r *sweep.Run) (*train.Session, error) {
	j := *p.rows[rowsKey(r)].job
	j.settings, j.plan = r.Config, *p.of[r]
	return j.session(nil)
}

// read returns the rows of a run.
func (p *sweepPlans) read(u *ui, r *sweep.Run) (*readRows, error) {
	key := rowsKey(r)
	if rows, ok := p.rows[key]; ok {
		return rows, nil
	}
	j, err := newJob(u, r.Config)
	if err != nil {
		return nil, err
	}
	if err := j.readRows(u); err != nil {
		j.close()
		return nil, err
	}
	p.rows[key] = &readRows{j, heldBytes()}
	return p.rows[key], nil
}

// rowsKey tells runs apart that read other rows, or read them in another way. A split by
// the seed has other rows and as many.
func rowsKey(r *sweep.Run) string {
	var parts []string
	for _, key := range []string{"model", "data", "max_length", "overlong", "train_on", "chat_template", "map", "val_split"} {
		parts = append(parts, r.Config.Text(key))
	}
	return strings.Join(parts, "\x00")
}

func (p *sweepPlans) close() {
	for _, rows := range p.rows {
		rows.close()
	}
	clear(p.rows)
}
