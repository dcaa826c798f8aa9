package model

import "example.com/finetune/simd"

// A Layout is how an Engine trades memory for time. No result depends on it.
type Layout struct {
	MicroBatch int // tokens of a micro-batch; a longer sequence is one of its own
	Logits     int // targets whose logits are held at a time
	Recompute  int // the lowest blocks, of which only inputs are kept for the backward pass, and the rest computed again
}

// layouts are the ways to lay out memory, the fastest first, each with any number of
// blocks computed again. All of them cost up to a quarter of the speed, half the
// tokens up to a tenth (scripts/memory.sh).
var layouts = []Layout{
	{MicroBatch: MostTokens, Logits: 384}, // the targets of most micro-batches: each piece packs the head again
	{MicroBatch: MostTokens, Logits: 128},
	{MicroBatch: 256, Logits: 64},
	{MicroBatch: 128, Logits: 32},
}

// MostTokens is the largest micro-batch of any layout, of sequences that are no
// longer.
const MostTokens = 512

// logitsBudget bounds the logits held at a time, in values: 64 MiB of float32.
const logitsBudget = 1 << 24

// DefaultLayout is the fastest.
func (c *Config) DefaultLayout() Layout { return c.bounded(layouts[0]) }

// bounded limits the logits of a large vocabulary.
func (c *Config) bounded(l Layout) Layout {
	l.Logits = min(l.Logits, max(logitsBudget/max(c.VocabSize, 1), 32))
	return l
}

// FitLayout returns the fastest layout whose TrainingBytes are within budget, and
// whether there is one; if not, the smallest.
func (c *Config) FitLayout(budget int64, longest, shared, threads int) (Layout, bool) {
	var l Layout
	for _, candidate := range layouts {
		l = c.bounded(candidate)
		for l.Recompute = range c.NumHiddenLayers {
			if c.TrainingBytes(l, longest, shared, threads) <= budget {
				return l, true
			}
		}
	}
	return l, false
}

// QuantisedBytes returns what products in int8 allocate besides, for sequences of at most
// longest tokens: the widest input of a product, or the gradients of the logits.
func (c *Config) QuantisedBytes(longest int) int64 {
	widest := max(c.HiddenSize, c.qkvWidth(), 2*c.IntermediateSize)
	return max(simd.QuantisedBytes(max(MostTokens, longest), widest), simd.QuantisedBytes(c.DefaultLayout().Logits, c.VocabSize))
}

// TrainingBytes returns what an Engine with layout l allocates for forward and
// backward passes over sequences of at most longest tokens, every block being
// adapted, of which the first shared ones at most may be those of others as well.
func (c *Config) TrainingBytes(l Layout, longest, shared, threads int) int64 {
	kv := c.kvWidth()
	C, F, gu := simd.Pitch(c.HiddenSize), simd.Pitch(c.IntermediateSize), simd.Pitch(2*c.IntermediateSize)
	q, qk, qkv := simd.Pitch(c.qWidth()), simd.Pitch(c.qWidth()+kv), simd.Pitch(c.qkvWidth())
	inner := qkv + q + 2*c.NumAttentionHeads + C + gu // of one token: see kept
	if c.QKNorm {
		inner += qk
	}
	if c.NormPlaces != NormsBefore {
		inner += 2 * C
	}
	tiles := 2
	if c.AttentionCap != 0 {
		tiles = 3
	}
	kept := c.NumHiddenLayers - l.Recompute // one of them in turn for those computed again
	token := (c.NumHiddenLayers+1)*C + kept*inner +
		3*C + 2*F + q + qkv + // see scratch
		c.NumAttentionHeads // see attention.divide
	T := max(l.MicroBatch, longest)
	keys := T // packed together
	if shared > 0 {
		keys = max(packedBatches*l.MicroBatch, longest)
	}
	floats := int64(T)*int64(token) +
		int64(keys)*int64(3*kv+keyParts(c.NumKeyValueHeads)*simd.Pitch(2*kv)) + 2*int64(kv*(paddedTokens(keys)-keys)) + // see attention
		int64(shared)*int64(c.NumHiddenLayers*4*kv) + // see prefix
		int64(l.Logits)*int64(C+simd.Pitch(c.VocabSize)) +
		int64(threads)*int64(tiles*queryBlock*(keyBlock+headPad)+queryBlock*(c.HeadDim+2)) // see attentionScratch
	return 4 * floats
}
