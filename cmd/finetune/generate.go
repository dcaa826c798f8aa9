package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/data"
)

// promptChunk is how many tokens of a prompt go through the model at once; it
// bounds memory and shows in no result.
const promptChunk = 512

type generateCommand struct {
	modelFlags

	Prompt      *string `short:"p" placeholder:"TEXT" help:"Text to go on from; - reads it from standard input. Empty: from the beginning of a text."`
	System      string  `placeholder:"TEXT" help:"System message, for models with a chat template."`
	Raw         bool    `help:"Send the prompt as it is, not as a user's turn."`
	MaxTokens   int     `placeholder:"N" aliases:"max-new-tokens" default:"100" help:"Tokens to write at most (default ${default})."`
	Temperature float64 `placeholder:"T" aliases:"temp" default:"0" help:"0 takes the likeliest token; 1 draws from the model's own probabilities (default ${default})."`
	TopP        float64 `placeholder:"P" default:"1" help:"Draw from the likeliest tokens that hold this probability (default ${default})."`
	TopK        int     `placeholder:"K" default:"0" help:"Draw from the K likeliest tokens (0: all)."`
	Seed        uint64  `placeholder:"N" default:"42" help:"Seed of the draws (default ${default})."`
}

func (generateCommand) Help() string {
	return `The prompt is sent as a user's turn when the model has a chat template and the adapter was trained through it. ` +
		`Standard output is the text alone, as it is written.

For example:

    finetune generate --adapter adapter --prompt "What is LoRA?"
    finetune generate --model SmolLM2-135M --raw --prompt "Once upon a time" --temperature 0.8 --seed 1
    echo "Summarise this." | finetune generate --adapter adapter --prompt -
`
}

// Run writes text until an end token or the limit.
func (c *generateCommand) Run(u *ui) error {
	if err := c.check(); err != nil {
		return err
	}
	text, err := c.readPrompt(u.stdin)
	if err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.close()
	ids, ends, err := c.encode(r, text)
	if err != nil {
		return err
	}
	limit := c.MaxTokens
	if room := r.config.MaxPositionEmbeddings - len(ids); room < 1 {
		return fmt.Errorf("the prompt has %s, but the model reads at most %s", many(len(ids), "token"), count(r.config.MaxPositionEmbeddings))
	} else if room < limit {
		u.warnf("the model reads at most %s: %s after the prompt", many(r.config.MaxPositionEmbeddings, "token"), many(room, "token"))
		limit = room
	}
	if err := r.model.Guard(func() error { return c.write(u, r, ids, ends, limit) }); err != nil {
		return err
	}
	return u.printf("\n")
}

// check looks at the flags alone.
func (c *generateCommand) check() error {
	switch {
	case c.Prompt == nil:
		return hint.New(hint.Usagef("no prompt"), `--prompt "Once upon a time", or --prompt - to read it from standard input`)
	case c.MaxTokens < 1:
		return hint.Usagef("--max-tokens is %d, want at least 1", c.MaxTokens)
	case !(c.Temperature >= 0 && c.Temperature < 100): // NaN is neither
		return hint.Usagef("--temperature is %v, want a number from 0 to 100", c.Temperature)
	case !(c.TopP > 0 && c.TopP <= 1):
		return hint.Usagef("--top-p is %v, want more than 0 and at most 1", c.TopP)
	case c.TopK < 0:
		return hint.Usagef("--top-k is %d, want a count, or 0 for all", c.TopK)
	case c.Raw && c.System != "":
		return hint.Usagef("--raw and --system contradict each other: a raw prompt has no turns")
	}
	return nil
}

func (c *generateCommand) readPrompt(stdin io.Reader) (string, error) {
	if *c.Prompt != "-" {
		return *c.Prompt, nil
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return "", fmt.Errorf("reading the prompt: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// encode returns the tokens of the prompt and the ids that end a text.
func (c *generateCommand) encode(r *reading, text string) (ids, ends []int32, err error) {
	var template *chat.Template
	if !c.Raw && text != "" && (r.origin == nil || r.origin.Base.ChatTemplate) {
		if template, err = r.template(); err != nil {
			return nil, nil, err
		}
	}
	ends = data.EndTokens(r.tok, template, r.config.EOS)
	if template == nil {
		if c.System != "" {
			return nil, nil, hint.New(hint.Usagef("--system needs a chat template, and there is none"), "put it into the prompt")
		}
		ids, err = r.begin(text)
		return ids, ends, err
	}
	var asked chat.Conversation
	if c.System != "" {
		asked.Messages = append(asked.Messages, chat.Message{Role: "system", Content: c.System})
	}
	asked.Messages = append(asked.Messages, chat.Message{Role: "user", Content: text})
	rendered, err := template.Render(asked, true)
	if err != nil {
		return nil, nil, err
	}
	ids = r.tok.Encode(rendered, false).IDs
	if len(ids) == 0 {
		return nil, nil, hint.New(errors.New("the chat template makes nothing of this prompt"), "--raw sends it as it is")
	}
	return ids, ends, nil
}

// begin encodes a text as the beginning of one; an empty one is BOS alone.
func (r *reading) begin(text string) ([]int32, error) {
	ids := r.tok.Encode(text, true).IDs
	if len(ids) > 0 {
		return ids, nil
	}
	if bos, ok := r.tok.BOS(); ok {
		return []int32{bos}, nil
	}
	if r.config.BOS >= 0 {
		return []int32{int32(r.config.BOS)}, nil
	}
	return nil, hint.New(errors.New("an empty prompt starts from BOS, and this model has none"), "give it a few words")
}

// write streams the text that follows ids to standard output.
func (c *generateCommand) write(u *ui, r *reading, ids, ends []int32, limit int) error {
	start := time.Now()
	w := writer{r.engine(), r.tok, model.Sampler{Temperature: c.Temperature, TopP: c.TopP, TopK: c.TopK, Seed: c.Seed}}
	n, err := w.write(ids, ends, limit, func(text string) error { return u.printf("%s", text) })
	u.debugf("%s after a prompt of %s, %.1f tokens/s", many(n, "token"), many(len(ids), "token"), float64(n)/time.Since(start).Seconds())
	return err
}

// A writer makes text with a model.
type writer struct {
	engine  *model.Engine
	tok     *tokenizer.Tokenizer
	sampler model.Sampler
}

// write hands the text that follows ids to emit as it comes, and returns its
// tokens: at most limit, and none that is in ends.
func (w *writer) write(ids, ends []int32, limit int, emit func(string) error) (n int, err error) {
	d := model.NewDecoder(w.engine, len(ids)+limit)
	stream := w.tok.NewStream(true)
	for _, id := range ids { // the words to come may depend on them, as a leading space does
		stream.Next(id)
	}
	logits := prefill(d, ids)
	for {
		id := w.sampler.Next(logits)
		if slices.Contains(ends, id) {
			break
		}
		n++
		if err := emit(stream.Next(id)); err != nil {
			return n, err
		}
		if n == limit {
			break
		}
		logits = d.Append([]int32{id})
	}
	return n, emit(stream.Flush())
}

// prefill appends the prompt and returns the logits of what follows it.
func prefill(d *model.Decoder, ids []int32) (logits []float32) {
	for chunk := range slices.Chunk(ids, promptChunk) {
		logits = d.Append(chunk)
	}
	return logits
}
