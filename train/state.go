package train

import "example.com/finetune/loraone"

// A state is where a run stands, but for the numbers of its tensors. It is what
// state.json holds.
type state struct {
	Version int `json:"version"` // of this layout
	Step    int `json:"step"`    // steps done
	Total   int `json:"total_steps"`

	Validated bool    `json:"validated"` // there are validation rows
	Evaluated int     `json:"evaluated"` // the last step evaluated, -1 for none
	BaseLoss  float64 `json:"base_loss"`
	StartLoss float64 `json:"start_loss"`
	LastLoss  float64 `json:"last_loss"`
	BestLoss  float64 `json:"best_loss"`
	BestStep  int     `json:"best_step"`
	Stale     int     `json:"stale"` // evaluations since the best one

	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
	Window  window  `json:"window"`
	Logged  float64 `json:"logged_loss"` // of the last log line

	Metrics int64 `json:"metrics_bytes"` // of metrics.jsonl

	Rise rise `json:"rise"`

	Base     []fileHash           `json:"base"`
	Files    []fileHash           `json:"files"`    // of rows
	Data     string               `json:"data"`     // digests of the training and validation sequences
	Settings map[string]any       `json:"settings"` // key → value, as in run.yaml
	Init     *loraone.StartReport `json:"init,omitempty"`
}

// stateVersion is the layout of a checkpoint. Layout 2 called scaled-adamw
// preconditioned-adamw.
const stateVersion = 3

// A window is what has happened since the last log line.
type window struct {
	Sum     float64 `json:"sum"` // nats
	Targets int     `json:"targets"`
	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
}

// add counts one step.
func (w *window) add(b batchLoss, seconds float64) {
	w.Sum += b.sum
	w.Targets += b.targets
	w.Tokens += b.tokens
	w.Seconds += seconds
}

// stopped reports whether the run has gone long enough without improvement.
func (s *state) stopped(patience int) bool { return patience > 0 && s.Stale >= patience }

// evaluated takes in the validation loss of the present step and reports whether
// it is the best so far.
func (s *state) evaluated(loss float64) bool {
	best := s.Evaluated < 0 || loss < s.BestLoss
	if s.Evaluated < 0 {
		s.StartLoss = loss
	}
	s.Evaluated, s.LastLoss = s.Step, loss
	if best {
		s.BestLoss, s.BestStep, s.Stale = loss, s.Step, 0
	} else {
		s.Stale++
	}
	return best
}
