package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"example.com/finetune/internal/files"
	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

const (
	redrawEvery = 100 * time.Millisecond // of the bar
	logEvery    = 10 * time.Second       // between log lines, the first and last apart
	barWidth    = 20                     // columns
	barOverhead = 11                     // columns that progressbar puts around the bar: percent and frame
)

// A liveLine is the bottom line of a terminal: a bar and a few words, redrawn as
// work goes on. The bar's own rate and time are not used: they are integers over
// the last few steps, and wrong after a resume.
type liveLine struct {
	bar   *progressbar.ProgressBar
	width int // of the terminal
}

// plain hides that a writer is a file: progressbar would sync it after every frame.
type plain struct{ io.Writer }

func newLiveLine(w io.Writer, width, total int) *liveLine {
	bar := progressbar.NewOptions(max(1, total),
		progressbar.OptionSetWriter(plain{w}),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionThrottle(redrawEvery),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "━", SaucerPadding: "╌", BarStart: "", BarEnd: ""}),
	)
	bar.StartWithoutRender()
	return &liveLine{bar: bar, width: width}
}

// show draws the line. Words that would not fit the width are cut off its end.
func (l *liveLine) show(done int, words ...string) {
	room := l.width - barWidth - barOverhead
	text := ""
	for _, w := range words {
		if len([]rune(text))+len([]rune(w))+2 > room {
			break
		}
		text += w + "  "
	}
	l.bar.Describe(strings.TrimRight(text, " "))
	_ = l.bar.Set(done) // a terminal that is gone ends the line, not the run
}

func (l *liveLine) clear() { _ = l.bar.Clear() }
func (l *liveLine) draw()  { _ = l.bar.RenderBlank() }

// steps is the stage of training's steps.
const steps = "step"

// A progress shows how far a command is: as a live line, as log lines, or not.
type progress struct {
	u      *ui
	mode   recipe.Progress // bar, log or none
	logged time.Time
	stage  string // of the live line
}

// newProgress resolves mode auto to a bar on a terminal and a log elsewhere.
func newProgress(u *ui, mode recipe.Progress) *progress {
	if mode == recipe.ProgressAuto {
		mode = recipe.ProgressLog
		if u.width > 0 {
			mode = recipe.ProgressBar
		}
	}
	if u.level < levelInfo {
		mode = recipe.ProgressNone
	}
	return &progress{u: u, mode: mode}
}

// show reports that done of total of a stage are done. words are what the line
// says, the most important first.
func (p *progress) show(stage string, done, total int, words ...string) {
	if p.mode == recipe.ProgressLog {
		p.log(stage, done, total, words)
	}
	if p.mode != recipe.ProgressBar {
		return
	}
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	if p.u.live == nil || p.stage != stage {
		if p.u.live != nil {
			p.u.live.clear()
		}
		p.stage = stage
		p.u.live = newLiveLine(p.u.stderr, max(p.u.width, 40), total)
	}
	p.u.live.show(done, append([]string{fmt.Sprintf("%s %d/%d", stage, done, total)}, words...)...)
	if done >= total {
		p.u.live.clear()
		p.u.live = nil
	}
}

// log writes a line now and then; for the steps of training the first and the
// last as well.
func (p *progress) log(stage string, done, total int, words []string) {
	first := stage != p.stage
	if first {
		p.stage, p.logged = stage, time.Now()
	}
	if edge := stage == steps && (first || done == total); !edge && time.Since(p.logged) < logEvery {
		return
	}
	p.logged = time.Now()
	p.u.infof("%s", strings.Join(append([]string{fmt.Sprintf("%s %d/%d", stage, done, total)}, words...), "  "))
}

// end takes the live line away.
func (p *progress) end() {
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	if p.u.live != nil {
		p.u.live.clear()
		p.u.live = nil
	}
}

// A reporter shows a run's events.
type reporter struct {
	u         *ui
	progress  *progress
	estimated bool
}

func newReporter(u *ui, mode recipe.Progress) *reporter {
	return &reporter{u: u, progress: newProgress(u, mode)}
}

func (r *reporter) end() { r.progress.end() }

