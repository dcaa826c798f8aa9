package loraone

import (
	"context"
	"fmt"

	"example.com/finetune/loraone/spectrum"
	"example.com/finetune/model"
	"example.com/finetune/simd"
)

// StartOptions are the settings of a start.
type StartOptions struct {
	Gamma    float64 // LoRA-One's γ: the start's spectral norm is s/γ
	Seed     uint64
	Progress func(done, total int) // of the initial gradient, after each micro-batch; may be nil

	// MaterialisedBytes bounds the gradients in memory at a time; 0 means
	// spectrum.DefaultMaterialisedBytes. No result depends on it.
	MaterialisedBytes int64
}

// A StartReport says what the initial gradient looked like.
type StartReport struct {
	Sequences int            `json:"sequences"`
	Sketched  bool           `json:"sketched"` // G was never materialised: norms are estimates
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

// Start makes the adapters that c means for the engine's model and starts them as c's
// method does, from the initial gradient of seqs where it needs one; the report is nil
// where it does not. The engine keeps the adapters that it has.
//
// A loss or gradient that is not finite is a *spectrum.NonFiniteError. Start stops
// between micro-batches when ctx ends.
func Start(ctx context.Context, e *model.Engine, c Config, seqs []model.Sequence, o StartOptions) (*Adapters, *StartReport, error) {
	s := start{ctx: ctx, engine: e, config: c, seqs: seqs, options: o}
	m := e.Model().Config
	if err := c.Check(m); err != nil {
		return nil, nil, err
	}
	var err error
	if s.targets, err = c.Projections(m); err != nil {
		return nil, nil, err
	}
	ranks, err := s.ranks()
	if err != nil {
		return nil, nil, err
	}
	a, err := New(m, c, ranks)
	if err != nil {
		return nil, nil, err
	}
	report, err := s.start(a)
	return a, report, err
}

// A start is one call of Start.
type start struct {
	ctx     context.Context
	engine  *model.Engine
	config  Config
	targets []model.Projection
	seqs    []model.Sequence
	options StartOptions
}

// ranks returns the ranks that the method chooses, nil where it does not.
func (s *start) ranks() ([]int, error) {
	m := s.config.Method
	if m.Ranks == nil {
		return nil, nil
	}
	weighed := make([][]float64, len(s.targets))
	_, err := s.each(nil, func(i int, g *Given) error {
		weighed[i] = m.Weigh(g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m.Ranks(s.config.R, s.targets, weighed), nil
}

// start starts the modules.
func (s *start) start(a *Adapters) (*StartReport, error) {
	modules := make(map[int]Module, len(a.Modules))
	for _, m := range a.Modules {
		modules[m.At().Index] = m
	}
	reports := make([]ModuleReport, len(s.targets))
	sketched, err := s.each(a.ranks, func(i int, g *Given) error {
		pairs := 0
		if m, ok := modules[s.targets[i].Index]; ok { // not of rank 0
			var err error
			if pairs, err = s.config.Method.Start(m, g); err != nil {
				return err
			}
			m.Sync()
		}
		if g.Gradient != nil {
			reports[i] = describe(g.Gradient, s.config.rank(a.ranks, i), pairs)
		}
		return nil
	})
	if err != nil || !s.config.Method.Need(Gradient) {
		return nil, err
	}
	return &StartReport{Sequences: len(s.seqs), Sketched: sketched, Modules: reports}, nil
}

// describe reports a gradient from whose spectrum a module of rank r took some pairs.
func describe(g *spectrum.Gradient, r, pairs int) ModuleReport {
	m := ModuleReport{Name: g.Name, Norm: g.Norm, Spectral: pairs}
	if g.Spectrum == nil {
		return m
	}
	s := g.Spectrum.S
	m.SingularValues = s[:min(r+1, len(s))]
	var top float64
	for _, s := range s[:min(r, len(s))] {
		top += s * s
	}
	if g.Norm > 0 {
		m.Share = min(1, top/(g.Norm*g.Norm))
	}
	return m
}

// each calls f with what is given for each target, of which modules of given ranks are
// to be made, for several at once.
func (s *start) each(ranks []int, f func(i int, g *Given) error) (sketched bool, err error) {
	c := s.config
	if c.Method.Need(Gradient) {
		return spectrum.Each(s.ctx, s.engine, s.seqs, c.wanted(s.targets, ranks), c.spectrumOptions(s.options), func(i int, g *spectrum.Gradient) error {
			return f(i, s.given(i, g))
		})
	}
	errs := make([]error, len(s.targets))
	s.engine.Pool().Run(len(s.targets), func(_, i int) { errs[i] = f(i, s.given(i, nil)) })
	for i, err := range errs {
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.targets[i].Name, err)
		}
	}
	return false, nil
}

func (s *start) given(i int, g *spectrum.Gradient) *Given {
	given := &Given{StartOptions: s.options, Gradient: g}
	if s.config.Method.Need(Weights) {
		w := s.engine.Model().Linears()[s.targets[i].Index].W
		given.W = simd.Dense(make([]float32, w.Rows*w.Cols), w.Rows, w.Cols)
		simd.Convert(given.W.Data, w.Data, w.DType)
	}
	return given
}
