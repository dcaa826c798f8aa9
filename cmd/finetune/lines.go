package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/peterh/liner"
	"golang.org/x/term"
)

// A lineReader reads what a user says, line by line.
type lineReader interface {
	read(prompt string) (string, error) // io.EOF behind the last line, errAborted at Ctrl-C
	person() bool                       // whether somebody sits there
	close()
}

// errAborted is that of a line its user gave up.
var errAborted = errors.New("aborted")

// newLineReader returns an editor on a terminal that can be one, else what reads lines
// as they come.
func newLineReader(u *ui) (lineReader, error) {
	in, ok := u.stdin.(*os.File)
	terminal := ok && term.IsTerminal(int(in.Fd()))
	if terminal && columns(u.stdout) > 0 {
		return newEditor(in, u.stdout)
	}
	r := &plainLines{in: bufio.NewReader(u.stdin)}
	if terminal {
		r.prompts = u.stderr
	}
	return r, nil
}

// plainLines are those of a pipe, a file, or a terminal that can only print lines.
type plainLines struct {
	in      *bufio.Reader
	prompts io.Writer // nil where nobody reads them
}

func (p *plainLines) person() bool { return p.prompts != nil }
func (p *plainLines) close()       {}

func (p *plainLines) read(prompt string) (string, error) {
	if p.prompts != nil {
		fmt.Fprint(p.prompts, prompt)
	}
	line, err := p.in.ReadString('\n')
	if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
		return "", err
	}
	if !utf8.ValidString(line) {
		return "", errors.New("a line of standard input is not valid UTF-8")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// An editor reads lines on a terminal, with keys to edit and recall them. The terminal
// marks what is pasted, except on Windows, and a paste of several lines becomes one.
type editor struct {
	state  *liner.State
	out    io.Writer
	pasted bool // the terminal is asked to mark pastes
}

// What a terminal that is asked to puts around a paste, and how it is asked.
const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
	markPastes = "\x1b[?2004h"
	leavePaste = "\x1b[?2004l"
)

// newline stands for the end of a line in a line.
const newline = "⏎"

func newEditor(in *os.File, out io.Writer) (*editor, error) {
	e := &editor{out: out, pasted: runtime.GOOS != "windows"}
	if !e.pasted {
		e.state = liner.NewLiner()
	} else {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		go func() {
			_ = joinPastes(w, in)
			w.Close()
		}()
		os.Stdin = r // which liner takes its keys from; the terminal it finds by its number
		e.state = liner.NewLiner()
		os.Stdin = in
	}
	e.state.SetCtrlCAborts(true)
	e.state.SetMultiLineMode(true)
	return e, nil
}

func (e *editor) person() bool { return true }

func (e *editor) close() {
	if e.pasted {
		fmt.Fprint(e.out, leavePaste)
	}
	_ = e.state.Close() // nobody is left to be told
}

func (e *editor) read(prompt string) (string, error) {
	if e.pasted {
		fmt.Fprint(e.out, markPastes)
	}
	line, err := e.state.Prompt(prompt)
	switch {
	case errors.Is(err, liner.ErrPromptAborted):
		return "", errAborted
	case errors.Is(err, io.EOF):
		fmt.Fprintln(e.out)
		return "", io.EOF
	case err != nil:
		return "", fmt.Errorf("reading the terminal: %w", err)
	}
	if strings.TrimSpace(line) != "" {
		e.state.AppendHistory(line)
	}
	return strings.ReplaceAll(line, newline, "\n"), nil
}

// joinPastes copies what is typed, and of what is pasted the text, with newline for
// the ends of its lines but the last, until the keys end.
func joinPastes(w io.Writer, keys io.Reader) error {
	buf := make([]byte, 4096)
	p := paster{}
	for {
		n, err := keys.Read(buf)
		if _, e := w.Write(p.next(buf[:n])); e != nil {
			return e
		}
		if err != nil {
			return err
		}
	}
}

// A paster tells what is pasted from what is typed.
type paster struct {
	inside bool
	lines  int    // ends of lines in the paste that no text has followed yet
	cr     bool   // the last byte of the paste was a carriage return
	rest   string // that may be the beginning of a mark
}

// next returns what becomes of some bytes. Bytes that may begin a mark are kept until
// it is known, but no key that is typed alone: an escape, or one and a bracket.
func (p *paster) next(b []byte) []byte {
	text := p.rest + string(b)
	p.rest = ""
	var out []byte
	for text != "" {
		mark := pasteBegin
		if p.inside {
			mark = pasteEnd
		}
		i := strings.Index(text, mark)
		if i < 0 {
			for n := min(len(mark)-1, len(text)); n > 2 || n > 0 && p.inside; n-- {
				if strings.HasSuffix(text, mark[:n]) {
					p.rest = mark[:n]
					break
				}
			}
			return p.append(out, text[:len(text)-len(p.rest)])
		}
		out = p.append(out, text[:i])
		p.inside, p.lines, p.cr = !p.inside, 0, false
		text = text[i+len(mark):]
	}
	return out
}

// append appends text as it is when it is typed, and without control characters when
// it is pasted.
func (p *paster) append(out []byte, text string) []byte {
	if !p.inside {
		return append(out, text...)
	}
	for i := range len(text) {
		switch b := text[i]; {
		case b == '\n' && p.cr:
		case b == '\n', b == '\r':
			p.lines++
		case b == '\t', b >= ' ' && b != 0x7f:
			for ; p.lines > 0; p.lines-- {
				out = append(out, newline...)
			}
			if b == '\t' {
				b = ' '
			}
			out = append(out, b)
		}
		p.cr = text[i] == '\r'
	}
	return out
}
