package loraone

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/simd"
)

// A sketch follows the leading singular subspace of one G (Out×In) by randomised
// subspace iteration (Halko, Martinsson, Tropp, arXiv 0909.4061, algorithm 4.4):
// y = GΩ, Q = orth(y), z = QᵀG, then Ω = orth(zᵀ) and again.
type sketch struct {
	layer   *Layer
	omega   simd.View // In×q
	y       simd.View // Out×q: GΩ, and then Q
	z       simd.View // q×In
	values  []float64 // of z, squared, ascending
	settled bool
	buf     []float64
}

// sketchWidth returns q: the rank, oversampled by 8 at least.
func sketchWidth(r, in, out int) int { return min(max(2*r, r+8), in, out) }

func newSketch(l *Layer, seed uint64) *sketch {
	q := sketchWidth(l.R, l.In, l.Out)
	s := &sketch{
		layer: l,
		omega: simd.Dense(make([]float32, l.In*q), l.In, q),
		y:     simd.Dense(make([]float32, l.Out*q), l.Out, q),
		z:     simd.Dense(make([]float32, q*l.In), q, l.In),
	}
	newStream(seed, "sketch", l.Name).signs(s.omega.Data)
	return s
}

// of returns the leading spectrum of a G that is in memory, on the calling
// goroutine.
func (s *sketch) of(g simd.View) (*spectrum, error) {
	for round := 0; round < formedRounds && !s.settled; round++ {
		simd.Mul(s.y, g, s.omega)
		s.orthonormalise()
		simd.Mul(s.z, s.y.T(), g)
		if err := s.turn(formedTolerance); err != nil {
			return nil, err
		}
	}
	return s.spectrum()
}

// refine runs the sketches of gradients that never exist whole, two passes over the
// sequences a round, until all have settled, or for sketchRounds.
func (g *gradient) refine(all []*sketch) error {
	open := len(all)
	for round := 0; round < sketchRounds && open > 0; round++ {
		if err := g.record(g.recorders(all, (*sketch).right)); err != nil {
			return err
		}
		err := g.each(group{from: 0, to: len(all)}, func(i int) error {
			if round == 0 { // E‖GΩ‖² = q·‖G‖² for entries ±1
				g.norms[i] = norm(all[i].y.Data) / math.Sqrt(float64(all[i].y.Cols))
			}
			if !all[i].settled {
				all[i].orthonormalise()
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := g.record(g.recorders(all, (*sketch).left)); err != nil {
			return err
		}
		err = g.each(group{from: 0, to: len(all)}, func(i int) error {
			if all[i].settled {
				return nil
			}
			return all[i].turn(sketchTolerance)
		})
		if err != nil {
			return err
		}
		open = 0
		for _, s := range all {
			if !s.settled {
				open++
			}
		}
	}
	return nil
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
	return &leftSketch{q: s.y, z: s.z}
}

func (s *sketch) orthonormalise() { orthonormal(s.y.Data, s.y.Rows, s.y.Cols, &s.buf) }

// turn sees whether the top R values have settled, and readies Ω for the next
// round if not.
func (s *sketch) turn(tolerance float64) error {
	var gram mat.SymDense
	gram.SymOuterK(1, mat.NewDense(s.z.Rows, s.z.Cols, widened(&s.buf, s.z.Data)))
	var eig mat.EigenSym
	if !eig.Factorize(&gram, false) {
		return errNoSVD
	}
	before := s.values
	s.values = eig.Values(nil)
	s.settled = before != nil
	for i := len(s.values) - s.layer.R; i < len(s.values) && s.settled; i++ {
		// Squares move by twice the share that the values move by.
		s.settled = math.Abs(s.values[i]-before[i]) <= 2*tolerance*s.values[i]
	}
	if !s.settled {
		simd.Transpose(s.omega, s.z)
		orthonormal(s.omega.Data, s.omega.Rows, s.omega.Cols, &s.buf)
	}
	return nil
}

// spectrum returns that of Q·z, which is G's leading one.
func (s *sketch) spectrum() (*spectrum, error) {
	sp, err := decompose(s.z.Data, s.z.Rows, s.z.Cols)
	if err != nil {
		return nil, err
	}
	var ut mat.Dense
	ut.Mul(sp.ut, dense(s.y.Data, s.y.Rows, s.y.Cols).T())
	sp.ut = &ut
	return sp, nil
}
