package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

// A Config is what the config.json of a model folder says: sizes, layers and facts. The
// readers of families.go fill it; nothing else asks which family a model is of.
type Config struct {
	ModelType             string
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
	QKVBias, OBias        bool          // on q, k and v; on o
	QKNorm                bool          // RMSNorm of each head of q and k before they are rotated
	Layers                []LayerConfig // NumHiddenLayers of them
	BOS                   int           // -1: none
	EOS                   []int         // of generation_config.json, else of config.json
	DType                 string
}

// A LayerConfig is what may differ from layer to layer.
type LayerConfig struct {
	Window int  // position i sees j with i-j < Window; 0: all before it
	Rope   Rope // the zero Rope: q and k are not rotated
}

// A Rope says how positions become angles; see transformers'
// modeling_rope_utils.py.
type Rope struct {
	Type                          string // default, linear or llama3; "": none
	Theta                         float64
	Factor                        float64 // linear and llama3
	LowFreqFactor, HighFreqFactor float64 // llama3
	OriginalMaxPositionEmbeddings int     // llama3
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
	c := &Config{ModelType: name}
	c.readSizes(f)
	family.read(c, f)
	c.checkHeads(f)
	c.RMSNormEps = f.Float("rms_norm_eps", 1e-6)
	if !(c.RMSNormEps > 0 && c.RMSNormEps < 1) {
		f.Wrong("rms_norm_eps", "a number between 0 and 1")
	}
	c.TieWordEmbeddings = f.Bool("tie_word_embeddings", false)
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

func (c *Config) readSizes(f *jsontree.Fields) {
	f.Need("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings")
	c.HiddenSize = f.Int("hidden_size", 0, 1, maxHidden)
	c.IntermediateSize = f.Int("intermediate_size", 0, 1, maxMLP)
	c.NumHiddenLayers = f.Int("num_hidden_layers", 0, 1, maxLayers)
	c.NumAttentionHeads = f.Int("num_attention_heads", 0, 1, maxHeads)
	c.NumKeyValueHeads = f.Int("num_key_value_heads", c.NumAttentionHeads, 1, maxHeads)
	c.VocabSize = f.Int("vocab_size", 0, 1, maxVocab)
	c.MaxPositionEmbeddings = f.Int("max_position_embeddings", 0, 1, maxPosition)
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
