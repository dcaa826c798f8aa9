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
	Gamma     float64 // γ, by which the start's size is divided; 0: the method's own
	FirstRate float64 // learning rate of the first step, for starts that take one
	Seed      uint64
	Progress  func(done, total int) // of the initial gradient, after each micro-batch; may be nil

	// MaterialisedBytes bounds the gradients in memory at a time; 0 means
	// spectrum.DefaultMaterialisedBytes. No result depends on it.
	MaterialisedBytes int64
}

// A StartReport says what the initial gradient looked like, and what the start has done
// to its sequences' loss: the mean over them of the mean over their targets.
type StartReport struct {
	Sequences int            `json:"sequences"`
	Sketched  bool           `json:"sketched"`   // G was never materialised: norms are estimates
	BaseLoss  float64        `json:"base_loss"`  // without adapters
	StartLoss float64        `json:"start_loss"` // with the start, halved as often as Halvings says
	Halvings  int            `json:"halvings"`   // so as not to be worse than the base
	Modules   []ModuleReport `json:"modules"`
}

// mostHalvings is how often a start is halved.
const mostHalvings = 8

// A ModuleReport describes the gradient G of one projection.
type ModuleReport struct {
	Name           string    `json:"name"`
	Rank           int       `json:"rank"`            // of its module
	Norm           float64   `json:"norm"`            // ‖G‖_F
	SingularValues []float64 `json:"singular_values"` // the top r+1
	Share          float64   `json:"share"`           // of ‖G‖²_F in the top r
	Spectral       int       `json:"spectral"`        // pairs started from G; the others got the ordinary LoRA start
}

// Start makes the adapters that c means for the engine's model and starts them as c's
// method does, from the initial gradient of seqs where it needs one; the report is nil
// where it does not. A start that moves the model and makes the loss of seqs higher than
// the base's is halved until it does not, eight times at most. The engine keeps the
// adapters that it has.
//
// A loss or gradient that is not finite is a *spectrum.NonFiniteError. Start stops
// between micro-batches when ctx ends.
func Start(ctx context.Context, e *model.Engine, c Config, seqs []model.Sequence, o StartOptions) (*Adapters, *StartReport, error) {
	if o.Gamma == 0 {
		o.Gamma = c.Method.Gamma
	}
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
	if err == nil && report != nil && c.Method.Halve != nil {
		err = s.halve(a, report)
	}
	return a, report, err
}

// halve halves the start while the loss with it is above the base's, or not a number.
func (s *start) halve(a *Adapters, report *StartReport) (err error) {
	defer s.engine.SetAdapters(s.engine.Adapters())
	a.Attach(s.engine)
	for ; ; report.Halvings++ {
		if report.StartLoss, err = spectrum.Loss(s.ctx, s.engine, s.seqs); err != nil {
			return err
		}
		if report.StartLoss <= report.BaseLoss {
			return nil
		}
		if report.Halvings == mostHalvings {
			if report.StartLoss-report.StartLoss != 0 { // NaN or infinite
				return fmt.Errorf("the loss with the start is not finite, though it was halved %d times", mostHalvings)
			}
			return nil
		}
		for _, m := range a.Modules {
			s.config.Method.Halve(m)
		}
		a.Sync()
	}
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
	pass, err := s.each(a.ranks, func(i int, g *Given) error {
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
	return &StartReport{Sequences: len(s.seqs), Sketched: pass.Sketched, BaseLoss: pass.Loss, StartLoss: pass.Loss, Modules: reports}, nil
}

// describe reports a gradient from whose spectrum a module of rank r took some pairs.
func describe(g *spectrum.Gradient, r, pairs int) ModuleReport {
	m := ModuleReport{Name: g.Name, Rank: r, Norm: g.Norm, Spectral: pairs}
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
func (s *start) each(ranks []int, f func(i int, g *Given) error) (pass spectrum.Pass, err error) {
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
			return pass, fmt.Errorf("%s: %w", s.targets[i].Name, err)
		}
	}
	return pass, nil
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
