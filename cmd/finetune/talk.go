package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
	"unicode"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/opened"
)

// A talk is a conversation with one model, or with base and adapter, each in a
// conversation of its own.
type talk struct {
	u     *ui
	sides []*side
	lines lineReader
	limit int  // tokens of an answer
	reads int  // tokens the model reads at most
	plain bool // without a chat template
}

// A side is one of the models.
type side struct {
	*generate.Conversation
	name    string
	sampler *model.Sampler
}

func (t *talk) add(name string, e *model.Engine, m *opened.Model, f *samplerFlags) {
	c := generate.NewConversation(generate.New(e, m.Tokenizer), m.Template)
	t.sides = append(t.sides, &side{c, name, f.sampler()})
}

// setSystem changes the system message, unless the template cannot write it.
func (t *talk) setSystem(text string) error {
	for _, s := range t.sides {
		old := s.System
		s.System = text
		if err := s.Check(); err != nil {
			s.System = old
			return err
		}
	}
	return nil
}

// errEnough ends a conversation as its user wants it.
var errEnough = errors.New("enough")

// run reads lines until there are no more.
func (t *talk) run() error {
	lines, err := newLineReader(t.u)
	if err != nil {
		return err
	}
	t.lines = lines
	defer lines.close()
	ctx, done := signal.NotifyContext(context.Background(), endings()...)
	defer done()
	if lines.person() {
		t.greet()
	}
	for {
		line, err := t.read(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errAborted):
			t.u.infof("Ctrl-D ends, /help lists what can be typed")
			continue
		case err != nil:
			return err
		}
		err = t.take(ctx, line)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err != nil && (!lines.person() || ctx.Err() != nil || errors.Is(err, errInterrupted)):
			return err
		case err != nil: // whoever sits there can try something else
			t.u.fail(err)
		}
	}
}

func (t *talk) greet() {
	what := "talk to the model"
	if t.plain {
		what = "there is no chat template: the model continues what you type, and Enter alone lets it go on"
	}
	t.u.infof("%s; Ctrl-C stops an answer, Ctrl-D ends, /help lists more", what)
}

// read waits for a line, or for a signal.
func (t *talk) read(ctx context.Context) (string, error) {
	type result struct {
		line string
		err  error
	}
	ctx, done := signal.NotifyContext(ctx, os.Interrupt)
	defer done()
	c := make(chan result, 1)
	go func() {
		line, err := t.lines.read(">>> ")
		c <- result{line, err}
	}()
	select {
	case r := <-c:
		return r.line, r.err
	case <-ctx.Done():
		return "", errInterrupted
	}
}

// take does what a line says.
func (t *talk) take(ctx context.Context, line string) error {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case strings.HasPrefix(line, "//"): // a question that begins with a slash
		line = line[1:]
	case strings.HasPrefix(word, "/"):
		return t.command(word, strings.TrimSpace(rest))
	case strings.TrimSpace(line) == "" && !t.plain:
		return nil
	}
	return t.ask(ctx, line)
}

// ask prints the answers.
func (t *talk) ask(ctx context.Context, question string) error {
	for _, s := range t.sides {
		if len(t.sides) > 1 {
			if err := t.u.printf("%s\n", t.u.bold(s.name)); err != nil {
				return err
			}
		}
		if err := t.answer(ctx, s, question); err != nil {
			return err
		}
	}
	return nil
}

// answer prints one answer and how it was made. Ctrl-C stops it, in a pipe for good.
func (t *talk) answer(ctx context.Context, s *side, question string) error {
	ctx, done := signal.NotifyContext(ctx, os.Interrupt)
	defer done()
	start, first := time.Now(), time.Duration(0)
	show := func(text string) error {
		if first == 0 {
			first = time.Since(start)
		}
		if t.lines.person() {
			text = printable(text)
		}
		return t.u.printf("%s", text)
	}
	room, err := s.Room(question)
	if err != nil {
		return err
	}
	r, err := s.Ask(ctx, question, generate.Options{Sampler: s.sampler, Limit: t.limit}, show)
	if full := new(generate.OutgrownError); errors.As(err, &full) {
		return t.outgrown(s, err)
	}
	stopped := ctx.Err() != nil && errors.Is(err, ctx.Err())
	if err != nil && !stopped {
		return err
	}
	if err := t.u.printf("\n"); err != nil {
		return err
	}
	if stopped && !t.lines.person() {
		return errInterrupted
	}
	t.u.debugf("%s read, %d of them known from before", many(t.reads-room, "token"), r.Reused)
	how := many(r.Tokens, "token")
	if took := time.Since(start) - first; r.Tokens > 1 && took > 0 {
		how += fmt.Sprintf(", %.1f tokens/s", float64(r.Tokens-1)/took.Seconds())
	}
	switch {
	case stopped:
		how += ", stopped"
	case !r.Ended && r.Tokens >= room:
		t.u.warnf("the answer ends here: the conversation has filled the %s that the model reads; /undo or /reset makes room", many(t.reads, "token"))
	case !r.Ended:
		how += ", cut off by --max-tokens"
	}
	if t.lines.person() {
		t.u.infof("[%s]", how)
	}
	return nil
}

