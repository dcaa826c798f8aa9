package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"example.com/finetune/internal/hint"
)

// A Runner runs what is missing of a sweep on this machine.
type Runner struct {
	*Sweep
	Jobs    int                                     // at a time
	Retry   bool                                    // failed ones too
	Command func(r *Run, settings string) *exec.Cmd // trains with a file of settings and --resume
	Length  func(r *Run) (steps, evalEvery int)     // of the run's plan, for rungs
	Report  func(event any)                         // told of the events below, by one goroutine

	active map[*Run]*process
	ended  chan end
}

// The events.
type (
	// Started says that a run's process began.
	Started struct {
		Run    *Run
		Before State // Paused where it is resumed
	}
	// Ended says how a run came out. Error is nil where it has finished.
	Ended struct {
		Run    *Run
		Status Status
		Error  error
	}
	// Judged says which configurations a rung has stopped.
	Judged struct {
		Rung    float64
		Kept    []int
		Stopped []int
	}
	// Elsewhere says that another process is at work on the run of One.
	Elsewhere struct{ Run *Run }
	// Ticked comes a few times a second while runs are at work.
	Ticked struct{ Active []*Run }
)

// A process is a run at work.
type process struct {
	*exec.Cmd
	asked bool // to stop: a second time would end it without saving
}

// stop asks a process to save and end, once.
func (p *process) stop() {
	if !p.asked {
		p.asked = true
		_ = stop(p.Process) // one that has ended meanwhile is none to stop
	}
}

// An end is that of a process.
type end struct {
	run *Run
	err error
	log int64 // the size of the run's log when the process began
}

// A Result says what is left of a sweep.
type Result struct {
	Failed      []*Run // with an error, now or earlier
	Killed      []*Run // by somebody else: typed again they are resumed
	Interrupted bool
}

// exitInterrupted is how train ends when it was asked to stop and has saved.
const exitInterrupted = 130

const tick = time.Second / 4

// Run runs what is missing. It returns when nothing is left to do, or when ctx has ended
// and all runs have saved. A run that fails does not end the others.
func (r *Runner) Run(ctx context.Context) (*Result, error) {
	r.active, r.ended = map[*Run]*process{}, make(chan end)
	out := new(Result)
	alive := slices.Clone(r.Runs)
	r.Record.Stopped, r.Record.Missing = nil, nil
	if r.Stop != nil {
		for i := range r.Stop.At {
			if err := r.phase(ctx, alive, out, i); err != nil || out.Interrupted {
				return out, err
			}
			var err error
			if alive, err = r.judge(alive, i); err != nil {
				return out, err
			}
		}
	}
	if err := r.save(); err != nil {
		return out, err
	}
	return out, r.phase(ctx, alive, out, -1)
}

// phase takes runs to a rung, or to their ends where rung is below 0.
func (r *Runner) phase(ctx context.Context, runs []*Run, out *Result, rung int) error {
	queue := slices.Clone(runs)
	var elsewhere []*Run // other processes hold their folders
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	interrupt := ctx.Done()
	var failed error
	for {
		for len(queue) > 0 && len(r.active) < r.Jobs && ctx.Err() == nil && failed == nil {
			next := queue[0]
			queue = queue[1:]
			busy, err := r.start(next, out, rung)
			if busy {
				elsewhere = append(elsewhere, next)
			}
			failed = errors.Join(failed, err)
		}
		over := ctx.Err() != nil || failed != nil
		if len(r.active) == 0 && (over || len(queue)+len(elsewhere) == 0) {
			out.Interrupted = ctx.Err() != nil && (len(queue)+len(elsewhere) > 0 || out.Interrupted)
			return failed
		}
		select {
		case e := <-r.ended:
			delete(r.active, e.run)
			taken, err := r.end(ctx, e, out, rung)
			if taken {
				elsewhere = append(elsewhere, e.run)
			}
			failed = errors.Join(failed, err)
		case <-interrupt:
			interrupt = nil
			for _, p := range r.active {
				p.stop()
			}
		case <-ticker.C:
			r.Report(Ticked{r.atWork(elsewhere)})
			queue, elsewhere = r.free(queue, elsewhere)
			r.stopAt(rung)
		}
	}
}

