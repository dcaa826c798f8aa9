package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// A log has the first and the last step, and no control characters.
func TestProgressLog(t *testing.T) {
	var stderr bytes.Buffer
	u := newUI(nil, nil, &stderr)
	p := newProgress(u, "auto")
	for i := range 50 {
		p.show(steps, i+1, 50, "loss 1.0")
		p.show("evaluation", 1, 1)
		p.stage = steps
	}
	p.end()
	want := "step 1/50  loss 1.0\nstep 50/50  loss 1.0\n"
	if got := stderr.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A bar never exceeds the terminal's width, and log lines go above it.
func TestProgressBar(t *testing.T) {
	var stderr bytes.Buffer
	u := newUI(nil, nil, &stderr)
	u.width = 60
	p := newProgress(u, "auto")
	p.show(steps, 1, 50, "loss 1.2345", "5,432 tokens/s", "12 s left", "a word too many")
	u.infof("in between")
	p.show(steps, 50, 50, "loss 1.2345")
	for frame := range strings.FieldsFuncSeq(stderr.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		text := strings.NewReplacer("\x1b[0K", "", "\x1b[2K", "").Replace(frame)
		if n := len([]rune(text)); n > 60 {
			t.Errorf("%d columns: %q", n, text)
		}
	}
	for _, want := range []string{"step 1/50  loss 1.2345", "in between\n"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is not in %q", want, stderr.String())
		}
	}
	if u.live != nil {
		t.Error("the live line is still there")
	}
}

func TestProgressNone(t *testing.T) {
	var stderr bytes.Buffer
	u := newUI(nil, nil, &stderr)
	newProgress(u, "none").show(steps, 1, 1)
	u.set(true, "info")
	u.width = 80
	newProgress(u, "auto").show(steps, 1, 1)
	if stderr.Len() > 0 {
		t.Errorf("got %q", stderr.String())
	}
}

// A dumb terminal gets lines, as a file does.
func TestDumbTerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	t.Setenv("TERM", "xterm")
	if u := newUI(nil, terminal, terminal); u.width == 0 || newProgress(u, "auto").mode != "bar" {
		t.Skip("this system's terminals are not seen")
	}
	t.Setenv("TERM", "dumb")
	if u := newUI(nil, terminal, terminal); u.colours || newProgress(u, "auto").mode != "log" {
		t.Errorf("a dumb terminal of %d columns, colours %v, gets a bar", u.width, u.colours)
	}
}
