package generate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/model"
	"example.com/finetune/tokenizer"
)

// mostTexts are written at once at most: more of them take memory and give no speed.
const mostTexts = 64

// DefaultMemory is what keys and values of texts that are written at once may take.
const DefaultMemory = 512 << 20

// An Answer is what follows a prompt.
type Answer struct {
	Text string
	Result
}

// WriteAll answers prompts, many of them at once, and hands each answer to done when it
// ends, in whatever order. Every answer is the one that Write gives, with a sampler of its
// own. It stops when ctx ends or done fails.
//
// The texts that are written at once take o.Memory bytes at most, but for one; see
// [Options].
func (g *Generator) WriteAll(ctx context.Context, prompts []Prompt, o Options, done func(i int, a Answer) error) error {
	for i, p := range prompts {
		if err := g.Fits(p); err != nil {
			return fmt.Errorf("prompt %d: %w", i+1, err)
		}
	}
	b := &batch{g: g, prompts: prompts, o: o, done: done, last: &row{text: new(model.Text)}}
	for i := range prompts {
		b.waiting = append(b.waiting, i)
	}
	slices.SortStableFunc(b.waiting, func(i, k int) int { return slices.Compare(prompts[i].IDs, prompts[k].IDs) })
	return g.engine.Model().Guard(func() error {
		for len(b.waiting)+len(b.rows) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// A batch is texts that are written together. Prompts are taken in the order of their
// tokens, so that each one shares with the one before it all that it shares with any: it
// goes on from there, and what prompts share is computed once.
type batch struct {
	g       *Generator
	prompts []Prompt
	o       Options
	done    func(int, Answer) error

	waiting []int  // prompts that have not begun, by their tokens
	rows    []*row // texts that are being written
	used    int64  // bytes that they may come to
	last    *row   // the one that began last
}

// A row is a text of a batch.
type row struct {
	prompt  int
	o       Options
	sampler model.Sampler
	text    *model.Text
	next    []int32 // tokens that the text is to be extended by
	stream  *tokenizer.Stream
	out     strings.Builder
	bytes   int64
	result  Result
}

// step extends every text by a token, and the last one by a part of its prompt.
func (b *batch) step() error {
	b.admit()
	parts := make([]model.Portion, len(b.rows))
	asked := b.rows[:0:0]
	for i, r := range b.rows {
		n := min(len(r.next), promptChunk)
		parts[i] = model.Portion{Text: r.text, IDs: r.next[:n], Ask: n == len(r.next)}
		if r.next = r.next[n:]; parts[i].Ask {
			asked = append(asked, r)
		}
	}
	logits := b.g.engine.Extend(parts)
	ids, errs := make([]int32, len(asked)), make([]error, len(asked))
	b.g.engine.Pool().Run(len(asked), func(_, i int) {
		if errs[i] = numbers(logits.Row(i)); errs[i] == nil {
			ids[i] = asked[i].sampler.Next(logits.Row(i))
		}
	})
	for i, r := range asked {
		if errs[i] != nil {
			return errs[i]
		}
		if err := b.take(r, ids[i]); err != nil {
			return err
		}
	}
	return nil
}

// admit begins the next text where there is room, one after the other: the next one goes
// on from the last.
func (b *batch) admit() {
	n := len(b.rows)
	if len(b.waiting) == 0 || n == mostTexts || n > 0 && b.last.text.Len() < len(b.prompts[b.last.prompt].IDs) {
		return
	}
	index := b.waiting[0]
	p := b.prompts[index]
	r := &row{prompt: index, o: b.g.resolved(p, b.o)}
	r.bytes = b.g.engine.Model().Config.TextBytes(len(p.IDs) + r.o.Limit)
	if n > 0 && b.used+r.bytes > cmp.Or(b.o.Memory, DefaultMemory) {
		return
	}
	n = shared(b.last.text.IDs(), p.IDs)
	r.text, r.next, r.result.Reused = b.last.text.Fork(n), p.IDs[n:], n
	r.sampler, r.stream = *r.o.Sampler, b.g.stream(p)
	b.waiting, b.rows, b.used, b.last = b.waiting[1:], append(b.rows, r), b.used+r.bytes, r
}

// take adds a token to a text, which it may end.
func (b *batch) take(r *row, id int32) error {
	p := b.prompts[r.prompt]
	if r.result.Ended = slices.Contains(p.Ends, id); !r.result.Ended {
		r.result.Tokens++
		r.out.WriteString(r.stream.Next(id))
		r.next = []int32{id}
		if r.result.Tokens < r.o.Limit {
			return nil
		}
	}
	b.used -= r.bytes
	b.rows = slices.DeleteFunc(b.rows, func(of *row) bool { return of == r })
	return b.done(r.prompt, Answer{r.out.String() + r.stream.Flush(), r.result})
}
