package model

// TrainingBytes returns what an Engine allocates for the forward and backward
// pass of micro-batches of the given tokens, every block being adapted.
func (c *Config) TrainingBytes(tokens, threads int) int64 {
	C, F := c.HiddenSize, c.IntermediateSize
	q, kv := c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	block := 2*C + (q + 2*kv) + q + 2*F // of one token: see kept
	if c.QKNorm {
		block += q + kv
	}
	scratch := 3*C + 4*F + q + (q + 2*kv) + 2*q // see scratch, and attention's dk and dv
	chunk := headChunk(c)
	worker := 2*c.HeadDim*(tokens+headPad) + 2*queryBlock*tokens // see attentionScratch
	floats := int64(tokens)*int64(c.NumHiddenLayers*block+C+scratch) +
		int64(chunk)*int64(3*C+c.VocabSize) + int64(threads)*int64(worker)
	return 4 * floats
}
