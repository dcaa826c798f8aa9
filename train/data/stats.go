package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Stats count what became of rows. Tokens are of the rows that were kept.
type Stats struct {
	Rows         int `json:"rows"` // read
	Kept         int `json:"kept"`
	Tokens       int `json:"tokens"`
	Trained      int `json:"trained_tokens"`
	Longest      int `json:"longest"`
	Cut          int `json:"cut"`           // rows cut to max_length
	Dropped      int `json:"dropped"`       // rows dropped as longer than max_length
	Untrained    int `json:"untrained"`     // rows dropped without a trained token
	SkippedTurns int `json:"skipped_turns"` // assistant turns the template does not show
	Joined       int `json:"joined"`        // trained tokens that begin before the answer

	UntrainedAt Origin `json:"-"` // the first of them
}

// Digest identifies the sequences: their ids and masks, in order.
func (s *Set) Digest() string {
	h := sha256.New()
	var buf []byte
	for _, q := range s.Sequences {
		buf = binary.LittleEndian.AppendUint32(buf[:0], uint32(len(q.IDs)))
		for i, id := range q.IDs {
			learn := byte(0)
			if q.Learn[i] {
				learn = 1
			}
			buf = append(binary.LittleEndian.AppendUint32(buf, uint32(id)), learn)
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}
