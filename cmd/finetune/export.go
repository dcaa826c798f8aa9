package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone/gguf"
	"example.com/finetune/loraone/mlx"
	"example.com/finetune/loraone/ollama"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/opened"
)

type exportCommand struct {
	Adapter path   `aliases:"adapter-path" placeholder:"DIR" help:"Folder of the adapter."`
	Model   path   `short:"m" aliases:"model-name-or-path" placeholder:"DIR" help:"Folder of the base, or its id on the Hub (see --download) (default: the adapter's base)."`
	To      string `placeholder:"WORD" help:"gguf, mlx, ollama or peft, as above."`
	Output  path   `name:"output" aliases:"output-dir" short:"o" placeholder:"PATH" help:"The new file (gguf) or folder."`
	Merged  bool   `help:"With gguf: write the whole model with the adapter in its weights."`
	Type    string `placeholder:"TYPE" help:"Of GGUF: f32, f16 or bf16, and q8_0 for a whole model (default f32; f16 for a whole model)."`
	From    string `name:"ollama-base" placeholder:"NAME" help:"With ollama: the base as Ollama has it already (default: the folder gets a base.gguf)."`
	Verify  bool   `help:"Run llama.cpp (llama_cpp), mlx-lm or PEFT of the python3 on the PATH on what was written, and compare its logits."`
	Threads int    `placeholder:"N" help:"Threads (0: all cores). The result does not depend on it."`
}

func (exportCommand) Help() string {
	return `Writes an adapter for another program:

    gguf    one file for llama.cpp and what builds on it: the adapter alone, to be used beside a GGUF of the base, or with --merged the whole model
    mlx     a folder for mlx-lm
    ollama  a folder with adapter.gguf, base.gguf and a Modelfile, whose TEMPLATE is proved to render as the model's own
    peft    a folder that every version of PEFT loads, and vLLM and TGI: one rank, one scale, no patterns

What is written is read back and compared before it takes its name. With --verify the program that it is for then reads some texts, and its
logits have to be ours: llama.cpp, mlx-lm or PEFT as a module of the python3 on the PATH (an environment's bin folder put first on it serves). An
adapter alone for llama.cpp is tried on a base in f32, which lies beside it meanwhile.

For example:

    finetune export --adapter adapter --to gguf -o adapter.gguf
    finetune export --adapter adapter --to gguf --merged --type q8_0 -o model.gguf
    finetune export --adapter adapter --to mlx -o adapter-mlx
    finetune export --adapter adapter --to ollama -o adapter-ollama
`
}

// exports are the words of --to.
var exports = []string{"gguf", "mlx", "ollama", "peft"}

// Run writes the file or folder.
func (c *exportCommand) Run(u *ui) error {
	if err := c.check(); err != nil {
		return err
	}
	var by consumer
	if c.Verify {
		var err error
		if by, err = findConsumer(c.To); err != nil {
			return err
		}
	}
	m, err := openAdapted(u, c.Model, c.Adapter, c.Threads)
	if err != nil {
		return err
	}
	defer m.Close()
	ctx, done := interruptible()
	defer done()
	write := map[string]func(context.Context, *ui, *opened.Model) error{"gguf": c.adapter, "mlx": c.mlx, "ollama": c.ollama, "peft": c.peft}[c.To]
	if c.Merged {
		write = c.model
	}
	if err := write(ctx, u, m); err != nil {
		return stopped(u, ctx, err, "nothing of "+string(c.Output)+" is left")
	}
	if !c.Verify {
		return nil
	}
	return stopped(u, ctx, c.verify(ctx, u, m, by), string(c.Output)+" is written, and not verified")
}

