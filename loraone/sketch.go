package loraone

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"example.com/finetune/internal/random"
	"example.com/finetune/simd"
)

// A sketch follows the leading singular subspace of one G (Out×In) by randomised
// subspace iteration (Halko, Martinsson, Tropp, arXiv 0909.4061, algorithm 4.4):
// y = GΩ, Q = orth(y), z = QᵀG, then Ω = orth(zᵀ) and again. The bases come from
// eigenvectors of the q×q Gram matrices, so that the columns of Ω are singular
// vectors of z: from the second round on y is almost orthogonal, and loses nothing.
type sketch struct {
	layer   *Layer
	omega   simd.View  // In×q
	y       simd.View  // Out×q: GΩ
	q       simd.View  // Out×q
	z       simd.View  // q×In
	squares []float64  // of the singular values of z, descending
	vectors *mat.Dense // q×q: its left singular vectors
	settled bool
}

// sketchWidth returns q: the rank, oversampled by 8 at least.
func sketchWidth(r, in, out int) int { return min(max(2*r, r+8), in, out) }

func newSketch(l *Layer, seed uint64) *sketch {
	q := sketchWidth(l.R, l.In, l.Out)
	s := &sketch{
		layer: l,
		omega: simd.Dense(make([]float32, l.In*q), l.In, q),
		y:     simd.Dense(make([]float32, l.Out*q), l.Out, q),
		q:     simd.Dense(make([]float32, l.Out*q), l.Out, q),
		z:     simd.Dense(make([]float32, q*l.In), q, l.In),
	}
	random.ForNames(seed, "sketch", l.Name).Signs(s.omega.Data)
	return s
}

// of returns the leading spectrum of a G that is in memory, on the calling
// goroutine.
func (s *sketch) of(g simd.View) (*spectrum, error) {
	for round := 0; round < formedRounds && !s.settled; round++ {
		simd.Mul(s.y, g, s.omega)
		if err := s.orthonormalise(); err != nil {
			return nil, err
		}
		simd.Mul(s.z, s.q.T(), g)
		if err := s.turn(formedTolerance); err != nil {
			return nil, err
		}
	}
	return s.spectrum(), nil
}

// refine runs the sketches of gradients that never exist whole, two passes over the
// sequences a round, until all have settled, or for sketchRounds. It returns an
// estimate of ‖G‖ for each.
func (g *gradient) refine(all []*sketch) (norms []float64, err error) {
	norms = make([]float64, len(all))
	unsettled := func(f func(i int, s *sketch) error) error {
		return g.each(group{from: 0, to: len(all)}, func(i int) error {
			if all[i].settled {
				return nil
			}
			return f(i, all[i])
		})
	}
	open := func(s *sketch) bool { return !s.settled }
	for round := 0; round < sketchRounds && slices.ContainsFunc(all, open); round++ {
		if err := g.record(g.recorders(all, (*sketch).right)); err != nil {
			return nil, err
		}
		if err := unsettled(func(i int, s *sketch) error {
			if round == 0 { // E‖GΩ‖² = q·‖G‖² for entries ±1
				norms[i] = norm(s.y.Data) / math.Sqrt(float64(s.y.Cols))
			}
			return s.orthonormalise()
		}); err != nil {
			return nil, err
		}
		if err := g.record(g.recorders(all, (*sketch).left)); err != nil {
			return nil, err
		}
		if err := unsettled(func(_ int, s *sketch) error { return s.turn(sketchTolerance) }); err != nil {
			return nil, err
		}
	}
	return norms, nil
}

// recorders returns those of the sketches that have not settled.
func (g *gradient) recorders(all []*sketch, of func(*sketch) recorder) []recorder {
	recs := make([]recorder, len(all))
	for i, s := range all {
		if !s.settled {
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
		turned(s.q, s.y, d, v)
	}
	return err
}

// turn sees whether the top R values have settled, and readies Ω for the next
// round if not.
func (s *sketch) turn(tolerance float64) (err error) {
	before := s.squares
	if s.squares, s.vectors, err = eigen(dense(s.z.Data, s.z.Rows, s.z.Cols)); err != nil {
		return err
	}
	s.settled = before != nil
	for i := 0; i < s.layer.R && s.settled; i++ {
		// Squares move by twice the share that the values move by.
		s.settled = math.Abs(s.squares[i]-before[i]) <= 2*tolerance*s.squares[i]
	}
	if !s.settled {
		turned(s.omega, s.z.T(), s.squares, s.vectors)
	}
	return nil
}

// spectrum returns that of Q·z, which is G's leading one.
func (s *sketch) spectrum() *spectrum {
	sp := &spectrum{s: make([]float64, len(s.squares)), ut: new(mat.Dense), vt: new(mat.Dense)}
	sp.ut.Mul(s.vectors.T(), dense(s.q.Data, s.q.Rows, s.q.Cols).T())
	sp.vt.Mul(s.vectors.T(), dense(s.z.Data, s.z.Rows, s.z.Cols))
	for i, root := range inverseRoots(s.squares) {
		sp.s[i] = math.Sqrt(max(s.squares[i], 0))
		floats.Scale(root, sp.vt.RawRowView(i))
	}
	return sp
}
