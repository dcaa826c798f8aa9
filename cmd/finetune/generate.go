package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

type generateCommand struct {
	modelFlags

	Prompt    *string `short:"p" placeholder:"TEXT" help:"Text to go on from; - reads it from standard input. Empty: from the beginning of a text."`
	Prompts   path    `placeholder:"FILE" help:"File of prompts, many of them answered at once: one a line of a .txt file, or rows with prompt or messages."`
	System    string  `placeholder:"TEXT" help:"System message, for models with a chat template."`
	Raw       bool    `help:"Send the prompt as it is, not as a message of the user's."`
	MaxTokens int     `placeholder:"N" aliases:"max-new-tokens" default:"100" help:"Tokens to write at most (default ${default})."`
	samplerFlags

	Memory recipe.Size `placeholder:"SIZE" default:"512MiB" help:"What the texts of --prompts that are written at once may take, in keys and values (default ${default}). No answer depends on it."`
}

func (generateCommand) Help() string {
	return `The prompt is sent as a message of the user's when the model has a chat template and the adapter was trained through it. ` +
		`Standard output is the text alone, as it is written.

With --prompts it is one JSON object for each prompt, in the file's order: prompt and completion, or messages with the answer as the last one, ` +
		`the number of its tokens, and whether the model ended it. These are rows that train and eval read. ` +
		`What prompts have in common at their beginning is computed once, and no answer depends on those beside it.

For example:

    finetune generate --adapter adapter --prompt "What is LoRA?"
    finetune generate --model SmolLM2-135M --raw --prompt "Once upon a time" --temperature 0.8 --seed 1
    echo "Summarise this." | finetune generate --adapter adapter --prompt -
    finetune generate --adapter adapter --prompts questions.txt > answers.jsonl
`
}

// Run writes text until an end token or the limit.
func (c *generateCommand) Run(u *ui) error {
	if err := c.check(); err != nil {
		return err
	}
	c.warn(u)
	if c.Prompts != "" {
		return c.answer(u)
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
	answer, err := g.Write(context.Background(), prompt, c.options(), func(text string) error { return u.printf("%s", text) })
	u.debugf("%s after a prompt of %s, %.1f tokens/s", many(answer.Tokens, "token"), many(len(prompt.IDs), "token"), float64(answer.Tokens)/time.Since(start).Seconds())
	if err != nil {
		return err
	}
	return u.printf("\n")
}

func (c *generateCommand) options() generate.Options {
	return generate.Options{Sampler: c.sampler(), Limit: c.MaxTokens, Memory: int64(c.Memory)}
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
	case c.Prompt != nil && c.Prompts != "":
		return hint.Usagef("--prompt and --prompts contradict each other")
	case c.Prompt == nil && c.Prompts == "":
		return hint.New(hint.Usagef("no prompt"), `--prompt "Once upon a time", --prompt - to read it from standard input, or --prompts FILE for many`)
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
	if !utf8.Valid(text) {
		return "", hint.New(errors.New("the prompt on standard input is not valid UTF-8"), "write it again as UTF-8: iconv -f UTF-16 -t UTF-8, or -f LATIN1")
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
