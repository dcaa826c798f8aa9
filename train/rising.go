package train

import (
	"fmt"
	"slices"
)

// A rise watches the training losses for one that grows without end: the medians of
// three windows of riseWindow steps in a row grow, and every loss of the last one is
// above the lowest median so far, by a quarter and by a tenth of a nat. Bad batches
// alone do not do that, and a loss near zero may well double.
type rise struct {
	Losses []float64 `json:"losses,omitempty"` // of the window so far
	Last   []float64 `json:"last,omitempty"`   // the medians, three at most
	Lowest float64   `json:"lowest"`           // of all medians
	At     int       `json:"at"`               // the step where the lowest window ended
	Told   bool      `json:"told"`
}

// What counts as a rise.
const (
	riseWindow = 10 // steps
	riseShare  = 0.25
	riseLeast  = 0.1 // nats
)

// add takes in the mean loss of a step, from 1, and returns a warning, once.
func (r *rise) add(step int, loss float64) (warning string) {
	if r.Told {
		return ""
	}
	r.Losses = append(r.Losses, loss)
	if len(r.Losses) < riseWindow {
		return ""
	}
	slices.Sort(r.Losses)
	least, median := r.Losses[0], r.Losses[riseWindow/2]
	r.Losses = r.Losses[:0]
	r.Last = append(r.Last, median)
	if len(r.Last) > 3 {
		r.Last = slices.Delete(r.Last, 0, 1)
	}
	if r.At == 0 || median < r.Lowest {
		r.Lowest, r.At = median, step
	}
	grows := len(r.Last) == 3 && r.Last[0] < r.Last[1] && r.Last[1] < r.Last[2]
	if !grows || least < r.Lowest+max(riseLeast, riseShare*r.Lowest) {
		return ""
	}
	r.Told = true
	return fmt.Sprintf("the training loss is rising: %.4f in the middle of the last %d steps, and it was %.4f up to step %d; a lower learning_rate may help", median, riseWindow, r.Lowest, r.At)
}
