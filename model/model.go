package model

import (
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// A Model is a frozen decoder. Its weights are views into mapped files: they
// are valid until Close, and are never written.
type Model struct {
	Config      *Config
	Dir         string      // the folder it was loaded from
	EmbedTokens simd.Matrix // V×C
	LMHead      simd.Matrix // V×C; EmbedTokens when tied
	Blocks      []Block
	Norm        []float32 // C

	linears []*Linear
	files   *safetensors.Set // nil where the weights are in no file
}

// A Block is one decoder layer.
type Block struct {
	InputNorm, MLPNorm    []float32 // C, before each half, or nil
	PostNorm, MLPPostNorm []float32 // C, behind each half, or nil
	QNorm, KNorm          []float32 // D, or all heads' H·D and KV·D, or nil
	QKV                   []*Linear // (H+2KV)·D×C together: q, k and v
	O                     *Linear   // C×H·D
	GateUp                []*Linear // 2F×C together
	Down                  *Linear   // C×F
}

// add puts a linear in its place.
func (b *Block) add(l *Linear) {
	switch l.place {
	case atQKV:
		b.QKV = append(b.QKV, l)
	case atO:
		b.O = l
	case atGateUp:
		b.GateUp = append(b.GateUp, l)
	case atDown:
		b.Down = l
	}
}

// inputNorm returns the weights of the norm that block l has of its input, or nil; behind the
// last block those of the final norm.
func (m *Model) inputNorm(l int) []float32 {
	if l == len(m.Blocks) {
		return m.Norm
	}
	return m.Blocks[l].InputNorm
}

// Linears returns all projections, in the order of [Config.Linears].
func (m *Model) Linears() []*Linear { return m.linears }

// Files lists the paths of the weight files; none for a model made in memory.
func (m *Model) Files() []string {
	if m.files == nil {
		return nil
	}
	return m.files.Files()
}

// MappedBytes returns the size of the mapped weight files.
func (m *Model) MappedBytes() int64 {
	if m.files == nil {
		return 0
	}
	return m.files.Bytes()
}

// Close unmaps the weights. The model must not be used after it.
func (m *Model) Close() error {
	if m.files == nil {
		return nil
	}
	return m.files.Close()
}

// A Sequence is token ids and their loss mask: which of them are targets. Token i is predicted
// from the tokens before it, so Mask[0] has no meaning.
type Sequence struct {
	IDs  []int32
	Mask []bool
}

// Targets returns the number of trained tokens.
func (s Sequence) Targets() int {
	n := 0
	for i := 1; i < len(s.Mask); i++ {
		if s.Mask[i] {
			n++
		}
	}
	return n
}

// A Loss is Σ -log p in nats over a number of targets.
type Loss struct {
	Sum     float64
	Targets int
}
