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
	engine  *model.Engine
	tok     *tokenizer.Tokenizer
	decoder *model.Decoder // nil before the first text
	ids     []int32        // the tokens in it
}

// New returns a generator. It wants the engine's adapters as they are: when they change,
// [Generator.Forget] what was computed with the others.
func New(e *model.Engine, t *tokenizer.Tokenizer) *Generator {
	return &Generator{engine: e, tok: t}
}

// Forget lets go of the last text.
func (g *Generator) Forget() { g.decoder, g.ids = nil, nil }

// Room returns how many tokens the model has room for behind a prompt.
func (g *Generator) Room(p Prompt) int {
	return g.engine.Model().Config.MaxPositionEmbeddings - len(p.IDs)
}

// Options say how to write. The sampler draws on from text to text.
type Options struct {
	Sampler *model.Sampler // nil takes the likeliest token
	Limit   int            // tokens at most; 0: as many as the model has room for
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
	room := g.Room(p)
	if room < 1 {
		return r, fmt.Errorf("the prompt has %d tokens, but the model reads at most %d", len(p.IDs), room+len(p.IDs))
	}
	if o.Limit == 0 || o.Limit > room {
		o.Limit = room
	}
	if o.Sampler == nil {
		o.Sampler = new(model.Sampler)
	}
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
	r.Reused = g.rewind(p.IDs, o.Limit)
	stream := g.tok.NewStream(true)
	for _, id := range p.IDs { // the words to come may depend on them, as a leading space does
		stream.Next(id)
	}
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

// rewind cuts the text to what it shares with ids, all of them but the last at most: the
// logits behind that one are wanted. It returns how many they share. A first text gets
// room for an answer of limit tokens.
func (g *Generator) rewind(ids []int32, limit int) int {
	n := 0
	for n < len(ids)-1 && n < len(g.ids) && ids[n] == g.ids[n] {
		n++
	}
	if g.decoder == nil {
		g.decoder = model.NewDecoder(g.engine, len(ids)+min(limit, promptChunk))
	}
	g.decoder.Truncate(n)
	g.ids = g.ids[:n]
	return n
}

// read appends tokens to the text and returns the logits of what follows.
func (g *Generator) read(ctx context.Context, ids []int32) (logits []float32, err error) {
	if need := len(g.ids) + len(ids); need > g.decoder.Capacity() {
		g.decoder.Grow(min(2*need, g.engine.Model().Config.MaxPositionEmbeddings))
	}
	for chunk := range slices.Chunk(ids, promptChunk) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		logits = g.decoder.Append(chunk)
		g.ids = append(g.ids, chunk...)
	}
	for _, v := range logits {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, hint.New(errors.New("what the model says is not a number"), "its weights or the adapter are damaged")
		}
	}
	return logits, nil
}
