package model

// MicroBatches cuts seqs, in order, into micro-batches of the engine's layout.
func (e *Engine) MicroBatches(seqs []Sequence) [][]Sequence {
	return MicroBatches(seqs, e.Layout.MicroBatch)
}

// MicroBatches cuts seqs, in order, into micro-batches of at most the given
// number of tokens. A longer sequence is a micro-batch of its own.
func MicroBatches(seqs []Sequence, tokens int) [][]Sequence {
	var list [][]Sequence
	lo, n := 0, 0
	for i, s := range seqs {
		if i > lo && n+len(s.IDs) > tokens {
			list = append(list, seqs[lo:i])
			lo, n = i, 0
		}
		n += len(s.IDs)
	}
	if lo < len(seqs) {
		list = append(list, seqs[lo:])
	}
	return list
}
