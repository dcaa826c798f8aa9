package main

import (
	"example.com/finetune/internal/hint"
)

type chatCommand struct {
	modelFlags

	System    string `placeholder:"TEXT" help:"System message, for models with a chat template."`
	Compare   bool   `help:"Ask the base as well, and show its answer above the adapter's."`
	Raw       bool   `help:"Without the chat template: the model continues what you type."`
	MaxTokens int    `placeholder:"N" aliases:"max-new-tokens" default:"512" help:"Tokens of an answer at most (default ${default})."`
	samplerFlags
}

func (chatCommand) Help() string {
	return `A conversation through the model's chat template. Lines can be edited and recalled, several pasted lines are one message, ` +
		`Ctrl-C stops an answer, and Ctrl-D ends. /help lists what else can be typed. With --compare base and adapter each have a conversation of their own.

A model without a chat template, or an adapter that was trained without it, continues a text: what you type goes on in a new line of it, and Enter alone lets the model write more.

Where standard input is no terminal each line of it is a question, and standard output has the answers alone.

For example:

    finetune chat --adapter adapter
    finetune chat --model SmolLM2-135M-Instruct --system "Answer in one sentence." --temperature 0.7
    finetune chat --adapter adapter --compare
    printf 'What is LoRA?\nAnd rank?\n' | finetune chat --adapter adapter
`
}

// Run reads questions until there are no more.
func (c *chatCommand) Run(u *ui) error {
	if err := c.check(); err != nil {
		return err
	}
	c.warn(u)
	m, err := c.open(u, templateUnless(c.Raw))
	if err != nil {
		return err
	}
	defer m.Close()
	if c.System != "" && m.Template == nil {
		return hint.New(hint.Usagef("--system needs a chat template, and there is none"), "type it as the beginning of the text")
	}
	t := &talk{u: u, limit: c.MaxTokens, reads: m.Config.MaxPositionEmbeddings, plain: m.Template == nil}
	if c.Compare {
		base := m.Engine()
		base.SetAdapters(nil)
		t.add("base", base, m, &c.samplerFlags)
	}
	t.add("adapter", m.Engine(), m, &c.samplerFlags)
	if err := t.setSystem(c.System); err != nil {
		return hint.Usagef("--system: %w", err)
	}
	return t.run()
}

// check looks at the flags alone.
func (c *chatCommand) check() error {
	switch {
	case c.Compare && c.Adapter == "":
		return hint.New(hint.Usagef("--compare shows base and adapter, and there is no adapter"), "--adapter names its folder")
	case c.Raw && c.System != "":
		return hint.Usagef("--raw and --system contradict each other: a raw text has no messages")
	}
	if err := checkMaxTokens(c.MaxTokens); err != nil {
		return err
	}
	return c.samplerFlags.check()
}
