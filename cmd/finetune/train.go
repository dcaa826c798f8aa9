package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"example.com/finetune/train"
	"example.com/finetune/train/data"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
)

type trainCommand struct{ runFlags }

func (trainCommand) Help() string {
	return `Reads rows of messages, of prompt and completion, or of text, and leaves an adapter that Hugging Face PEFT loads as it is. ` +
		`Ctrl-C finishes the step and saves; --resume takes it from there, to the same bits, and gives a finished run more epochs or steps. ` +
		`--adapter trains a finished adapter on, on new rows and with fresh optimizer state, into another folder.

For example:

    finetune train --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune train -m model --data folder -o my-adapter --epochs 3 --lora-r 16
    finetune train --config my-adapter/run.yaml --seed 7 -o other-adapter
    finetune train -o my-adapter --resume
    finetune train -o my-adapter --resume --num-train-epochs 5
    finetune train --adapter my-adapter --data new-rows.jsonl -o next-adapter
`
}

// errInterrupted ends a run that was asked to stop and told the user how to resume it.
var errInterrupted = errors.New("interrupted")

// Run goes from what is cheap to what is expensive: settings, the model's small files and
// the headers of its weights, rows, and only then what computes.
func (c *trainCommand) Run(u *ui, ctx *kong.Context) error {
	config, err := c.resolve(u, ctx)
	if err != nil {
		return err
	}
	found, err := train.Look(config)
	if err != nil {
		return err
	}
	if found.Finished != nil {
		u.infof("finetune: %s holds a finished run of %s: nothing is left to do", config.OutputDir, many(found.Finished.Steps, "step"))
		return printResult(u, &job{settings: config}, found.Finished)
	}
	j, err := newJob(u, config)
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.readRows(u); err != nil {
		return err
	}
	limitHeap(train.GarbagePercent, config.Memory)
	printPlan(j, u.infof, u.warnf)
	stop, done := stopSignals(u)
	defer done()
	outcome, err := j.run(stop, newReporter(u, config.Progress))
	if err != nil {
		return err
	}
	if outcome.Ending == train.Interrupted {
		return interrupted(u, j, outcome)
	}
	return printResult(u, j, outcome.Result)
}

// interrupted tells how to resume a run that was stopped.
func interrupted(u *ui, j *job, outcome train.Outcome) error {
	dir := j.settings.OutputDir
	if outcome.Checkpoint == "" {
		u.line(levelError, "finetune: interrupted before the first step: nothing was saved, and nothing is lost")
	} else {
		u.line(levelError, "finetune: interrupted after step "+count(outcome.Step)+", saved in "+filepath.Join(dir, "checkpoints", filepath.Base(outcome.Checkpoint)))
	}
	u.line(levelError, "finetune: resume with: "+program()+" train -o "+quote(dir)+" --resume")
	return errInterrupted
}

// A job is a training run on its way from settings to a session. Paths stay as
// the user typed them.
type job struct {
	*opened.Model
	settings *recipe.Resolved
	data     *train.Data
	plan     train.Plan
}

