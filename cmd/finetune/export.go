package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone/gguf"
	"example.com/finetune/loraone/mlx"
	"example.com/finetune/loraone/peft"
)

type exportCommand struct {
	Adapter string `aliases:"adapter-path" placeholder:"DIR" help:"Folder of the adapter."`
	Model   string `short:"m" aliases:"model-name-or-path" placeholder:"DIR" help:"Folder of the base, or the id of one in the Hub cache (default: the adapter's base)."`
	To      string `placeholder:"WORD" help:"gguf, mlx or peft: see below."`
	Output  string `name:"output" aliases:"output-dir" short:"o" placeholder:"PATH" help:"The new file (gguf) or folder."`
	Merged  bool   `help:"With gguf: write the whole model with the adapter in its weights."`
	Type    string `placeholder:"TYPE" help:"With gguf: f32, f16 or bf16, and q8_0 for a whole model (default f32; f16 for a whole model)."`
	Threads int    `placeholder:"N" help:"Threads (0: all cores). The result does not depend on it."`
}

func (exportCommand) Help() string {
	return `Writes an adapter for another program:

    gguf  one file for llama.cpp and what builds on it: the adapter alone, to be used beside a GGUF of the base, or with --merged the whole model
    mlx   a folder for mlx-lm
    peft  a folder that every version of PEFT loads, and vLLM and TGI: one rank, one scale, no patterns

What is written is read back and compared before it takes its name.

For example:

    finetune export --adapter adapter --to gguf -o adapter.gguf
    finetune export --adapter adapter --to gguf --merged --type q8_0 -o model.gguf
    finetune export --adapter adapter --to mlx -o adapter-mlx
`
}

// exports are the words of --to.
var exports = []string{"gguf", "mlx", "peft"}

// Run writes the file or folder.
func (c *exportCommand) Run(u *ui) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Merged {
		return c.model(u)
	}
	r, err := c.openAdapter()
	if err != nil {
		return err
	}
	switch c.To {
	case "mlx":
		if err := mlx.Write(c.Output, r.adapters); err != nil {
			return err
		}
		return u.printf("%s: %s for mlx-lm\n  mlx_lm.generate --model %s --adapter-path %s --prompt …\n", c.Output, many(len(r.adapters.Modules), "module"), quote(r.dir), quote(c.Output))
	case "peft":
		if err := c.peft(r); err != nil {
			return err
		}
		return u.printf("%s: %s for PEFT\n", c.Output, many(len(r.adapters.Modules), "module"))
	}
	kind, err := c.kind(gguf.F32)
	if err != nil {
		return err
	}
	if err := gguf.WriteAdapter(c.Output, r.adapters, kind); err != nil {
		return err
	}
	return u.printf("%s: %s for llama.cpp, %v, %s\n  llama-cli -m BASE.gguf --lora %s\n", c.Output, many(len(r.adapters.Modules), "module"), kind, bytesText(files.Size(c.Output)), quote(c.Output))
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
	case c.Adapter == "":
		return hint.New(hint.Usagef("no adapter"), "--adapter names its folder")
	case c.Threads < 0:
		return hint.Usagef("--threads is %d, want a count, or 0 for all cores", c.Threads)
	case c.To != "gguf" && (c.Merged || c.Type != ""):
		return hint.New(hint.Usagef("--merged and --type are for --to gguf"), "finetune merge writes a model folder, which mlx-lm and transformers load")
	}
	if _, err := c.kind(gguf.F32); err != nil {
		return err
	}
	if c.To == "gguf" {
		if _, err := os.Lstat(c.Output); !errors.Is(err, fs.ErrNotExist) {
			return hint.New(fmt.Errorf("%s: there already", c.Output), "name a new file, or remove it first")
		}
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
	case t == gguf.Q8_0 && !c.Merged:
		return t, hint.New(hint.Usagef("--type q8_0 is for whole models: an adapter's ranks are shorter than its blocks"), "add --merged, or take f16")
	}
	return t, nil
}

// openAdapter opens the adapter and what is small of its base: the weights are not
// needed.
func (c *exportCommand) openAdapter() (*reading, error) {
	f := modelFlags{Model: c.Model, Adapter: c.Adapter, Compute: "f32", Threads: c.Threads}
	r, err := f.openSmall()
	if err != nil {
		return nil, err
	}
	r.adapters, err = peft.Load(c.Adapter, r.config)
	return r, err
}

// peft writes a folder for PEFT.
func (c *exportCommand) peft(r *reading) error {
	draft, err := files.CreateFolder(c.Output)
	if err != nil {
		return err
	}
	defer draft.Abort()
	p, err := peft.Prepare(draft.Dir, r.adapters.Uniform(), r.dir)
	if err != nil {
		return err
	}
	if err := p.Publish(); err != nil {
		p.Discard()
		return err
	}
	return draft.Commit()
}

// model writes the whole model.
func (c *exportCommand) model(u *ui) error {
	kind, err := c.kind(gguf.F16)
	if err != nil {
		return err
	}
	r, err := openAdapted(u, c.Model, c.Adapter, c.Threads)
	if err != nil {
		return err
	}
	defer r.close()
	tokens, note, err := gguf.Tokens(r.dir, r.config.VocabSize, func(text string, around bool) []int32 { return r.tok.Encode(text, around).IDs })
	if err != nil {
		return err
	}
	if note != "" {
		u.warnf("%s", note)
	}
	if err := gguf.WriteModel(c.Output, r.model, r.adapters, kind, tokens); err != nil {
		return err
	}
	return u.printf("%s: the model with the adapter in it for llama.cpp, %v, %s\n  llama-cli -m %s\n", c.Output, kind, bytesText(files.Size(c.Output)), quote(c.Output))
}
