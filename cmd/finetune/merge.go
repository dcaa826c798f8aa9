package main

import (
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone/merge"
	"example.com/finetune/simd"
	"example.com/finetune/train/recipe"
)

type mergeCommand struct {
	Adapter string `aliases:"adapter-path" placeholder:"DIR" help:"Folder of the adapter."`
	Model   string `short:"m" aliases:"model-name-or-path" placeholder:"DIR" help:"Folder of the base, or the id of one in the Hub cache (default: the adapter's base)."`
	Output  string `name:"output-dir" short:"o" placeholder:"DIR" help:"The new model folder."`
	DType   string `name:"dtype" placeholder:"TYPE" help:"f32, f16 or bf16 for all weights (default: as the base has them)."`
	Threads int    `placeholder:"N" help:"Threads (0: all cores). The result does not depend on it."`
}

func (mergeCommand) Help() string {
	return `Writes a model folder whose weights hold the adapter, with the base's files, names and tokenizer: whatever loads the base loads it. ` +
		`The adapted weights are rounded once to their type. The folder is read back and its logits are compared with those of base and adapter before it takes its name.

For example:

    finetune merge --adapter adapter -o merged
    finetune merge --adapter adapter -o merged --dtype f32
`
}

// probeTexts are read by base, adapter and merged model: prose, code, numbers, another
// script.
var probeTexts = []string{
	"Once upon a time, there was a little girl who lived near the sea.",
	"def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
	"Natalia sold 48 clips in April and half as many in May. 48 + 24 = 72.",
	"Die Straße führt über den Fluss. 你好，世界!",
}

// Run writes the folder.
func (c *mergeCommand) Run(u *ui) error {
	if c.Output == "" {
		return hint.New(hint.Usagef("no output"), "-o names the new model folder")
	}
	o := merge.Options{}
	if c.DType != "" {
		d, err := parseDType(c.DType)
		if err != nil {
			return err
		}
		o.DType = &d
	}
	r, err := openAdapted(u, c.Model, c.Adapter, c.Threads)
	if err != nil {
		return err
	}
	defer r.close()
	o.Pool, o.Probes = r.pool, r.probes()
	p := newProgress(u, recipe.ProgressAuto)
	defer p.end()
	o.Progress = func(done, total int64) { p.show("merging", int(done>>10), int(total>>10)) }
	report, err := merge.Write(c.Output, r.model, r.adapters, o)
	p.end()
	if err != nil {
		return err
	}
	return printMerge(u, c.Output, report)
}

func printMerge(u *ui, dir string, r *merge.Report) error {
	return u.printf("%s: %s, %d with the adapter in them\n"+
		"logits    differ from base + adapter by at most %.2g; the adapter moves them by up to %.2g, the largest is %.2g\n"+
		"rounding  left %.1f %% of the adapted weights as they were\n",
		dir, many(r.Tensors, "tensor"), r.Merged, r.Difference, r.Moved, r.Largest, 100*float64(r.Unchanged)/float64(r.Weights))
}

// parseDType takes the names of this program, of safetensors and of PyTorch.
func parseDType(name string) (simd.DType, error) {
	switch strings.ToLower(name) {
	case "f32", "float32", "fp32":
		return simd.F32, nil
	case "f16", "float16", "fp16":
		return simd.F16, nil
	case "bf16", "bfloat16":
		return simd.BF16, nil
	}
	return 0, hint.New(hint.Usagef("--dtype is %q, want f32, f16 or bf16", name), "without --dtype each weight keeps its type")
}

// openAdapted opens a model with an adapter, for commands that write both as one.
func openAdapted(u *ui, model, adapter string, threads int) (*reading, error) {
	if adapter == "" {
		return nil, hint.New(hint.Usagef("no adapter"), "--adapter names its folder")
	}
	f := modelFlags{Model: model, Adapter: adapter, Compute: "f32", Threads: threads}
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	if t := r.recipe.ChatTemplate; t != "auto" && t != "none" && t != "" {
		u.warnf("%s was trained through the chat template %s; what is written has the model's own", adapter, t)
	}
	return r, nil
}

// probes returns short sequences of tokens that the model has.
func (r *reading) probes() [][]int32 {
	var list [][]int32
	for _, text := range probeTexts {
		ids := r.tok.Encode(text, true).IDs
		for i, id := range ids {
			if int(id) >= r.config.VocabSize {
				ids = ids[:i]
				break
			}
		}
		if ids = ids[:min(len(ids), r.config.MaxPositionEmbeddings)]; len(ids) > 0 {
			list = append(list, ids)
		}
	}
	if len(list) == 0 { // a tokenizer of another model
		list = [][]int32{{0}}
	}
	return list
}
