package spectrum

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"example.com/finetune/internal/random"
	"example.com/finetune/simd"
)

const (
	// A sketch of G is refined until its leading values move by less than this share,
	// or this many times. Products with a materialised G are cheap; a sketch of one that
	// is not costs a pass over the sequences each.
	materialisedTolerance, materialisedRounds = 1e-7, 24
	sketchTolerance, sketchRounds             = 1e-4, 8
)

// A sketch follows the leading singular subspace of one G (Out×In) by randomised
// subspace iteration (Halko, Martinsson, Tropp, arXiv 0909.4061, algorithm 4.4):
// y = GΩ, Q = orth(y), z = QᵀG, then Ω = orth(zᵀ) and again. The bases come from
// eigenvectors of the q×q Gram matrices, so that the columns of Ω are singular
// vectors of z: from the second round on y is almost orthogonal, and loses nothing.
type sketch struct {
	target    Target
	omega     simd.View  // In×q
	y         simd.View  // Out×q: GΩ
	q         simd.View  // Out×q
	z         simd.View  // q×In
	squares   []float64  // of the singular values of z, descending
	vectors   *mat.Dense // q×q: its left singular vectors
	converged bool
}

// sketchWidth returns q: the pairs, oversampled by 8 at least.
func sketchWidth(t Target) int { return min(max(2*t.Pairs, t.Pairs+8), t.In, t.Out) }

func newSketch(t Target, seed uint64) *sketch {
	q := sketchWidth(t)
	s := &sketch{
		target: t,
		omega:  simd.Dense(make([]float32, t.In*q), t.In, q),
		y:      simd.Dense(make([]float32, t.Out*q), t.Out, q),
		q:      simd.Dense(make([]float32, t.Out*q), t.Out, q),
		z:      simd.Dense(make([]float32, q*t.In), q, t.In),
	}
	random.ForNames(seed, "sketch", t.Name).Signs(s.omega.Data)
	return s
}

// of returns the leading spectrum of a G that is in memory, on the calling
// goroutine.
func (s *sketch) of(g simd.View) (*Spectrum, error) {
	for round := 0; round < materialisedRounds && !s.converged; round++ {
		simd.Mul(s.y, g, s.omega)
		if err := s.orthonormalise(); err != nil {
			return nil, err
		}
		simd.Mul(s.z, s.q.T(), g)
		if err := s.iterate(materialisedTolerance); err != nil {
			return nil, err
		}
	}
	return s.spectrum(), nil
}

// sketched delivers all gradients from sketches.
func (c *computation) sketched() error {
	all := make([]*sketch, len(c.targets))
	for i, t := range c.targets {
		all[i] = newSketch(t, c.options.Seed)
	}
	norms, err := c.refine(all)
	if err != nil {
		return err
	}
	return c.each(group{from: 0, to: len(all)}, func(i int) error {
		g := &Gradient{Target: c.targets[i], Norm: norms[i]}
		if g.Pairs > 0 {
			g.Spectrum = all[i].spectrum()
		}
		return c.f(i, g)
	})
}

// refine improves the sketches of gradients that never exist whole, two passes over the
// sequences a round, until all have converged, or for sketchRounds. It returns an
// estimate of ‖G‖ for each.
func (c *computation) refine(all []*sketch) (norms []float64, err error) {
	norms = make([]float64, len(all))
	unfinished := func(f func(i int, s *sketch) error) error {
		return c.each(group{from: 0, to: len(all)}, func(i int) error {
			if all[i].converged {
				return nil
			}
			return f(i, all[i])
		})
	}
	open := func(s *sketch) bool { return !s.converged }
	for round := 0; round < sketchRounds && slices.ContainsFunc(all, open); round++ {
		if err := c.record(recorders(all, (*sketch).right)); err != nil {
			return nil, err
		}
		if err := unfinished(func(i int, s *sketch) error {
			if round == 0 { // E‖GΩ‖² = q·‖G‖² for entries ±1
				norms[i] = norm(s.y.Data) / math.Sqrt(float64(s.y.Cols))
			}
			return s.orthonormalise()
		}); err != nil {
			return nil, err
		}
		if err := c.record(recorders(all, (*sketch).left)); err != nil {
			return nil, err
		}
		if err := unfinished(func(_ int, s *sketch) error { return s.iterate(sketchTolerance) }); err != nil {
			return nil, err
		}
	}
	return norms, nil
}

// recorders returns those of the sketches that have not converged.
func recorders(all []*sketch, of func(*sketch) recorder) []recorder {
	recs := make([]recorder, len(all))
	for i, s := range all {
		if !s.converged {
			recs[i] = of(s)
		}
	}
	return recs
}

// right returns a recorder of y = G·Ω, left of z = Qᵀ·G.
func (s *sketch) right() recorder {
	s.y.Clear()
	return &rightSketch{omega: s.omega, y: s.y}
}

func (s *sketch) left() recorder {
	s.z.Clear()
	return &leftSketch{q: s.q, z: s.z}
}

// orthonormalise sets Q to a basis of y's columns.
func (s *sketch) orthonormalise() error {
	d, v, err := eigen(dense(s.y.Data, s.y.Rows, s.y.Cols).T())
	if err == nil {
		basis(s.q, s.y, d, v)
	}
	return err
}

// iterate sees whether the leading values have converged, and readies Ω for the next
// round if not.
func (s *sketch) iterate(tolerance float64) (err error) {
	before := s.squares
	if s.squares, s.vectors, err = eigen(dense(s.z.Data, s.z.Rows, s.z.Cols)); err != nil {
		return err
	}
	s.converged = before != nil
	for i := 0; i < min(s.target.Pairs, len(s.squares)) && s.converged; i++ {
		// Squares move by twice the share that the values move by.
		s.converged = math.Abs(s.squares[i]-before[i]) <= 2*tolerance*s.squares[i]
	}
	if !s.converged {
		basis(s.omega, s.z.T(), s.squares, s.vectors)
	}
	return nil
}

// spectrum returns that of Q·z, which is G's leading one.
func (s *sketch) spectrum() *Spectrum {
	sp := &Spectrum{S: make([]float64, len(s.squares)), ut: new(mat.Dense), vt: new(mat.Dense)}
	sp.ut.Mul(s.vectors.T(), dense(s.q.Data, s.q.Rows, s.q.Cols).T())
	sp.vt.Mul(s.vectors.T(), dense(s.z.Data, s.z.Rows, s.z.Cols))
	for i, root := range inverseRoots(s.squares) {
		sp.S[i] = math.Sqrt(max(s.squares[i], 0))
		floats.Scale(root, sp.vt.RawRowView(i))
	}
	return sp
}
