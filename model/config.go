package model

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

// A Config is what the config.json of a model folder says: sizes, layers and facts. The
// readers of families.go fill it; nothing else asks which family a model is of.
type Config struct {
	ModelType             string
	Part                  string // of a larger model, by the name of its module there; "": the whole
	HiddenSize            int
	IntermediateSize      int
	NumHiddenLayers       int
	NumAttentionHeads     int
	NumKeyValueHeads      int
	HeadDim               int // not always HiddenSize/NumAttentionHeads
	VocabSize             int
	MaxPositionEmbeddings int
	RMSNormEps            float64
	TieWordEmbeddings     bool
	Layers                []LayerConfig // NumHiddenLayers of them
	BOS                   int           // -1: none
	EOS                   []int         // of generation_config.json, else of config.json
	DType                 string

	// Facts of every block. LLaMA's are zero.
	Fused          bool // q, k and v are one projection, gate and up another
	QKVBias, OBias bool // on q, k and v; on o
	NormPlaces     NormPlaces
	NormsPlusOne   bool // norms multiply by 1+w, not by w
	QKNorm         bool // RMSNorm of q and k before they are rotated, of each head by itself
	QKNormAcross   bool // that norm is of all heads together
	Activation     Activation
	AttentionScale float64 // of q·k; 0: 1/√HeadDim
	AttentionCap   float64 // a score s becomes cap·tanh(s/cap); 0: s
	ResidualScale  float64 // of what attention and MLP add; 0: 1

	// Facts of the ends. LLaMA's are zero.
	EmbeddingScale float64 // 0: 1
	LogitsDivisor  float64 // 0: 1
	LogitsCap      float64 // as AttentionCap, of the divided logits
}

// NormPlaces says where in a block its norms are.
type NormPlaces uint8

// Of each half, attention and MLP.
const (
	NormsBefore NormPlaces = iota // x + f(norm(x))
	NormsAfter                    // x + norm(f(x))
	NormsAround                   // x + norm(f(norm(x)))
)

// An Activation is the function of the gate in an MLP: down(a(gate(x))·up(x)).
type Activation uint8

// The activations, by transformers' hidden_act: silu and gelu_pytorch_tanh.
const (
	SiLU Activation = iota
	GELUTanh
)

// A LayerConfig is what may differ from layer to layer.
type LayerConfig struct {
	Window int  // position i sees j with i-j < Window; 0: all before it
	Rope   Rope // the zero Rope: q and k are not rotated
}

// A Rope says how positions become angles; see transformers'
// modeling_rope_utils.py.
type Rope struct {
	Type                          string // default, linear, dynamic, llama3, yarn or longrope; "": none
	Theta                         float64
	Partial                       float64 // part of a head that is rotated, its first values; 0: all
	Factor                        float64 // of all but default
	LowFreqFactor, HighFreqFactor float64 // llama3
	BetaFast, BetaSlow            float64 // yarn
	Whole                         bool    // yarn: its bounds are whole numbers
	AttentionFactor               float64 // of cos and sin (yarn, longrope); 0: 1
	OriginalMaxPositionEmbeddings int     // of all but default and linear
	Long                          *LongRope
}

// A LongRope is what frequencies are divided by, each by its own number: in sequences of at
// most OriginalMaxPositionEmbeddings tokens, and in longer ones.
type LongRope struct{ Short, Long []float64 }

// dim is how many values of a head are rotated.
func (r *Rope) dim(headDim int) int {
	if r.Partial == 0 {
		return headDim
	}
	return int(float64(headDim) * r.Partial)
}

// The largest sizes taken: some times those of the largest models there are, and
// small enough that no product of two overflows an int64.
const (
	maxHidden   = 1 << 17
	maxMLP      = 1 << 20
	maxLayers   = 1 << 10
	maxHeads    = 1 << 12
	maxHeadDim  = 1 << 12
	maxVocab    = 1 << 24
	maxPosition = 1<<31 - 1
)

// ReadConfig reads config.json, in the spelling of transformers 4 or 5, and the end
// tokens of generation_config.json if there is one. A setting that changes the
// mathematics and is not understood is an error; all mistakes are named together.
func ReadConfig(dir string) (*Config, error) {
	f, err := jsontree.ReadFields(filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingConfig(dir, err)
	}
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(f)
	if err != nil {
		return nil, err
	}
	if err := c.readGeneration(filepath.Join(dir, "generation_config.json")); err != nil {
		return nil, err
	}
	return c, nil
}

func missingConfig(dir string, err error) error {
	if info, e := os.Stat(dir); e != nil || !info.IsDir() {
		return fmt.Errorf("model folder %s: not a folder", dir)
	}
	if _, e := os.Stat(filepath.Join(dir, "adapter_config.json")); e == nil {
		return hint.New(
			fmt.Errorf("%s: no config.json: this folder holds an adapter", dir),
			"give the folder of its base model; commands that read an adapter take this one as --adapter",
		)
	}
	return fmt.Errorf("%s: no config.json: %w", dir, err)
}

