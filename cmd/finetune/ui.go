package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"example.com/finetune/internal/hint"
)

// What goes to standard error, apart from the progress line and the plan:
// lines that begin with "finetune:", in lower case, without a final period.

// A logLevel says how much is told.
type logLevel int

const (
	levelError logLevel = iota
	levelWarn
	levelInfo
	levelDebug
)

// A ui is the terminal: the result goes to stdout, everything else to stderr.
type ui struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	level          logLevel
	fetch          bool // a model that is missing, without asking
	yes            bool // whatever would be asked is answered so
	width          int  // columns of stderr; 0 when it is no terminal, or a dumb one
	colours        bool // on stdout

	mu   sync.Mutex
	live *liveLine // drawn on stderr at the moment, or nil
}

func newUI(stdin io.Reader, stdout, stderr io.Writer) *ui {
	u := &ui{stdin: stdin, stdout: stdout, stderr: stderr, level: levelInfo, width: columns(stderr)}
	u.colours = columns(stdout) > 0 && os.Getenv("NO_COLOR") == ""
	return u
}

// columns returns the width of the terminal w writes to; 0 where it is none, or one that
// can do no more than print lines.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

func (u *ui) set(quiet bool, level string) {
	u.level = map[string]logLevel{"error": levelError, "warn": levelWarn, "info": levelInfo, "debug": levelDebug}[level]
	if quiet {
		u.level = levelError
	}
}

// line writes one line to stderr, above the live line if there is one.
func (u *ui) line(at logLevel, text string) {
	if at > u.level {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.live != nil {
		u.live.clear()
		defer u.live.draw()
	}
	fmt.Fprintln(u.stderr, text)
}

func (u *ui) infof(format string, args ...any)  { u.line(levelInfo, fmt.Sprintf(format, args...)) }
func (u *ui) debugf(format string, args ...any) { u.line(levelDebug, fmt.Sprintf(format, args...)) }
func (u *ui) warnf(format string, args ...any) {
	u.line(levelWarn, "finetune: warning: "+fmt.Sprintf(format, args...))
}

// printf writes a part of the command's result.
func (u *ui) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(u.stdout, format, args...)
	return err
}

// bold sets a heading apart on a terminal.
func (u *ui) bold(text string) string { return u.style("1", text) }

// yellow is for what deserves a look, red for what is wrong.
func (u *ui) yellow(text string) string { return u.style("33", text) }
func (u *ui) red(text string) string    { return u.style("31", text) }

// style sets text apart where stdout is a terminal.
func (u *ui) style(code, text string) string {
	if !u.colours {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// fail prints an error and its hint. Where the error is a list, its lines stand
// below each other.
func (u *ui) fail(err error) {
	const head = "finetune: error: "
	text := strings.TrimRight(err.Error(), "\n")
	u.line(levelError, head+strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(head))))
	if advice := hint.Of(err); advice != "" {
		u.line(levelError, "finetune: hint: "+advice)
	}
}

// printJSON writes one object on a line of standard output.
func (u *ui) printJSON(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return u.printf("%s\n", text)
}
