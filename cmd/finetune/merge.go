package main

import (
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone/merge"
	"example.com/finetune/simd"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
)

type mergeCommand struct {
	Adapter path   `aliases:"adapter-path" placeholder:"DIR" help:"Folder of the adapter."`
	Model   path   `short:"m" aliases:"model-name-or-path" placeholder:"DIR" help:"Folder of the base, or its id on the Hub (see --download) (default: the adapter's base)."`
	Output  path   `name:"output-dir" short:"o" placeholder:"DIR" help:"The new model folder."`
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
	m, err := openAdapted(u, c.Model, c.Adapter, c.Threads)
	if err != nil {
		return err
	}
	defer m.Close()
	o.Pool, o.Probes = m.Pool, probes(m)
	p := newProgress(u, recipe.ProgressAuto)
	defer p.end()
	o.Progress = func(done, total int64) { p.show("merging", int(done>>10), int(total>>10)) }
	ctx, done := interruptible()
	defer done()
	report, err := merge.Write(ctx, string(c.Output), m.Weights, m.Adapters, o)
	p.end()
	if err != nil {
		return stopped(u, ctx, err, "nothing of "+string(c.Output)+" is left")
	}
	return printMerge(u, string(c.Output), report)
}

func printMerge(u *ui, dir string, r *merge.Report) error {
	return u.printf("%s: %s, %d with the adapter in them\n"+
		"logits    differ from base + adapter by at most %.2g; the adapter moves them by up to %.2g, the largest is %.2g\n"+
		"rounding  left %.1f %% of the adapted weights as they were\n"+
		"try it    %s chat --model %s\n",
		dir, many(r.Tensors, "tensor"), r.Merged, r.Difference, r.Moved, r.Largest, 100*float64(r.Unchanged)/float64(r.Weights), program(), quote(dir))
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

// openAdapted opens a model with an adapter, for commands that write it for others.
func openAdapted(u *ui, base, adapter path, threads int) (*opened.Model, error) {
	switch {
	case adapter == "":
		return nil, hint.New(hint.Usagef("no adapter"), "--adapter names its folder")
	case threads < 0:
		return nil, hint.Usagef("--threads is %d, want a count, or 0 for all cores", threads)
	}
	m, err := openModel(u, opened.Options{Model: string(base), Adapter: string(adapter), Threads: threads})
	if err != nil {
		return nil, err
	}
	if err := loadAll(u, m); err != nil {
		m.Close()
		return nil, err
	}
	if t := m.Recipe.ChatTemplate; t != "auto" && t != "none" && t != "" {
		u.warnf("%s was trained through the chat template %s; what is written has the model's own", adapter, t)
	}
	return m, nil
}

// probes returns short sequences of tokens that the model has.
func probes(m *opened.Model) [][]int32 {
	var list [][]int32
	for _, text := range probeTexts {
		ids := m.Tokenizer.Encode(text, true).IDs
		if i := slices.IndexFunc(ids, func(id int32) bool { return int(id) >= m.Config.VocabSize }); i >= 0 {
			ids = ids[:i]
		}
		if ids = ids[:min(len(ids), m.Config.MaxPositionEmbeddings)]; len(ids) > 0 {
			list = append(list, ids)
		}
	}
	if len(list) == 0 { // a tokenizer of another model
		list = [][]int32{{0}}
	}
	return list
}