// start begins a run unless it is where it has to be. busy says that another process is at
// work in its folder.
func (r *Runner) start(run *Run, out *Result, rung int) (busy bool, err error) {
	if slices.Contains(out.Failed, run) || slices.Contains(out.Killed, run) {
		return false, nil // at an earlier rung
	}
	st, err := r.Status(run)
	if err != nil {
		return false, r.note(run, st, failure{1, err.Error()}, out)
	}
	switch {
	case st.State == Running:
		return true, nil
	case st.State == Finished || r.reached(run, &st, rung):
		return false, nil
	case st.State == Failed && !r.Retry:
		out.Failed = append(out.Failed, run)
		return false, nil
	}
	settings, err := r.Prepare(run)
	if err != nil {
		return false, err
	}
	if err := run.retry(); err != nil {
		return false, err
	}
	log, err := os.OpenFile(r.Log(run), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return false, err
	}
	defer log.Close() // the process has its own
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	run.figures = figures{} // the process cuts them to what its checkpoint knows
	c := r.Command(run, settings)
	c.Stdout, c.Stderr = log, log
	apart(c)
	if err := c.Start(); err != nil {
		return false, fmt.Errorf("starting %s: %w", run.Name, err)
	}
	r.active[run] = &process{Cmd: c}
	r.Report(Started{run, st.State})
	go func() { r.ended <- end{run, c.Wait(), before} }()
	return false, nil
}

// end takes in how a process ended. taken says that another one was faster to lock the folder,
// and is at work there.
func (r *Runner) end(ctx context.Context, e end, out *Result, rung int) (taken bool, err error) {
	st, err := r.Status(e.run)
	if err != nil {
		return false, r.note(e.run, st, failure{1, err.Error()}, out)
	}
	var exit *exec.ExitError
	switch {
	case e.err == nil, st.State == Finished: // by another, where ours found the folder in use
		r.Report(Ended{e.run, st, nil})
		return false, nil
	case !errors.As(e.err, &exit):
		return false, e.err
	case st.State == Running:
		return true, nil
	case ctx.Err() != nil:
		out.Interrupted = true
		return false, nil
	case r.reached(e.run, &st, rung):
		r.Report(Ended{e.run, st, nil})
		return false, nil
	case exit.ExitCode() < 0 || exit.ExitCode() == exitInterrupted:
		out.Killed = append(out.Killed, e.run)
		r.Report(Ended{e.run, st, fmt.Errorf("ended by somebody else: %w", e.err)})
		return false, nil
	}
	return false, r.note(e.run, st, failure{exit.ExitCode(), r.lastError(e.run, e.log)}, out)
}

// note keeps a failure in the run's folder and tells it. A full disk cannot keep it: it is
// told all the same, and the run tried again when the sweep is.
func (r *Runner) note(run *Run, st Status, f failure, out *Result) error {
	out.Failed = append(out.Failed, run)
	err := errors.New(f.Text)
	if e := run.fail(f); e != nil {
		err = fmt.Errorf("%w (and noting that: %v)", err, e)
	}
	st.State, st.Failure = Failed, err.Error()
	r.Report(Ended{run, st, err})
	return nil
}

