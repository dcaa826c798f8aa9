package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone/gguf"
	"example.com/finetune/model"
	"example.com/finetune/train/opened"
)

//go:embed verify.py
var verifyScript string

// A consumer is a program that an export is for, as a module of a Python.
type consumer struct {
	name, module, install string
	python                string
}

// consumers are those of the words of --to.
var consumers = map[string]consumer{
	"gguf":   {name: "llama.cpp", module: "llama_cpp", install: "llama-cpp-python"},
	"ollama": {name: "llama.cpp", module: "llama_cpp", install: "llama-cpp-python"},
	"mlx":    {name: "mlx-lm", module: "mlx_lm", install: "'mlx[cpu]' mlx-lm"},
	"peft":   {name: "PEFT", module: "peft", install: "peft torch transformers"},
}

// findConsumer returns the consumer of a word of --to with the Python that has it.
func findConsumer(to string) (consumer, error) {
	c := consumers[to]
	for _, name := range []string{"python3", "python"} { // a folder that is only called like the module has no origin
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", "import importlib.util, sys; sys.exit(getattr(importlib.util.find_spec('"+c.module+"'), 'origin', None) is None)").Run() == nil {
			c.python = path
			return c, nil
		}
	}
	return c, hint.New(fmt.Errorf("--verify runs %s, and no python3 on the PATH has %s", c.name, c.module),
		"python3 -m venv verify && verify/bin/pip install "+c.install+", then put verify/bin first on the PATH; without --verify the file is written and read back all the same")
}

// A trial is what a consumer is asked, see verify.py.
type trial struct {
	Module  string    `json:"module"`
	Model   string    `json:"model"`
	Adapter string    `json:"adapter"`
	Texts   []string  `json:"texts"`
	IDs     [][]int32 `json:"ids"`
}

// An answer is what it says.
type answer struct {
	Version string      `json:"version"`
	IDs     [][]int32   `json:"ids"`    // of the texts, where the file holds the vocabulary
	Logits  [][]float64 `json:"logits"` // of the token behind each of the trial's ids
}

// ask runs a consumer.
func (c consumer) ask(ctx context.Context, t trial) (answer, error) {
	t.Module = c.module
	question, err := json.Marshal(t)
	if err != nil {
		return answer{}, err
	}
	var said, complaint bytes.Buffer
	run := exec.CommandContext(ctx, c.python, "-B", "-W", "ignore", "-c", verifyScript)
	run.Stdin, run.Stdout, run.Stderr = bytes.NewReader(question), &said, &complaint
	err = run.Run()
	if ctx.Err() != nil {
		return answer{}, context.Cause(ctx)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(complaint.String()), "\n")
		return answer{}, fmt.Errorf("%s in %s: %w: %s", c.name, c.python, err, lines[len(lines)-1])
	}
	var a answer
	if err := json.Unmarshal(said.Bytes(), &a); err != nil {
		return a, fmt.Errorf("%s in %s: %w in its answer", c.name, c.python, err)
	}
	return a, nil
}

// verifyBounds are how far a logit may be off, relative to the largest, with weights of a
// type. Measured with llama.cpp, which rounds activations too: f32 1e-4 (GELU from a table
// of float16), f16 2e-3, bf16 1e-2, q8_0 5e-2; some times that.
var verifyBounds = map[gguf.Type]float64{gguf.F32: 1e-3, gguf.F16: 1e-2, gguf.BF16: 6e-2, gguf.Q8_0: 0.2}

