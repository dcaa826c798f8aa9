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

	files *safetensors.Set // nil where the weights are in no file
}

// A Block is one decoder layer.
type Block struct {
	InputNorm, PostAttnNorm []float32 // C
	QNorm, KNorm            []float32 // D, qwen3 only
	QProj                   Linear    // H·D×C
	KProj, VProj            Linear    // KV·D×C
	OProj                   Linear    // C×H·D
	GateProj, UpProj        Linear    // F×C
	DownProj                Linear    // C×F
}

// Linears returns the block's projections in the order q, k, v, o, gate, up, down.
func (b *Block) Linears() []*Linear {
	return []*Linear{&b.QProj, &b.KProj, &b.VProj, &b.OProj, &b.GateProj, &b.UpProj, &b.DownProj}
}

// Linears returns all projections, layer by layer.
func (m *Model) Linears() []*Linear {
	all := make([]*Linear, 0, 7*len(m.Blocks))
	for i := range m.Blocks {
		all = append(all, m.Blocks[i].Linears()...)
	}
	return all
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

// A Sequence is token ids and which of them are targets. Token i is predicted
// from the tokens before it, so Learn[0] has no meaning.
type Sequence struct {
	IDs   []int32
	Learn []bool
}

// Targets returns the number of trained tokens.
func (s Sequence) Targets() int {
	n := 0
	for i := 1; i < len(s.Learn); i++ {
		if s.Learn[i] {
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
