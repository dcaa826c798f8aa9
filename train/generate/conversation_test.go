package generate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/finetune/tokenizer/chat"
)

// talk returns a conversation with the demo's model through a template, "" for none.
func talk(t *testing.T, source string) *Conversation {
	t.Helper()
	e, tok := opened(t)
	if source == "" {
		return NewConversation(New(e, tok), nil)
	}
	path := filepath.Join(t.TempDir(), "chat.jinja")
	if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	tpl, err := chat.Load(demo, path, time.Now(), tok)
	if err != nil {
		t.Fatal(err)
	}
	return NewConversation(New(e, tok), tpl)
}

// ask returns an answer of at most some tokens.
func ask(t *testing.T, c *Conversation, question string, limit int) (string, Result) {
	t.Helper()
	var b strings.Builder
	r, err := c.Ask(t.Context(), question, Options{Limit: limit}, func(s string) error { b.WriteString(s); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), r
}

// Questions and answers alternate, the system message is first, and the tokens of what
// was said before are computed once.
func TestConversation(t *testing.T) {
	c := talk(t, template)
	c.System = "Be brief."
	first, _ := ask(t, c, "Tell me.", 8)
	_, r := ask(t, c, "More.", 8)
	p, err := c.prompt("And?")
	if err != nil {
		t.Fatal(err)
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	want := squeeze("<|system|> Be brief.</s> <|user|> Tell me.</s> <|assistant|> " + first + "</s> <|user|> More.</s> <|assistant|>")
	if got := squeeze(c.g.tok.Decode(p.IDs, false)); !strings.Contains(got, want) {
		t.Errorf("the prompt is %q, want %q in it", got, want)
	}
	if r.Reused < 20 {
		t.Errorf("%d tokens shared with the first answer", r.Reused)
	}
	if roles := roles(c); roles != "system user assistant user assistant" {
		t.Error(roles)
	}
	if !c.Undo() || roles(c) != "system user assistant" || !c.Undo() || c.Undo() || roles(c) != "system" {
		t.Errorf("undone: %s", roles(c))
	}
	if again, _ := ask(t, c, "Tell me.", 8); again != first {
		t.Errorf("asked again it says %q, before %q", again, first)
	}
	c.Reset()
	if roles(c) != "system" {
		t.Errorf("reset: %s", roles(c))
	}
}

func roles(c *Conversation) string {
	var list []string
	for _, m := range c.Messages() {
		list = append(list, m.Role)
	}
	return strings.Join(list, " ")
}

// Without a template the model continues a text, and what is typed begins a line of it;
// nothing typed lets it go on as if it had not stopped.
func TestPlainConversation(t *testing.T) {
	c, whole := talk(t, ""), talk(t, "")
	one, _ := ask(t, c, "Once upon a time", 10)
	two, _ := ask(t, c, "", 10)
	if all, _ := ask(t, whole, "Once upon a time", 20); one+two != all {
		t.Errorf("in two parts %q, in one %q", one+two, all)
	}
	ask(t, c, "The dog", 3)
	if got := c.Text(); !strings.HasPrefix(got, "Once upon a time"+one+two+"\nThe dog") {
		t.Errorf("the text is %q", got)
	}
}

// A stopped answer stays as far as it went, one that had not begun does not.
func TestStoppedAnswer(t *testing.T) {
	c := talk(t, template)
	ctx, cancel := context.WithCancel(t.Context())
	said := ""
	_, err := c.Ask(ctx, "Tell me.", Options{Limit: 50}, func(s string) error {
		if said += s; len(said) > 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || c.Messages()[1].Content != said {
		t.Errorf("%v, %+v, said %q", err, c.Messages(), said)
	}
	if _, err := c.Ask(ctx, "More.", Options{}, func(string) error { return nil }); !errors.Is(err, context.Canceled) || len(c.Messages()) != 2 {
		t.Errorf("%v, %+v", err, c.Messages())
	}
	ask(t, c, "More.", 5)
}

// A question that the model has no room for is an error and no part of the
// conversation, which goes on when something is taken back.
func TestOutgrown(t *testing.T) {
	c := talk(t, template)
	c.g.engine.Model().Config.MaxPositionEmbeddings = 60
	if _, r := ask(t, c, "Tell me.", 0); r.Tokens < 10 {
		t.Skipf("the model ended after %d tokens", r.Tokens)
	}
	full := new(OutgrownError)
	_, err := c.Ask(t.Context(), strings.Repeat("More. ", 20), Options{}, nil)
	if !errors.As(err, &full) || full.Reads != 60 || full.Tokens < 60 || len(c.Messages()) != 2 {
		t.Errorf("%v, %d messages", err, len(c.Messages()))
	}
	c.Undo()
	if room, err := c.Room("Hi."); err != nil || room < 10 {
		t.Errorf("room for %d, %v", room, err)
	}
	ask(t, c, "Hi.", 5)
}

// A template that takes no system message says so before anything is asked.
func TestCheckSystem(t *testing.T) {
	c := talk(t, `{% if messages[0].role == 'system' %}{{ raise_exception('no system message') }}{% endif %}`+template)
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	c.System = "Be brief."
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "no system message") {
		t.Errorf("%v", err)
	}
}