// verify runs the program that the export is for on what was written.
func (c *exportCommand) verify(ctx context.Context, u *ui, m *opened.Model, by consumer) error {
	t, kind := trial{Model: m.Dir, Adapter: string(c.Output), Texts: probeTexts, IDs: probes(m)}, gguf.F32
	if by.module == "llama_cpp" {
		dir := filepath.Join(filepath.Dir(string(c.Output)), "."+filepath.Base(string(c.Output))+".verify")
		if err := os.RemoveAll(dir); err != nil { // what was interrupted left it
			return err
		}
		if err := os.Mkdir(dir, 0o777); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		var err error
		if kind, err = c.llamaTrial(ctx, u, m, dir, &t); err != nil {
			return err
		}
	}
	want, err := lastLogits(m, t.IDs)
	if err != nil {
		return err
	}
	got, err := by.ask(ctx, t)
	if err != nil {
		return err
	}
	var ids [][]int32
	for _, text := range t.Texts {
		ids = append(ids, m.Tokenizer.Encode(text, true).IDs)
	}
	words, err := got.agrees(t.Texts, ids, want, verifyBounds[kind])
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w", c.Output, by.name, got.Version, err)
	}
	return u.printf("%s %s agrees: %s\n", by.name, got.Version, words)
}

// llamaTrial sets the files of a trial, and returns the type of the weights. An adapter
// alone gets a base, in dir.
func (c *exportCommand) llamaTrial(ctx context.Context, u *ui, m *opened.Model, dir string, t *trial) (gguf.Type, error) {
	kind, err := c.kind(gguf.F32)
	if err != nil {
		return kind, err
	}
	switch {
	case c.Merged:
		t.Model, t.Adapter = string(c.Output), ""
		return c.kind(gguf.F16)
	case c.To == "ollama":
		t.Adapter = filepath.Join(string(c.Output), "adapter.gguf")
		if c.From == "" {
			t.Model = filepath.Join(string(c.Output), "base.gguf")
			return c.kind(gguf.F16)
		}
	}
	tokens, err := ggufTokens(u, m)
	if err != nil {
		return kind, err
	}
	t.Model = filepath.Join(dir, "base.gguf")
	return kind, gguf.WriteModel(ctx, t.Model, m.Weights, nil, gguf.F32, tokens)
}

// lastLogits returns the logits of base and adapter behind each of some texts.
func lastLogits(m *opened.Model, texts [][]int32) ([][]float32, error) {
	e := model.NewEngine(m.Weights, m.Pool)
	for _, ids := range texts {
		e.Layout.MicroBatch = max(e.Layout.MicroBatch, len(ids))
	}
	m.Adapters.Attach(e)
	var last [][]float32
	err := m.Weights.Guard(func() error {
		for _, ids := range texts {
			last = append(last, slices.Clone(e.Logits(ids).Row(len(ids)-1)))
		}
		return nil
	})
	return last, err
}

// agrees holds an answer against our ids and logits and says in words how near they are;
// an error where a logit is further off than bound times the largest.
func (a answer) agrees(texts []string, ids [][]int32, logits [][]float32, bound float64) (string, error) {
	if len(a.Logits) != len(logits) || a.IDs != nil && len(a.IDs) != len(ids) {
		return "", fmt.Errorf("%d texts read, want %d", len(a.Logits), len(logits))
	}
	for i, got := range a.IDs {
		if !slices.Equal(got, ids[i]) {
			return "", fmt.Errorf("reads %q as the tokens %v, want %v", texts[i], got, ids[i])
		}
	}
	difference, largest, same := 0.0, 0.0, 0
	for i, want := range logits {
		got := a.Logits[i]
		if len(got) < len(want) {
			return "", fmt.Errorf("has %d logits, want %d", len(got), len(want))
		}
		most, ours := 0, 0
		for j, x := range want {
			if d := math.Abs(got[j] - float64(x)); d > difference || d != d {
				difference = d
			}
			largest = max(largest, math.Abs(float64(x)))
			if got[j] > got[most] {
				most = j
			}
			if x > want[ours] {
				ours = j
			}
		}
		if most == ours {
			same++
		}
	}
	words := fmt.Sprintf("the next token of %d of %d texts is the same, logits differ by at most %.2g, the largest is %.2g", same, len(logits), difference, largest)
	if !(difference <= bound*largest) {
		return "", fmt.Errorf("answers otherwise: %s; want at most %.2g", words, bound*largest)
	}
	return words, nil
}