// lastError finds in a run's log what its process died of, not one before it.
func (r *Runner) lastError(run *Run, from int64) string {
	const tail = 8 << 10
	log, err := os.Open(r.Log(run))
	if err != nil {
		return "see " + r.Log(run)
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil {
		_, _ = log.Seek(max(from, info.Size()-tail), io.SeekStart) // from the beginning it is found as well
	}
	text, _ := io.ReadAll(log) // what can be read
	if at := bytes.LastIndex(text, []byte("finetune: error: ")); at >= 0 {
		return strings.TrimSpace(strings.ReplaceAll(string(text[at+len("finetune: error: "):]), "\nfinetune: hint: ", "; "))
	}
	return "see " + r.Log(run)
}

// atWork lists the runs whose figures grow.
func (r *Runner) atWork(elsewhere []*Run) []*Run {
	list := slices.Clone(elsewhere)
	for run := range r.active {
		list = append(list, run)
	}
	slices.SortFunc(list, func(a, b *Run) int { return a.Index - b.Index })
	return list
}

// free puts runs back into the queue whose folders other processes have left.
func (r *Runner) free(queue, elsewhere []*Run) (all, still []*Run) {
	for _, run := range elsewhere {
		if st, err := r.Status(run); err == nil && st.State == Running {
			still = append(still, run)
		} else {
			queue = append(queue, run)
		}
	}
	return queue, still
}

// rung is the step at which a run is judged.
func (r *Runner) rung(run *Run, i int) (int, error) {
	steps, evalEvery := r.Length(run)
	return r.Stop.Rung(i, steps, evalEvery)
}

// reached reports whether a run has come to a rung.
func (r *Runner) reached(run *Run, st *Status, rung int) bool {
	if rung < 0 {
		return false
	}
	step, err := r.rung(run, rung)
	if err != nil {
		return false
	}
	_, ok := st.at(step)
	return ok
}

// stopAt asks the processes to end that have come to their rung: they save, and a step
// more or less is no matter.
func (r *Runner) stopAt(rung int) {
	if rung < 0 {
		return
	}
	for run, p := range r.active {
		if st, err := run.Figures(); err == nil && r.reached(run, &st, rung) {
			p.stop()
		}
	}
}

// judge keeps the better configurations of a rung and records the others, and the runs that
// were missing.
func (r *Runner) judge(runs []*Run, i int) (on []*Run, err error) {
	e, losses, steps := Judged{Rung: r.Stop.At[i]}, map[int][]float64{}, map[*Run]int{}
	for _, run := range runs {
		if steps[run], err = r.rung(run, i); err != nil {
			return nil, err
		}
		all := losses[run.Configuration]
		loss, ok := 0.0, false
		if st, err := r.Status(run); err == nil {
			loss, ok = st.at(steps[run])
		}
		if ok {
			all = append(all, loss)
		} else {
			record(&r.Record.Missing, run, steps[run])
		}
		losses[run.Configuration] = all // counted, whatever became of its runs
	}
	e.Kept = better(losses, r.Stop.Keep)
	for _, run := range runs {
		if slices.Contains(e.Kept, run.Configuration) {
			on = append(on, run)
			continue
		}
		if !slices.Contains(e.Stopped, run.Configuration) {
			e.Stopped = append(e.Stopped, run.Configuration)
		}
		record(&r.Record.Stopped, run, steps[run])
	}
	r.Report(e)
	return on, nil
}

// record notes the step of a rung.
func record(of *map[string]int, run *Run, step int) {
	if *of == nil {
		*of = map[string]int{}
	}
	(*of)[run.Name] = step
}

// One runs a single run, as an engine's task does, whatever became of it before. One that
// another process is at work on is left to it: an array that is submitted twice does
// nothing twice. It returns an error where the run fails, and whether it was interrupted.
func (r *Runner) One(ctx context.Context, run *Run) (interrupted bool, err error) {
	if r.Stop != nil {
		return false, hint.New(hint.Usagef("%s: stop needs one place that judges: it cannot be run by index", r.Path), "run it with finetune sweep on one machine, or take stop out")
	}
	if st, err := r.Status(run); err == nil && st.State == Running {
		r.Report(Elsewhere{run})
		return false, nil
	}
	r.active, r.ended, r.Jobs, r.Retry = map[*Run]*process{}, make(chan end), 1, true
	out := new(Result)
	if err := r.phase(ctx, []*Run{run}, out, -1); err != nil {
		return false, err
	}
	if len(out.Failed)+len(out.Killed) > 0 {
		return false, fmt.Errorf("%s has failed", run.Name)
	}
	return out.Interrupted, nil
}
