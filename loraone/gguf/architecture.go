package gguf

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
)

// An architecture is how llama.cpp calls a family and what it computes for it
// (src/models). What a file cannot say has to be as it is there.
type architecture struct {
	name       string
	permuted   bool     // rows of q and k change places, see doc.go
	ropes      []string // types of rope
	nearPlain  bool     // layers with a window rotate without scaling
	nearTheta  bool     // and by a θ of their own
	windows    int      // n: all layers but every n-th have the window, where a file does not say which; 0: no layer has
	unheeded   bool     // a file says the window all the same
	unrotated  int      // n: every n-th layer is not rotated; 0: all are
	says       []string // which numbers a file may say, see numberKeys
	capped     bool     // scores and logits always have a cap
	rootScale  bool     // embeddings are multiplied by √hidden
	wide       int      // a model of so many layers scales its scores by hidden/heads, others by the size of a head
	apart      int      // a model of so many layers is another one there
	evenHeads  bool     // a head has hidden/heads values
	outputBias bool     // o may have a bias
	tied       bool     // the head is always the embedding
	ownHead    bool     // the head is never the embedding
}

// What several architectures have.
var (
	plainRopes  = []string{"default", "linear"}
	longerRopes = []string{"default", "linear", "yarn"}
	llama       = architecture{name: "llama", permuted: true, outputBias: true, ropes: []string{"default", "linear", "llama3", "yarn"}}
	gemma3      = architecture{
		name: "gemma3", ropes: plainRopes, nearPlain: true, nearTheta: true, windows: 6, rootScale: true, wide: 62,
		says: []string{"final_logit_softcapping"},
	}
)

// architectures are those that are written, by model_type.
var architectures = map[string]architecture{
	"llama":     llama,
	"mistral":   llama,
	"ministral": llama,
	"qwen2":     {name: "qwen2", ropes: longerRopes, evenHeads: true},
	"qwen3":     {name: "qwen3", ropes: longerRopes},
	"smollm3":   {name: "smollm3", permuted: true, ropes: longerRopes, unrotated: 4},
	"olmo2":     {name: "olmo2", ropes: longerRopes, evenHeads: true, ownHead: true},
	"olmo3":     {name: "olmo2", ropes: longerRopes, nearPlain: true, windows: 4, evenHeads: true, ownHead: true},
	"exaone4":   {name: "exaone4", ropes: []string{"default", "linear", "llama3"}, evenHeads: true, apart: 64},
	"granite": {
		name: "granite", permuted: true, outputBias: true, ropes: llama.ropes,
		says: []string{"attention.scale", "embedding_scale", "residual_scale", "logit_scale"},
	},
	"gemma": {name: "gemma", ropes: plainRopes, rootScale: true, tied: true},
	"gemma2": {
		name: "gemma2", ropes: plainRopes, windows: 2, rootScale: true, wide: 46, capped: true, tied: true,
		says: []string{"attn_logit_softcapping", "final_logit_softcapping"},
	},
	"gemma3_text": gemma3,
	"gemma3":      gemma3,
	"phi3":        {name: "phi3", ropes: []string{"default", "longrope"}, evenHeads: true, unheeded: true},
}

