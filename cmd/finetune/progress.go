package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

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