// outgrown says what can be done about a conversation without room.
func (t *talk) outgrown(s *side, err error) error {
	switch {
	case s.Text() == "":
		return hint.New(err, "ask less at once")
	case t.lines.person():
		return hint.New(err, "/undo takes the last question and answer back, /reset begins anew")
	}
	return hint.New(err, "a line /reset between questions begins anew")
}

// command does what a line with a slash says.
func (t *talk) command(word, rest string) error {
	switch word {
	case "/help", "/?":
		t.u.line(levelError, strings.TrimRight(chatCommands, "\n"))
	case "/reset", "/clear":
		for _, s := range t.sides {
			s.Reset()
		}
		t.u.infof("a new conversation")
	case "/undo":
		return t.undo()
	case "/system":
		return t.system(rest)
	case "/save":
		return t.save(rest)
	case "/bye", "/exit", "/quit":
		return errEnough
	default:
		return hint.New(fmt.Errorf("there is no %s", word), "/help lists what there is; a question that begins with a slash has two")
	}
	return nil
}

const chatCommands = `/undo          take the last question and its answer back
/reset         begin anew; the system message stays
/system TEXT   change the system message; without a text, show it; "" takes it away
/save FILE     write the conversation as a row that finetune train reads
/help          this
Ctrl-C stops an answer, which stays as far as it went; Ctrl-D or /bye ends. Up recalls a line.
Several lines that are pasted are one message, shown with ` + newline + ` where a line ends. //x asks "/x".
`

func (t *talk) undo() error {
	said := 0
	for _, s := range t.sides { // one whose answer was stopped before it began has less
		said = max(said, len(s.Messages()))
	}
	undone := false
	for _, s := range t.sides {
		if len(s.Messages()) == said {
			undone = s.Undo() || undone
		}
	}
	if !undone {
		return errors.New("there is nothing to take back")
	}
	t.u.infof("the last question and its answer are taken back")
	return nil
}

func (t *talk) system(text string) error {
	if t.plain {
		return errors.New("a system message needs a chat template, and there is none")
	}
	if text == "" {
		t.u.infof("the system message is %q", t.sides[0].System)
		return nil
	}
	if text == `""` {
		text = ""
	}
	if err := t.setSystem(text); err != nil {
		return err
	}
	t.u.infof("the system message is %q", text)
	return nil
}

// save writes the conversation, with --compare the adapter's, as a row of data.
func (t *talk) save(path string) error {
	s := t.sides[len(t.sides)-1]
	if path == "" {
		return errors.New("/save FILE wants the name of a new file")
	}
	if len(s.Messages()) == 0 || s.Text() == "" {
		return errors.New("nothing was said yet")
	}
	path = files.Home(path)
	if _, err := os.Lstat(path); err == nil {
		return hint.New(fmt.Errorf("%s: there already", path), "/save with a new name")
	}
	var row any = map[string]string{"text": s.Text()}
	if !t.plain {
		row = map[string]any{"messages": savedMessages(s.Messages())}
	}
	text, err := json.Marshal(row)
	if err == nil {
		err = files.Write(path, append(text, '\n'))
	}
	if err == nil {
		t.u.infof("saved in %s", path)
	}
	return err
}

type savedMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func savedMessages(messages []chat.Message) (list []savedMessage) {
	for _, m := range messages {
		list = append(list, savedMessage{m.Role, m.Content})
	}
	return list
}

// printable drops what would steer the terminal, escape sequences for one.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
