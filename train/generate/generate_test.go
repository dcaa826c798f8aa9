package generate

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// demo is the model of finetune demo, which knows how stories go.
var demo = filepath.Join("..", "..", "cmd", "finetune", "demo", "model")

// opened returns an engine on the demo's model, and its tokenizer.
func opened(t *testing.T) (*model.Engine, *tokenizer.Tokenizer) {
	t.Helper()
	config, err := model.ReadConfig(demo)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(demo, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	tok, err := tokenizer.Load(demo)
	if err != nil {
		t.Fatal(err)
	}
	pool := simd.NewPool(2)
	t.Cleanup(pool.Close)
	return model.NewEngine(m, pool), tok
}

// text is what a generator writes.
func text(t *testing.T, g *Generator, p Prompt, o Options) (string, Result) {
	t.Helper()
	var b strings.Builder
	r, err := g.Write(t.Context(), p, o, func(s string) error { b.WriteString(s); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), r
}

func story(t *testing.T, g *Generator, begin string) Prompt {
	t.Helper()
	p, err := g.Text(begin)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Text from nothing is the published one, word for word.
func TestPublishedText(t *testing.T) {
	e, tok := opened(t)
	g := New(e, tok)
	want, err := os.ReadFile(filepath.Join(demo, "published.txt"))
	if err != nil {
		t.Fatal(err)
	}
	p := story(t, g, "")
	if bos, _ := tok.BOS(); !slices.Equal(p.IDs, []int32{bos}) {
		t.Errorf("an empty prompt is %v, want BOS", p.IDs)
	}
	if got, r := text(t, g, p, Options{Limit: 256}); got+"\n" != string(want) || r.Tokens > 256 {
		t.Errorf("%+v\n got %s\nwant %s", r, got, want)
	}
}

// A generator that wrote before writes what a new one writes, and computes less: the same
// prompt, one that goes on from an answer, one that leaves it, and one of other words.
func TestCacheChangesNothing(t *testing.T) {
	e, tok := opened(t)
	g := New(e, tok)
	begin := "Once upon a time, there was a girl named Zoe."
	first, _ := text(t, g, story(t, g, begin), Options{Limit: 20})
	for _, c := range []struct {
		text  string
		least int
	}{
		{begin, 10}, {begin + first + " Then", 15}, {begin + " She was sad.", 10}, {"The dog", 1}, {begin + first, 1},
	} {
		for _, sampler := range []model.Sampler{{}, {Temperature: 1, TopP: 0.9, Seed: 3}} {
			p, kept, fresh := story(t, g, c.text), sampler, sampler
			got, r := text(t, g, p, Options{Sampler: &kept, Limit: 40})
			want, n := text(t, New(e, tok), p, Options{Sampler: &fresh, Limit: 40})
			if got != want || r.Tokens != n.Tokens || r.Ended != n.Ended {
				t.Errorf("%q: %+v %q\nafter nothing: %+v %q", c.text, r, got, n, want)
			}
			if r.Reused < c.least || r.Reused >= len(p.IDs) || n.Reused != 0 {
				t.Errorf("%q: %d tokens of %d shared, want %d at least", c.text, r.Reused, len(p.IDs), c.least)
			}
		}
	}
}

const template = `{% for m in messages %}<|{{ m.role }}|> {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`

// A chat ends at the token that its template puts behind an answer; whatever else ends a
// text ends it too. A conversation that goes on shares its tokens.
func TestChat(t *testing.T) {
	e, tok := opened(t)
	path := filepath.Join(t.TempDir(), "chat.jinja")
	if err := os.WriteFile(path, []byte(template), 0o644); err != nil {
		t.Fatal(err)
	}
	tpl, err := chat.Load(demo, path, time.Now(), tok)
	if err != nil {
		t.Fatal(err)
	}
	e.Model().Config.EOS = []int{7, 9}
	g := New(e, tok)
	asked := chat.Conversation{Messages: []chat.Message{{Role: "user", Content: "Tell me."}}}
	p, err := g.Chat(tpl, asked)
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Decode(p.IDs, false); !strings.HasSuffix(got, "<|user|> Tell me.</s> <|assistant|>") {
		t.Errorf("the prompt is %q", got)
	}
	eos, _ := tok.EOS()
	for _, id := range []int32{7, 9, eos} {
		if !slices.Contains(p.Ends, id) {
			t.Errorf("%v do not hold %d", p.Ends, id)
		}
	}
	if got := tok.Decode(p.Ends[len(p.Ends)-1:], false); len(p.Ends) != 4 || got != "</s>" {
		t.Errorf("an answer ends with %v, last %q", p.Ends, got)
	}
	answer, _ := text(t, g, p, Options{Limit: 5})
	asked.Messages = append(asked.Messages, chat.Message{Role: "assistant", Content: answer}, chat.Message{Role: "user", Content: "More."})
	more, err := g.Chat(tpl, asked)
	if err != nil {
		t.Fatal(err)
	}
	if _, r := text(t, g, more, Options{Limit: 5}); r.Reused < len(p.IDs)-1 {
		t.Errorf("%d tokens shared, want the %d of the first prompt", r.Reused, len(p.IDs))
	}
}

// A token that ends the text is no part of it.
func TestEnds(t *testing.T) {
	e, tok := opened(t)
	g := New(e, tok)
	p := story(t, g, "Once upon a time")
	var ids []int32
	written := new(model.Text)
	for next, s := p.IDs, new(model.Sampler); len(ids) < 6; next = ids[len(ids)-1:] {
		ids = append(ids, s.Next(e.Extend([]model.Portion{{Text: written, IDs: next, Ask: true}}).Row(0)))
	}
	p.Ends = []int32{ids[5]}
	want := 5
	for i, id := range ids {
		if id == ids[5] {
			want = i
			break
		}
	}
	if _, r := text(t, g, p, Options{Limit: 20}); !r.Ended || r.Tokens != want {
		t.Errorf("%+v, want %d tokens and the end", r, want)
	}
	if _, r := text(t, g, story(t, g, "Once upon a time"), Options{Limit: 3}); r.Ended || r.Tokens != 3 {
		t.Errorf("%+v, want 3 tokens and no end", r)
	}
}

// The model's length bounds prompt and answer.
func TestRoom(t *testing.T) {
	e, tok := opened(t)
	e.Model().Config.MaxPositionEmbeddings = 12
	g := New(e, tok)
	p := story(t, g, "The cat")
	p.Ends = nil
	if room := g.Room(p); room != 12-len(p.IDs) {
		t.Errorf("room for %d", room)
	}
	for _, limit := range []int{0, 100} {
		if _, r := text(t, g, p, Options{Limit: limit}); r.Tokens != g.Room(p) {
			t.Errorf("limit %d: %+v", limit, r)
		}
	}
	long := Prompt{IDs: make([]int32, 12)}
	if _, err := g.Write(t.Context(), long, Options{}, nil); err == nil || !strings.Contains(err.Error(), "the prompt has 12 tokens, but the model reads at most 12") {
		t.Errorf("%v", err)
	}
}

// A text can be stopped, by the context or by who reads it, and goes on as if it had not
// been.
func TestStopped(t *testing.T) {
	e, tok := opened(t)
	g := New(e, tok)
	p := story(t, g, "Once upon a time")
	want, _ := text(t, New(e, tok), p, Options{Limit: 20})
	ctx, cancel := context.WithCancel(t.Context())
	tokens := 0
	_, err := g.Write(ctx, p, Options{Limit: 20}, func(string) error {
		if tokens++; tokens == 5 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || tokens > 7 {
		t.Errorf("%v after %d", err, tokens)
	}
	full := errors.New("full")
	if _, err := g.Write(t.Context(), p, Options{Limit: 20}, func(string) error { return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if got, _ := text(t, g, p, Options{Limit: 20}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A ruin is an adapter that makes everything NaN.
type ruin struct{}

func (ruin) Forward(_ *simd.Pool, y, _ simd.View) {
	for i := range y.Rows {
		y.Row(i)[0] = float32(math.NaN())
	}
}
func (ruin) Backward(_ *simd.Pool, _, _, _ simd.View) {}

// A damaged model is an error and not a text.
func TestNotNumbers(t *testing.T) {
	e, tok := opened(t)
	list := make([]model.Adapter, len(e.Model().Linears()))
	list[3] = ruin{}
	e.SetAdapters(list)
	g := New(e, tok)
	wrote := ""
	_, err := g.Write(t.Context(), story(t, g, "The cat"), Options{Limit: 3}, func(s string) error { wrote += s; return nil })
	if err == nil || !strings.Contains(err.Error(), "not a number") || wrote != "" {
		t.Errorf("%v, wrote %q", err, wrote)
	}
	e.SetAdapters(nil)
	if got, r := text(t, g, story(t, g, "The cat"), Options{Limit: 3}); got == "" || r.Reused != 0 {
		t.Errorf("%q, %+v: what was damaged was used again", got, r)
	}
}