// check holds the flags to each other before anything is opened.
func (c *exportCommand) check() error {
	switch {
	case c.To == "":
		return hint.New(hint.Usagef("no --to"), "--to "+strings.Join(exports, ", --to "))
	case !slices.Contains(exports, c.To):
		return hint.Usagef("--to is %q, want one of %s", c.To, strings.Join(exports, ", "))
	case c.Output == "":
		return hint.New(hint.Usagef("no output"), "-o names the new file or folder")
	case c.To != "gguf" && c.Merged:
		return hint.New(hint.Usagef("--merged is for --to gguf"), "finetune merge writes a model folder, which mlx-lm and transformers load")
	case c.Type != "" && (c.To != "gguf" && c.To != "ollama" || c.From != ""):
		return hint.Usagef("--type is for --to gguf, and for the base.gguf of --to ollama")
	case c.From != "" && c.To != "ollama":
		return hint.Usagef("--ollama-base is for --to ollama")
	}
	if _, err := c.kind(gguf.F32); err != nil {
		return err
	}
	if c.To == "gguf" {
		return c.freeFile()
	}
	return nil
}

// freeFile returns an error where the output cannot be a new file.
func (c *exportCommand) freeFile() error {
	path := string(c.Output)
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir(), os.IsPathSeparator(path[len(path)-1]):
		return hint.New(fmt.Errorf("%s: a folder, and --to gguf writes one file", path), "-o "+quote(filepath.Join(path, "adapter.gguf")))
	case err == nil:
		return hint.New(fmt.Errorf("%s: there already", path), "name a new file, or remove it first")
	}
	return nil
}

// kind returns the type of GGUF's matrices.
func (c *exportCommand) kind(otherwise gguf.Type) (gguf.Type, error) {
	if c.Type == "" {
		return otherwise, nil
	}
	t, err := gguf.ParseType(c.Type)
	switch {
	case err != nil:
		return t, hint.New(hint.Usagef("--type: %v", err), "llama.cpp's llama-quantize makes other types from an f16 file")
	case t == gguf.Q8_0 && !c.Merged && c.To == "gguf":
		return t, hint.New(hint.Usagef("--type q8_0 is for whole models: an adapter's ranks are shorter than its blocks"), "add --merged, or take f16")
	}
	return t, nil
}

// adapter writes the adapter for llama.cpp.
func (c *exportCommand) adapter(_ context.Context, u *ui, m *opened.Model) error {
	kind, err := c.kind(gguf.F32)
	if err != nil {
		return err
	}
	if err := gguf.WriteAdapter(string(c.Output), m.Adapters, kind); err != nil {
		return err
	}
	return u.printf("%s: %s for llama.cpp, %v, %s\n  llama-cli -m BASE.gguf --lora %s\n", c.Output, many(len(m.Adapters.Modules), "module"), kind, bytesText(files.Size(string(c.Output))), quote(string(c.Output)))
}

// mlx writes a folder for mlx-lm.
func (c *exportCommand) mlx(_ context.Context, u *ui, m *opened.Model) error {
	if err := mlx.Write(string(c.Output), m.Adapters); err != nil {
		return err
	}
	return u.printf("%s: %s for mlx-lm\n  mlx_lm.generate --model %s --adapter-path %s --prompt …\n", c.Output, many(len(m.Adapters.Modules), "module"), quote(m.Dir), quote(string(c.Output)))
}

// peft writes a folder for PEFT.
func (c *exportCommand) peft(_ context.Context, u *ui, m *opened.Model) error {
	draft, err := files.CreateFolder(string(c.Output))
	if err != nil {
		return err
	}
	defer draft.Abort()
	p, err := peft.Prepare(draft.Dir, m.Adapters, m.Label())
	if err != nil {
		return err
	}
	if err := p.Publish(); err != nil {
		p.Discard()
		return err
	}
	if err := draft.Commit("adapter_config.json"); err != nil {
		return err
	}
	return u.printf("%s: %s for PEFT\n", c.Output, many(len(m.Adapters.Modules), "module"))
}

// model writes the whole model.
func (c *exportCommand) model(ctx context.Context, u *ui, m *opened.Model) error {
	kind, err := c.kind(gguf.F16)
	if err != nil {
		return err
	}
	tokens, err := ggufTokens(u, m)
	if err != nil {
		return err
	}
	if err := gguf.WriteModel(ctx, string(c.Output), m.Weights, m.Adapters, kind, tokens); err != nil {
		return err
	}
	return u.printf("%s: the model with the adapter in it for llama.cpp, %v, %s\n  llama-cli -m %s\n", c.Output, kind, bytesText(files.Size(string(c.Output))), quote(string(c.Output)))
}

