package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

type generateCommand struct {
	modelFlags

	Prompt    *string `short:"p" placeholder:"TEXT" help:"Text to go on from; - reads it from standard input. Empty: from the beginning of a text."`
	System    string  `placeholder:"TEXT" help:"System message, for models with a chat template."`
	Raw       bool    `help:"Send the prompt as it is, not as a message of the user's."`
	MaxTokens int     `placeholder:"N" aliases:"max-new-tokens" default:"100" help:"Tokens to write at most (default ${default})."`
	samplerFlags
}

func (generateCommand) Help() string {
	return `The prompt is sent as a message of the user's when the model has a chat template and the adapter was trained through it. ` +
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
	m, err := c.open(u, templateUnless(c.Raw || text == ""))
	if err != nil {
		return err
	}
	defer m.Close()
	g := generate.New(m.Engine(), m.Tokenizer)
	prompt, err := c.encode(g, m.Template, text)
	if err != nil {
		return err
	}
	if room := g.Room(prompt); room > 0 && room < c.MaxTokens {
		u.warnf("the model reads at most %s: %s after the prompt", many(m.Config.MaxPositionEmbeddings, "token"), many(room, "token"))
	}
	start := time.Now()
	answer, err := g.Write(context.Background(), prompt, generate.Options{Sampler: c.sampler(), Limit: c.MaxTokens}, func(text string) error { return u.printf("%s", text) })
	u.debugf("%s after a prompt of %s, %.1f tokens/s", many(answer.Tokens, "token"), many(len(prompt.IDs), "token"), float64(answer.Tokens)/time.Since(start).Seconds())
	if err != nil {
		return err
	}
	return u.printf("\n")
}

// templateUnless has messages go through the model's chat template, unless the text is
// raw or the adapter was trained without one.
func templateUnless(raw bool) func(*recipe.Config, *rundir.Provenance) error {
	return func(r *recipe.Config, origin *rundir.Provenance) error {
		if raw || origin != nil && !origin.Base.ChatTemplate {
			r.ChatTemplate = "none"
		}
		return nil
	}
}

// encode returns the prompt, as a message of the user's where there is a template.
func (c *generateCommand) encode(g *generate.Generator, template *chat.Template, text string) (generate.Prompt, error) {
	if template == nil {
		if c.System != "" {
			return generate.Prompt{}, hint.New(hint.Usagef("--system needs a chat template, and there is none"), "put it into the prompt")
		}
		return g.Text(text)
	}
	var asked chat.Conversation
	if c.System != "" {
		asked.Messages = append(asked.Messages, chat.Message{Role: "system", Content: c.System})
	}
	asked.Messages = append(asked.Messages, chat.Message{Role: "user", Content: text})
	return g.Chat(template, asked)
}

// check looks at the flags alone.
func (c *generateCommand) check() error {
	switch {
	case c.Prompt == nil:
		return hint.New(hint.Usagef("no prompt"), `--prompt "Once upon a time", or --prompt - to read it from standard input`)
	case c.Raw && c.System != "":
		return hint.Usagef("--raw and --system contradict each other: a raw prompt has no messages")
	}
	if err := checkMaxTokens(c.MaxTokens); err != nil {
		return err
	}
	return c.samplerFlags.check()
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
