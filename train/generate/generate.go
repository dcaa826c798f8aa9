package generate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/tokenizer"
)

// promptChunk is how many tokens of a prompt go through the model at once; it
// bounds memory and shows in no result.
const promptChunk = 512

// A Generator writes text with an engine, and keeps the keys and values of what it wrote
// last. It serves one caller at a time.
type Generator struct {
	engine *model.Engine
	tok    *tokenizer.Tokenizer
	last   *model.Text // empty before the first one
}

// New returns a generator. It wants the engine's adapters as they are: when they change,
// [Generator.Forget] what was computed with the others.
func New(e *model.Engine, t *tokenizer.Tokenizer) *Generator {
	return &Generator{engine: e, tok: t, last: new(model.Text)}
}

// Forget lets go of the last text.
func (g *Generator) Forget() { g.last = new(model.Text) }

// Room returns how many tokens the model has room for behind a prompt.
func (g *Generator) Room(p Prompt) int {
	return g.engine.Model().Config.MaxPositionEmbeddings - len(p.IDs)
}

// Fits returns an error for a prompt that the model has no room for a token behind.
func (g *Generator) Fits(p Prompt) error {
	if room := g.Room(p); room < 1 {
		return fmt.Errorf("the prompt has %d tokens, but the model reads at most %d", len(p.IDs), room+len(p.IDs))
	}
	return nil
}

// Options say how to write. The sampler draws on from text to text.
type Options struct {
	Sampler *model.Sampler // nil takes the likeliest token
	Limit   int            // tokens at most; 0: as many as the model has room for
	Memory  int64          // of texts that are written at once, in bytes; 0: DefaultMemory
}

// resolved puts in what follows from the model.
func (g *Generator) resolved(p Prompt, o Options) Options {
	if room := g.Room(p); o.Limit == 0 || o.Limit > room {
		o.Limit = room
	}
	if o.Sampler == nil {
		o.Sampler = new(model.Sampler)
	}
	return o
}

// A Result is what came of a prompt.
type Result struct {
	Reused int  // tokens of the prompt that were there from the text before
	Tokens int  // of the answer
	Ended  bool // the model ended it; otherwise it reached the limit
}

// Write hands the text that follows a prompt to emit as it comes, in whole characters.
// It stops between tokens when ctx ends or emit fails. An answer that stopped anywhere
// can be continued by a prompt that begins with it.
func (g *Generator) Write(ctx context.Context, p Prompt, o Options, emit func(string) error) (r Result, err error) {
	if err := g.Fits(p); err != nil {
		return r, err
	}
	o = g.resolved(p, o)
	err = g.engine.Model().Guard(func() error {
		r, err = g.write(ctx, p, o, emit)
		return err
	})
	if err != nil && ctx.Err() == nil {
		g.Forget() // whatever failed, nothing of it is to be used again
	}
	return r, err
}

func (g *Generator) write(ctx context.Context, p Prompt, o Options, emit func(string) error) (r Result, err error) {
	r.Reused = shared(g.last.IDs(), p.IDs)
	g.last.Truncate(r.Reused)
	stream := g.stream(p)
	logits, err := g.read(ctx, p.IDs[r.Reused:])
	for err == nil {
		id := o.Sampler.Next(logits)
		if r.Ended = slices.Contains(p.Ends, id); r.Ended {
			break
		}
		r.Tokens++
		if err := emit(stream.Next(id)); err != nil {
			return r, err
		}
		if r.Tokens == o.Limit {
			break
		}
		logits, err = g.read(ctx, []int32{id})
	}
	return r, errors.Join(err, emit(stream.Flush()))
}

// stream returns the text of tokens behind a prompt, whose words may depend on it, as a
// leading space does.
func (g *Generator) stream(p Prompt) *tokenizer.Stream {
	stream := g.tok.NewStream(true)
	for _, id := range p.IDs {
		stream.Next(id)
	}
	return stream
}

// shared returns how many tokens of a prompt a text begins with, all of them but the last
// at most: the logits behind that one are wanted.
func shared(text, prompt []int32) int {
	n := 0
	for n < len(prompt)-1 && n < len(text) && text[n] == prompt[n] {
		n++
	}
	return n
}

// read appends tokens to the last text and returns the logits of what follows.
func (g *Generator) read(ctx context.Context, ids []int32) (logits []float32, err error) {
	for chunk := range slices.Chunk(ids, promptChunk) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		logits = g.engine.Extend([]model.Portion{{Text: g.last, IDs: chunk, Ask: true}}).Row(0)
	}
	return logits, numbers(logits)
}

// numbers returns an error for logits that are none.
func numbers(logits []float32) error {
	for _, v := range logits {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return hint.New(errors.New("what the model says is not a number"), "its weights or the adapter are damaged")
		}
	}
	return nil
}