// ggufTokens returns the keys of the tokenizer.
func ggufTokens(u *ui, m *opened.Model) ([]gguf.KeyValue, error) {
	name := m.Name()[strings.LastIndexByte(m.Name(), '/')+1:] // without the organisation, as the official scripts have it
	t := gguf.Tokenizer{Encode: func(text string, around bool) []int32 { return m.Tokenizer.Encode(text, around).IDs }}
	for _, a := range m.Tokenizer.Added() {
		t.Added = append(t.Added, gguf.Added(a))
	}
	tokens, note, err := gguf.Tokens(m.Dir, name, m.Config.VocabSize, t)
	if note != "" {
		u.warnf("%s", note)
	}
	return tokens, err
}

// ollama writes a folder from which Ollama makes a model.
func (c *exportCommand) ollama(ctx context.Context, u *ui, m *opened.Model) error {
	kind, err := c.kind(gguf.F16)
	if err != nil {
		return err
	}
	tokens, err := ggufTokens(u, m)
	if err != nil {
		return err
	}
	draft, err := files.CreateFolder(string(c.Output))
	if err != nil {
		return err
	}
	defer draft.Abort()
	file := ollama.Modelfile{From: c.From, Adapter: "./adapter.gguf"}
	if file.From == "" {
		file.From = "./base.gguf"
		if err := gguf.WriteModel(ctx, filepath.Join(draft.Dir, "base.gguf"), m.Weights, nil, kind, tokens); err != nil {
			return err
		}
	}
	if err := gguf.WriteAdapter(filepath.Join(draft.Dir, "adapter.gguf"), m.Adapters, gguf.F32); err != nil {
		return err
	}
	if file.Template, err = ollamaTemplate(u, m, tokens); err != nil {
		return err
	}
	for _, id := range m.Config.EOS {
		if token, ok := m.Tokenizer.Token(int32(id)); ok {
			file.Stops = append(file.Stops, token)
		}
	}
	if err := files.Write(filepath.Join(draft.Dir, "Modelfile"), []byte(file.String())); err != nil {
		return err
	}
	if err := draft.Commit("Modelfile"); err != nil {
		return err
	}
	return u.printf("%s: %s for Ollama\n  ollama create NAME -f %s\n", c.Output, many(len(m.Adapters.Modules), "module"), quote(filepath.Join(string(c.Output), "Modelfile")))
}

// ollamaTemplate returns the model's own template as Ollama runs it, "" where there is
// none or it cannot be proved, which is said.
func ollamaTemplate(u *ui, m *opened.Model, tokens []gguf.KeyValue) (string, error) {
	renders := make([]ollama.Render, 2)
	for i, date := range []time.Time{time.Unix(0, 0), time.Unix(1e9, 0)} {
		t, err := chat.Load(m.Dir, "auto", date, m.Tokenizer)
		if err != nil || t == nil {
			return "", err
		}
		renders[i] = func(messages []ollama.Message) (string, error) {
			var c chat.Conversation
			for _, message := range messages {
				c.Messages = append(c.Messages, chat.Message{Role: message.Role, Content: message.Content})
			}
			return t.Render(c, true)
		}
	}
	said := map[string]any{}
	for _, k := range tokens {
		said[k.Key] = k.Value
	}
	begin := ""
	if bos, ok := said["tokenizer.ggml.bos_token_id"].(uint32); ok && said["tokenizer.ggml.add_bos_token"] == true {
		begin, _ = m.Tokenizer.Token(int32(bos))
	}
	text, err := ollama.Template(renders[0], begin)
	other, errOther := ollama.Template(renders[1], begin)
	if err == nil && errOther == nil && text != other {
		err = errors.New("it writes the date")
	}
	if err != nil {
		u.warnf("no TEMPLATE in the Modelfile: the model's own cannot be written as Ollama's (%v); Ollama takes the one in base.gguf, or guesses one like it: compare what `ollama show --template` says", err)
		return "", nil
	}
	return text, nil
}