func parseConfig(f *jsontree.Fields) (*Config, error) {
	name, family, ok := familyOf(f)
	if !ok {
		return nil, f.Err()
	}
	refuseUnknown(f, family)
	c := family.base
	c.ModelType = name
	if c.Part != "" {
		return c.parsePart(f, family)
	}
	return c.parse(f, family)
}

// parsePart reads the text part of a larger model. End tokens may stand outside of it.
func (c *Config) parsePart(f *jsontree.Fields, family family) (*Config, error) {
	f.Need("text_config")
	text := f.Nested("text_config")
	if text == nil {
		return nil, f.Err()
	}
	if name := text.Text("model_type", family.text); name != family.text {
		text.Wrong("model_type", `"`+family.text+`"`)
		return nil, f.Err()
	}
	inner := families[family.text]
	refuseUnknown(text, inner)
	base := inner.base
	base.ModelType, base.Part = c.ModelType, c.Part
	c, err := base.parse(text, inner)
	if err != nil {
		return nil, err
	}
	c.TieWordEmbeddings = f.Bool("tie_word_embeddings", c.TieWordEmbeddings)
	c.DType = f.Text("dtype", f.Text("torch_dtype", c.DType))
	if f.Has("eos_token_id") {
		c.EOS = f.Integers("eos_token_id", 0, c.VocabSize-1)
	}
	return c, f.Err()
}

// parse reads the settings of a family.
func (c *Config) parse(f *jsontree.Fields, family family) (*Config, error) {
	c.readSizes(f)
	family.read(c, f)
	c.checkHeads(f)
	c.checkPartial(f, family)
	c.RMSNormEps = f.Float("rms_norm_eps", cmp.Or(c.RMSNormEps, 1e-6))
	if !(c.RMSNormEps > 0 && c.RMSNormEps < 1) {
		f.Wrong("rms_norm_eps", "a number between 0 and 1")
	}
	c.TieWordEmbeddings = f.Bool("tie_word_embeddings", c.TieWordEmbeddings)
	c.DType = f.Text("dtype", f.Text("torch_dtype", ""))
	lastID := maxVocab
	if c.VocabSize > 0 {
		lastID = c.VocabSize - 1
	}
	c.BOS = f.Int("bos_token_id", -1, 0, lastID)
	c.EOS = f.Integers("eos_token_id", 0, lastID)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// readSizes reads the sizes; one that the family does not know must be there.
func (c *Config) readSizes(f *jsontree.Fields) {
	size := func(key string, n *int, most int) {
		if *n == 0 {
			f.Need(key)
		}
		*n = f.Int(key, *n, 1, most)
	}
	size("hidden_size", &c.HiddenSize, maxHidden)
	size("intermediate_size", &c.IntermediateSize, maxMLP)
	size("num_hidden_layers", &c.NumHiddenLayers, maxLayers)
	size("num_attention_heads", &c.NumAttentionHeads, maxHeads)
	c.NumKeyValueHeads = f.Int("num_key_value_heads", cmp.Or(c.NumKeyValueHeads, c.NumAttentionHeads), 1, maxHeads)
	size("vocab_size", &c.VocabSize, maxVocab)
	size("max_position_embeddings", &c.MaxPositionEmbeddings, maxPosition)
}

// checkPartial notes heads that are rotated in part, except for a family that has them.
func (c *Config) checkPartial(f *jsontree.Fields, family family) {
	const key = "partial_rotary_factor"
	for _, l := range c.Layers {
		if l.Rope.Partial != 0 && !slices.Contains(family.understands, key) {
			f.Mistake("%s is %v, want 1: all of a head is rotated", key, l.Rope.Partial)
			return
		}
	}
}

// checkHeads notes sizes that do not fit each other.
func (c *Config) checkHeads(f *jsontree.Fields) {
	if c.HiddenSize == 0 || c.NumAttentionHeads == 0 {
		return // a mistake already
	}
	if c.HeadDim%2 != 0 {
		f.Mistake("head_dim is %d, want an even number: rotary embedding rotates pairs", c.HeadDim)
	}
	if n := c.qWidth(); n > maxHidden {
		f.Mistake("num_attention_heads × head_dim is %d, want at most %d", n, maxHidden)
	}
	if c.NumAttentionHeads%c.NumKeyValueHeads != 0 {
		f.Mistake("num_attention_heads is %d, want a multiple of num_key_value_heads (%d)", c.NumAttentionHeads, c.NumKeyValueHeads)
	}
}

// readGeneration takes the tokens that end a text from generation_config.json, and
// the one that begins it where config.json has none.
func (c *Config) readGeneration(path string) error {
	f, err := jsontree.ReadFields(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.Has("eos_token_id") {
		c.EOS = f.Integers("eos_token_id", 0, c.VocabSize-1)
	}
	if bos := f.Int("bos_token_id", -1, 0, c.VocabSize-1); c.BOS < 0 {
		c.BOS = bos
	}
	return f.Err()
}