// architectureOf returns that of a model.
func architectureOf(c *model.Config) (architecture, error) {
	a, ok := architectures[c.ModelType]
	if !ok {
		return a, refused("model_type %s is not written as GGUF, only %s", c.ModelType, strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	return a, nil
}

// refused returns an error with a way to a file all the same.
func refused(format string, args ...any) error {
	return hint.New(fmt.Errorf(format, args...), "finetune merge writes a model folder, which transformers reads")
}

// keys returns the metadata of a whole model; an error where llama.cpp would compute
// something else from the weights.
func (a architecture) keys(c *model.Config) ([]KeyValue, error) {
	layers, err := a.layers(c)
	if err != nil {
		return nil, err
	}
	ropes, err := a.ropeKeys(layers, c.HeadDim)
	if err != nil {
		return nil, err
	}
	numbers, err := a.numberKeys(c)
	if err != nil {
		return nil, err
	}
	if err := a.fits(c); err != nil {
		return nil, err
	}
	keys := []KeyValue{
		{"block_count", uint32(c.NumHiddenLayers)},
		{"context_length", uint32(layers.context)},
		{"embedding_length", uint32(c.HiddenSize)},
		{"feed_forward_length", uint32(c.IntermediateSize)},
		{"attention.head_count", uint32(c.NumAttentionHeads)},
		{"attention.head_count_kv", uint32(c.NumKeyValueHeads)},
		{"attention.layer_norm_rms_epsilon", float32(c.RMSNormEps)},
		{"attention.key_length", uint32(c.HeadDim)},
		{"attention.value_length", uint32(c.HeadDim)},
		{"vocab_size", uint32(c.VocabSize)},
	}
	keys = slices.Concat(keys, a.windowKeys(layers), ropes, numbers)
	for i := range keys {
		keys[i].Key = a.name + "." + keys[i].Key
	}
	return keys, nil
}

// fits returns an error for a shape that llama.cpp does not have for the architecture.
func (a architecture) fits(c *model.Config) error {
	switch {
	case a.apart == c.NumHiddenLayers:
		return refused("%d layers: in llama.cpp such a model of %s has windows by a rule of its own", a.apart, a.name)
	case a.evenHeads && c.HeadDim*c.NumAttentionHeads != c.HiddenSize:
		return refused("heads have %d values: in llama.cpp those of %s have hidden_size/num_attention_heads", c.HeadDim, a.name)
	case c.OBias && !a.outputBias:
		return refused("o_proj has a bias: in llama.cpp that of %s has none", a.name)
	case a.tied && !c.TieWordEmbeddings, a.ownHead && c.TieWordEmbeddings:
		return refused("tie_word_embeddings is %v: in llama.cpp it is %v for %s", c.TieWordEmbeddings, a.tied, a.name)
	}
	return nil
}

// numberKeys returns the keys of what a model multiplies by and is limited to.
func (a architecture) numberKeys(c *model.Config) ([]KeyValue, error) {
	head := 1 / math.Sqrt(float64(c.HeadDim))
	scores, embeddings, scoresCap, logitsCap := head, 1.0, 0.0, 0.0
	if a.wide == c.NumHiddenLayers {
		scores = 1 / math.Sqrt(float64(c.HiddenSize/c.NumAttentionHeads))
	}
	if a.rootScale {
		embeddings = math.Sqrt(float64(c.HiddenSize))
	}
	if a.capped {
		scoresCap, logitsCap = 50, 30
	}
	var keys []KeyValue
	for _, n := range []struct {
		key          string
		value, usual float64 // usual: where a file does not say
	}{
		{"attention.scale", cmp.Or(c.AttentionScale, head), scores},
		{"embedding_scale", cmp.Or(c.EmbeddingScale, 1), embeddings},
		{"residual_scale", cmp.Or(c.ResidualScale, 1), 1},
		{"logit_scale", cmp.Or(c.LogitsDivisor, 1), 1},
		{"attn_logit_softcapping", c.AttentionCap, scoresCap},
		{"final_logit_softcapping", c.LogitsCap, logitsCap},
	} {
		switch {
		case n.value != 0 && slices.Contains(a.says, n.key):
			keys = append(keys, KeyValue{n.key, float32(n.value)})
		case math.Abs(n.value-n.usual) > 1e-6*n.usual:
			return nil, refused("%s is %v, in llama.cpp it is %v for %s", n.key, float32(n.value), float32(n.usual), a.name)
		}
	}
	return keys, nil
}

// layers are what a model's layers do, as far as a file says it.
type layers struct {
	rope, near model.Rope // of those without a window, and of those with one
	window     int        // the last one there is; 0: none
	sliding    []bool     // which layers have a window in llama.cpp
	context    int        // most tokens for which a file says all
}

// layers sums up the layers. Where llama.cpp has no windows, texts no longer than the
// window are the same.
func (a architecture) layers(c *model.Config) (layers, error) {
	s := layers{context: c.MaxPositionEmbeddings, sliding: make([]bool, c.NumHiddenLayers)}
	for i, l := range c.Layers {
		s.window = cmp.Or(l.Window, s.window)
		rope := &s.rope
		switch {
		case l.Window > 0 && a.windows > 0:
			s.sliding[i], rope = true, &s.near
		case l.Window > 0:
			s.context = min(s.context, l.Window)
		}
		rotated := a.unrotated == 0 || (i+1)%a.unrotated != 0
		if rotated != (l.Rope.Type != "") {
			return s, refused("q and k of layer %d are rotated: %v; in llama.cpp that is %v for %s", i, !rotated, rotated, a.name)
		}
		if rope.Type == "" {
			*rope = l.Rope
		}
		if rotated && *rope != l.Rope {
			return s, refused("layer %d rotates otherwise than those before it: not written as GGUF", i)
		}
	}
	if s.rope.Type == "" { // all have the window
		s.rope = s.near
	}
	switch {
	case s.near.Type == "":
	case a.nearPlain && s.near.Type != "default":
		return s, refused("the rope type %q of layers with a window is not written as GGUF", s.near.Type)
	case a.nearPlain && !a.nearTheta && s.near.Theta != s.rope.Theta, !a.nearPlain && s.near != s.rope:
		return s, refused("layers with a window rotate otherwise than those without: not written as GGUF")
	}
	return s, nil
}

// windowKeys returns the window, and which layers have it where llama.cpp would take
// others.
func (a architecture) windowKeys(s layers) []KeyValue {
	var keys []KeyValue
	if a.unheeded || a.windows > 0 && s.window > 0 {
		keys = append(keys, KeyValue{"attention.sliding_window", uint32(s.window)})
	}
	for i, sliding := range s.sliding {
		if a.windows > 0 && sliding != ((i+1)%a.windows != 0) {
			return append(keys, KeyValue{"attention.sliding_window_pattern", s.sliding})
		}
	}
	return keys
}