func (r *reporter) report(event any) {
	switch e := event.(type) {
	case train.Planned:
		if e.ResumedFrom != "" {
			r.u.infof("resuming from %s", e.ResumedFrom)
		}
	case train.Extended:
		r.u.infof("continues from step %s of now %s; the learning rate follows the new length", count(e.Step), count(e.Steps))
	case train.Warning:
		r.u.warnf("%s", e.Text)
	case train.InitProgress:
		r.progress.show("initial gradient", e.Done, e.Total)
	case train.Ranked:
		if r.progress.mode != recipe.ProgressNone {
			r.u.infof("ranks from %d to %d by the gradient: %s trained", e.Least, e.Most, many(e.Parameters, "parameter"))
		}
	case train.EvalProgress:
		if r.progress.mode == recipe.ProgressBar {
			r.progress.show("evaluation", e.Done, e.Total)
		}
	case train.AnswerProgress:
		r.progress.show(e.What, e.Done, e.Total)
	case train.Sampled:
		for _, s := range e.Samples {
			r.u.infof("         %s ▸ %s", brief(s.Prompt), brief(s.Answer))
		}
	case train.Evaluated:
		r.evaluated(e)
	case train.Stepped:
		r.stepped(e)
	case train.Profiled:
		r.profiled(e)
	case train.Saved:
		r.u.debugf("step %d  saved in %s", e.Step, e.Path)
	}
}

func (r *reporter) evaluated(e train.Evaluated) {
	if r.progress.mode == recipe.ProgressNone {
		return
	}
	text := fmt.Sprintf("step %d/%d  validation loss %.4f", e.Step, e.Steps, e.Loss)
	switch {
	case e.Step == 0:
		text += fmt.Sprintf("  at the start (base %.4f)", e.Base)
	case e.Best:
		text += "  best so far"
	}
	r.u.infof("%s", text)
}

func (r *reporter) stepped(e train.Stepped) {
	if !r.estimated && e.Step < e.Steps {
		r.estimated = true
		if r.progress.mode != recipe.ProgressNone && e.Left > 10*time.Second {
			r.u.infof("first step: %s tokens/s, about %s left, done at about %s",
				count(int(e.TokensPerSecond)), duration(e.Left), time.Now().Add(e.Left).Format("15:04"))
		}
	}
	words := []string{fmt.Sprintf("loss %.4f", e.Loss), count(int(e.TokensPerSecond)) + " tokens/s"}
	if e.Step < e.Steps {
		words = append(words, duration(e.Left)+" left")
	}
	r.progress.show(steps, e.Step, e.Steps, append(words, fmt.Sprintf("lr %.2g", e.LearningRate), fmt.Sprintf("norm %.3g", e.GradNorm))...)
}

// profiled writes where the time of the steps went.
func (r *reporter) profiled(e train.Profiled) {
	r.progress.end()
	var all model.Spent
	for _, part := range model.Parts {
		all.Time += e.Profile.Spent(part).Time
		all.Ops += e.Profile.Spent(part).Ops
	}
	if all.Time == 0 {
		return
	}
	r.u.infof("%-14s %9s  %6s  %8s", "part of a step", "time", "share", "GFLOP/s")
	line := func(name string, s model.Spent) {
		speed := ""
		if s.Ops > 0 {
			speed = fmt.Sprintf("%.0f", s.Ops/float64(s.Time.Nanoseconds()))
		}
		r.u.infof("%s", strings.TrimRight(fmt.Sprintf("%-14s %7.1f ms  %5.1f%%  %8s", name,
			float64(s.Time.Microseconds())/1000/float64(e.Steps), 100*s.Time.Seconds()/all.Time.Seconds(), speed), " "))
	}
	for _, part := range model.Parts {
		line(part.String(), e.Profile.Spent(part))
	}
	line("the whole step", all)
}

// A byteProgress shows how much of some files is read.
type byteProgress struct {
	progress *progress
	start    time.Time
	total    int64
	before   int64 // bytes of the files that are done
	size     int64 // of the one at hand
}

func newByteProgress(u *ui, paths data.Paths) *byteProgress {
	b := &byteProgress{progress: newProgress(u, recipe.ProgressAuto), start: time.Now()}
	for _, p := range []string{paths.Train, paths.Valid, paths.Test} {
		b.total += files.Size(p)
	}
	return b
}

// begin moves to the next file and returns what is to be told the bytes read.
func (b *byteProgress) begin(path string) func(read int64) {
	b.before += b.size
	b.size = files.Size(path)
	return func(read int64) {
		const mega = 1_000_000
		took := time.Since(b.start)
		if took < time.Second/2 { // most files are done before anyone could read a bar
			return
		}
		done := b.before + read
		b.progress.show("megabyte", int(done/mega), int((b.total+mega-1)/mega), bytesText(int64(float64(done)/took.Seconds()))+"/s", path)
	}
}
