package loraone

import (
	"context"
	"fmt"
	"math"

	"example.com/finetune/model"
)

// StartOptions are the settings of the spectral start.
type StartOptions struct {
	Gamma    float64 // γ: the start's spectral norm is s/γ
	Seed     uint64
	Progress func(done, total int) // called after each micro-batch; may be nil

	// FormedBytes bounds the gradients in memory at a time, each group of them being
	// a pass over the sequences; 0 means DefaultFormedBytes. No result depends on it.
	FormedBytes int64
}

// A StartReport says what the one gradient looked like.
type StartReport struct {
	Sequences int            `json:"sequences"`
	Sketched  bool           `json:"sketched"` // G was never formed: norms are estimates
	Modules   []ModuleReport `json:"modules"`
}

// A ModuleReport describes the gradient G of one projection.
type ModuleReport struct {
	Name           string    `json:"name"`
	Norm           float64   `json:"norm"`            // ‖G‖_F
	SingularValues []float64 `json:"singular_values"` // the top r+1
	Share          float64   `json:"share"`           // of ‖G‖²_F in the top r
	Spectral       int       `json:"spectral"`        // pairs started from G; the others got the ordinary LoRA start
}

// StartSpectral sets A and B from the gradient G = (1/K)·Σ ∇Lₖ over the K
// sequences, Lₖ the mean loss of sequence k's targets, at the pretrained weights:
// with -G = U·S·Vᵀ and fᵢ = √(Sᵢ/S₀)/√γ, column i of B is fᵢ·uᵢ and row i of A is
// fᵢ·vᵢᵀ (run_exp.py:160-189). The largest entry of uᵢ by size is positive.
//
// A projection without a gradient, and pairs whose Sᵢ float32 cannot tell from 0,
// get the ordinary LoRA start. A loss or gradient that is not finite is a
// *NonFiniteError. It stops between micro-batches when ctx ends. After an error some
// layers may have been set.
func (a *Adapters) StartSpectral(ctx context.Context, e *model.Engine, seqs []model.Sequence, o StartOptions) (*StartReport, error) {
	g, err := newGradient(ctx, a, e, seqs, o)
	if err != nil {
		return nil, err
	}
	a.Detach()
	defer a.Reattach()
	if err := g.start(); err != nil {
		return nil, err
	}
	return &StartReport{Sequences: len(seqs), Sketched: g.groups == nil, Modules: g.modules}, nil
}

// start sets a layer from the spectrum of its G, of the given Frobenius norm, and
// reports it.
func (l *Layer) start(sp *spectrum, norm float64, o StartOptions) ModuleReport {
	m := ModuleReport{Name: l.Name, Norm: norm, SingularValues: sp.s[:min(l.R+1, len(sp.s))]}
	m.Spectral = l.startSpectral(sp, o)
	var top float64
	for _, s := range sp.s[:l.R] {
		top += s * s
	}
	if norm > 0 {
		m.Share = min(1, top/(norm*norm))
	}
	l.Sync()
	return m
}

// startSpectral sets the layer from the spectrum of G and returns how many pairs
// came from it.
func (l *Layer) startSpectral(sp *spectrum, o StartOptions) int {
	// What float32 can tell from zero in an Out×In matrix of spectral norm S₀.
	least := float64(max(l.Out, l.In)) * 0x1p-23 * sp.s[0]
	n := 0
	for n < l.R && sp.s[n] > least {
		u, v := sp.ut.RawRowView(n), sp.vt.RawRowView(n)
		f := math.Sqrt(sp.s[n]/sp.s[0]) / math.Sqrt(o.Gamma)
		fu := f
		if largest(u) < 0 {
			fu = -f
		}
		for i, x := range u {
			l.Bt[n*l.Out+i] = float32(fu * x)
		}
		for i, x := range v { // -G = U·S·Vᵀ: u and v of G with one sign turned
			l.A[n*l.In+i] = float32(-fu * x)
		}
		n++
	}
	l.startLoRA(o.Seed, n)
	return n
}

// largest returns the entry of x that is largest by size, the first of equals.
func largest(x []float64) float64 {
	var m float64
	for _, v := range x {
		if math.Abs(v) > math.Abs(m) {
			m = v
		}
	}
	return m
}

// A NonFiniteError is a loss or gradient of the start that is NaN or infinite.
type NonFiniteError struct {
	Sequence int    // index into the sequences given
	Module   string // whose gradient it is; empty for the loss
}

func (e *NonFiniteError) Error() string {
	if e.Module == "" {
		return fmt.Sprintf("the loss of sequence %d of the initial gradient is not finite", e.Sequence)
	}
	return fmt.Sprintf("the initial gradient of %s is not finite from sequence %d on", e.Module, e.Sequence)
}
