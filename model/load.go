package model

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/mistakes"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// Load maps the weights of a model folder. Linear layers and the embedding stay as
// stored; norms and biases are converted. Every tensor that is missing, unexpected,
// misshapen or of an unsupported type is reported in one error.
func Load(dir string, cfg *Config) (*Model, error) {
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	m := &Model{Config: cfg, Dir: dir, files: set}
	err = set.Guard(func() error {
		l := loader{set: set, wanted: map[string]bool{}}
		l.fill(m)
		if names := set.Names(); !l.found && len(names) > 0 {
			return otherNames(dir, cfg.embedName(), names[0])
		}
		return l.mistakes.Err(dir)
	})
	if err != nil {
		set.Close()
		return nil, err
	}
	return m, nil
}

// otherNames is the error of a folder in which no tensor has a name that is looked for.
func otherNames(dir, want, got string) error {
	return hint.New(fmt.Errorf("%s: no tensor has a name such as %s: the first is %s", dir, want, got),
		"save the model with transformers: AutoModelForCausalLM's save_pretrained(folder) writes these names")
}

// A loader takes tensors out of a set and notes what is wrong with them.
type loader struct {
	set      *safetensors.Set
	wanted   map[string]bool
	found    bool // one of them
	mistakes mistakes.List
}

func (l *loader) mistake(format string, args ...any) {
	l.mistakes.Addf(format, args...)
}

func (l *loader) fill(m *Model) {
	c := m.Config
	m.EmbedTokens = l.matrix(c.embedName(), c.VocabSize, c.HiddenSize)
	m.Blocks = make([]Block, c.NumHiddenLayers)
	for i := range m.Blocks {
		for _, n := range c.norms() {
			*n.of(&m.Blocks[i]) = l.norm(c, c.stored()+layerPrefix(i)+n.name+".weight", n.width)
		}
	}
	for _, p := range c.Linears() {
		linear := l.linear(p)
		m.linears = append(m.linears, linear)
		m.Blocks[p.Layer].add(linear)
	}
	m.Norm = l.norm(c, c.normName(), c.HiddenSize)
	if c.LogitsDivisor != 0 { // lm_head is linear: what it is given may be divided as well
		for i := range m.Norm {
			m.Norm[i] /= float32(c.LogitsDivisor)
		}
	}
	m.LMHead = m.EmbedTokens
	if _, present := l.set.Info(c.headName()); present || !c.TieWordEmbeddings {
		m.LMHead = l.matrix(c.headName(), c.VocabSize, c.HiddenSize)
		if c.TieWordEmbeddings {
			l.tie(m)
		}
	}
	l.unexpected(c)
}

// tie checks a head that is stored although it is the embedding.
func (l *loader) tie(m *Model) {
	a, b := m.LMHead, m.EmbedTokens
	if a.Data == nil || b.Data == nil {
		return // reported already
	}
	if a.DType != b.DType || !bytes.Equal(a.Data, b.Data) {
		l.mistake("lm_head.weight differs from model.embed_tokens.weight, but tie_word_embeddings is true: want the same, or no lm_head.weight")
	}
	m.LMHead = b
}

func (l *loader) linear(p Projection) *Linear {
	linear := &Linear{Projection: p, W: l.matrix(p.Stored+".weight", p.Out, p.In)}
	if p.Biased {
		linear.Bias = l.vector(p.Stored+".bias", p.Out)
	}
	return linear
}

// matrix returns a rows×cols tensor as stored.
func (l *loader) matrix(name string, rows, cols int) simd.Matrix {
	data, dtype := l.tensor(name, rows, cols)
	return simd.Matrix{Data: data, DType: dtype, Rows: rows, Cols: cols}
}

// vector returns a tensor of n values, converted; nil where it is not there like that.
func (l *loader) vector(name string, n int) []float32 {
	data, dtype := l.tensor(name, n)
	if data == nil {
		return nil
	}
	v := make([]float32, n)
	simd.Convert(v, data, dtype)
	return v
}

// norm returns what a norm multiplies by.
func (l *loader) norm(c *Config, name string, width int) []float32 {
	w := l.vector(name, width)
	if c.NormsPlusOne {
		for i := range w {
			w[i]++
		}
	}
	return w
}

// tensor returns a tensor of the given shape; nil data where it is not there like
// that.
func (l *loader) tensor(name string, shape ...int) ([]byte, simd.DType) {
	l.wanted[name] = true
	t, ok := l.set.Info(name)
	l.found = l.found || ok
	if !ok {
		l.mistake("tensor %s is missing, want shape %v", name, shape)
		return nil, 0
	}
	if !slices.Equal(t.Shape, shape) {
		l.mistake("tensor %s has shape %v, want %v", name, t.Shape, shape)
		return nil, 0
	}
	for _, d := range []simd.DType{simd.F32, simd.F16, simd.BF16} {
		if t.DType == d.String() {
			t, _ = l.set.Tensor(name) // copied at worst, as large as the configuration wants it
			return t.Data, d
		}
	}
	l.mistake("tensor %s is of type %s, want F32, F16 or BF16", name, t.DType)
	return nil, 0
}

// unexpected notes tensors that the configuration has no place for. Old files hold
// the rotary frequencies, which follow from it. Other parts of a larger model are left alone.
func (l *loader) unexpected(c *Config) {
	for _, n := range l.set.Names() {
		if strings.HasPrefix(n, c.Part) && !l.wanted[n] && !strings.HasSuffix(n, ".rotary_emb.inv_freq") {
			t, _ := l.set.Info(n)
			l.mistake("tensor %s (%s %v) is unexpected", n, t.DType, t.Shape)
		}
	}
}