// newJob opens the model: one that cannot be trained is refused before rows are read.
func newJob(u *ui, c *recipe.Resolved) (*job, error) {
	m, err := openFor(u, c)
	if err != nil {
		return nil, err
	}
	j := &job{Model: m, settings: c}
	if _, _, err = train.Begin(c, m.Config); err == nil {
		err = m.Load()
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return j, nil
}

// readRows reads and tokenises the data, and plans the run.
func (j *job) readRows(u *ui) (err error) {
	watch := newByteProgress(u, data.Paths{})
	told := watch.begin(j.settings.Data)
	j.data, err = train.LoadData(j.settings, j.Config, j.Tokenizer, j.Template, j.Pool, func(done, total int64) {
		watch.total = total
		told(done)
	})
	watch.progress.end()
	if err != nil {
		return err
	}
	if err := train.ChooseEvaluations(j.settings, j.Config, j.data.Train, j.data.Valid); err != nil {
		return err
	}
	j.plan, err = train.NewPlan(j.settings, j.Config, j.data.Train, j.data.Valid, heldBytes())
	return err
}

// session returns a run that is ready to start. The settings that it writes down have
// absolute paths.
func (j *job) session(report func(event any)) (*train.Session, error) {
	c, err := j.settings.Absolute(j.Ref)
	if err != nil {
		return nil, err
	}
	return train.NewSession(c, train.Inputs{
		Version: version(), Base: j.Ref, ChatTemplate: j.Template != nil, Tokenizer: j.Tokenizer, Template: j.Template,
		Model: j.Weights, Pool: j.Pool, Data: j.data, Plan: j.plan, Report: report,
	})
}

// A runReporter is told of a run's events, for job.run.
type runReporter interface {
	report(event any)
	end()
}

// run trains.
func (j *job) run(ctx context.Context, r runReporter) (train.Outcome, error) {
	s, err := j.session(r.report)
	if err != nil {
		return train.Outcome{}, err
	}
	defer r.end()
	return s.Run(ctx)
}

func (j *job) close() {
	j.Close()
	if j.data != nil {
		_ = j.data.Close()
	}
}

// printResult writes what a run came to on standard output.
func printResult(u *ui, j *job, r *train.Result) error {
	dir := j.settings.OutputDir
	if err := printLosses(u, r); err != nil {
		return err
	}
	if err := u.printf("adapter  %s\n", dir); err != nil {
		return err
	}
	return u.printf("try it   %s generate --adapter %s --prompt %s\n", program(), quote(dir), quote(samplePrompt(j)))
}

func printLosses(u *ui, r *train.Result) error {
	if !r.Validated {
		return u.printf("training loss %.4f at step %d (no validation rows)\n\n", r.TrainLoss, r.Steps)
	}
	after := fmt.Sprintf("best at step %d of %d", r.BestStep, r.Steps)
	if r.StoppedEarly {
		after += ", stopped early"
	}
	rows := []struct {
		what, note string
		loss       float64
	}{
		{"base", "", r.Base},
		{"at the start", "", r.Start},
		{"after training", after, r.Best},
	}
	var b strings.Builder
	b.WriteString("validation       loss    perplexity\n")
	for _, row := range rows {
		line := fmt.Sprintf("%-15s  %-6.4f  %-10s  %s", row.what, row.loss, perplexityText(row.loss), row.note)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if a := r.Answers; a != nil {
		fmt.Fprintf(&b, "\nanswers          right, of %s by %s\n", many(a.Asked, "row"), a.Score)
		fmt.Fprintf(&b, "%-15s  %.1f %%\n%-15s  %.1f %%  %+.1f %%, 95 %% interval %+.1f to %+.1f\n",
			"base", 100*a.Base, "after training", 100*a.Adapter, 100*a.Difference, 100*a.Low, 100*a.High)
	}
	return u.printf("%s\n", b.String())
}

// samplePrompt returns a prompt in the manner of the data where there is no chat
// template, else a greeting.
func samplePrompt(j *job) string {
	const longest = 120 // bytes: one line of a terminal with the command before it
	if j.data == nil || j.Template != nil && j.data.Files[0].Format != data.Text {
		return "Hello"
	}
	set := j.data.Train
	if j.data.Valid != nil {
		set = j.data.Valid
	}
	for i := range min(set.Len(), 100) {
		s, err := set.Sequence(i)
		if err != nil {
			break
		}
		text := ""
		if j.data.Files[0].Format == data.Text {
			words := strings.Fields(j.Tokenizer.Decode(s.IDs, true))
			text = strings.Join(words[:min(5, len(words))], " ")
		} else if n := slices.Index(s.Mask, true); n > 0 {
			text = strings.TrimSpace(j.Tokenizer.Decode(s.IDs[:n], true))
		}
		if text != "" && len(text) <= longest && !strings.ContainsAny(text, "\n\"'") {
			return text
		}
	}
	return "Hello"
}

// endings are the signals that ask a program to end, Ctrl-C apart.
func endings() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) { // nohup asked for that
		return []os.Signal{syscall.SIGTERM}
	}
	return []os.Signal{syscall.SIGTERM, syscall.SIGHUP}
}

// stopSignals returns a context that ends at the first Ctrl-C, SIGTERM or SIGHUP.
// A second one ends the process at once. done gives the signals back.
func stopSignals(u *ui) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, finished := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, append(endings(), os.Interrupt)...)
	go func() {
		for first := true; ; first = false {
			select {
			case <-finished:
				return
			case <-signals:
			}
			if !first {
				u.line(levelError, "finetune: stopped at once")
				os.Exit(exitInterrupted)
			}
			u.line(levelError, "finetune: stopping after this step; once more to quit at once")
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(finished)
		cancel()
	}
}
