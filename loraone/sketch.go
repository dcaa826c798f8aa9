package loraone

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"example.com/finetune/simd"
)

// A sketch follows the leading singular subspace of one G (Out×In) by randomised
// subspace iteration (Halko, Martinsson, Tropp, arXiv 0909.4061, algorithm 4.4):
// y = GΩ, Q = orth(y), z = QᵀG, then Ω = orth(zᵀ) and again.
type sketch struct {
	index   int // of the layer
	layer   *Layer
	omega   simd.View // In×q
	y       simd.View // Out×q: GΩ, and then Q
	z       simd.View // q×In
	values  []float64 // of z, squared, ascending
	settled bool
	err     error
}

// sketchWidth returns q: the rank, oversampled by 8 at least.
func sketchWidth(r, in, out int) int { return min(max(2*r, r+8), in, out) }

func newSketch(index int, l *Layer, seed uint64) *sketch {
	q := sketchWidth(l.R, l.In, l.Out)
	s := &sketch{
		index: index, layer: l,
		omega: simd.Dense(make([]float32, l.In*q), l.In, q),
		y:     simd.Dense(make([]float32, l.Out*q), l.Out, q),
		z:     simd.Dense(make([]float32, q*l.In), q, l.In),
	}
	newStream(seed, "sketch", l.Name).signs(s.omega.Data)
	return s
}

// A multiplier sets y = G·Ω (right) or z = Qᵀ·G (left) of sketches.
type multiplier interface {
	right([]*sketch) error
	left([]*sketch) error
}

// refine runs the sketches until the top R values of each move by less than
// tolerance, at most the given number of rounds.
func (g *gradient) refine(all []*sketch, by multiplier, tolerance float64, rounds int) error {
	pool, open := g.engine.Pool(), all
	for round := 0; round < rounds && len(open) > 0; round++ {
		if err := by.right(open); err != nil {
			return err
		}
		if round == 0 && g.sketched { // E‖GΩ‖² = q·‖G‖² for entries ±1
			for _, s := range open {
				g.norms[s.index] = norm(s.y.Data) / math.Sqrt(float64(s.y.Cols))
			}
		}
		pool.Run(len(open), func(_, i int) { orthonormal(open[i].y.Data, open[i].y.Rows, open[i].y.Cols) })
		if err := by.left(open); err != nil {
			return err
		}
		pool.Run(len(open), func(_, i int) { open[i].turn(tolerance) })
		var rest []*sketch
		for _, s := range open {
			if s.err != nil {
				return fmt.Errorf("%s: %w", s.layer.Name, s.err)
			}
			if !s.settled {
				rest = append(rest, s)
			}
		}
		open = rest
	}
	return nil
}

// turn sees whether the top R values have settled, and readies Ω for the next
// round if not.
func (s *sketch) turn(tolerance float64) {
	var gram mat.SymDense
	gram.SymOuterK(1, dense(s.z.Data, s.z.Rows, s.z.Cols))
	var eig mat.EigenSym
	if !eig.Factorize(&gram, false) {
		s.err = errNoSVD
		return
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
		orthonormal(s.omega.Data, s.omega.Rows, s.omega.Cols)
	}
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

// formed multiplies by gradients that are in memory.
type formed struct {
	pool *simd.Pool
	g    []simd.View // of each layer
}

func (f formed) right(s []*sketch) error {
	f.pool.Run(len(s), func(_, i int) { simd.Mul(s[i].y, f.g[s[i].index], s[i].omega) })
	return nil
}

func (f formed) left(s []*sketch) error {
	f.pool.Run(len(s), func(_, i int) { simd.Mul(s[i].z, s[i].y.T(), f.g[s[i].index]) })
	return nil
}

// streamed multiplies by gradients that never exist whole: a pass over the
// sequences each time.
type streamed struct{ g *gradient }

func (r streamed) right(open []*sketch) error {
	recs := make([]recorder, len(r.g.layers))
	for _, s := range open {
		s.y.Clear()
		recs[s.index] = &rightSketch{omega: s.omega, y: s.y}
	}
	return r.g.record(recs)
}

func (r streamed) left(open []*sketch) error {
	recs := make([]recorder, len(r.g.layers))
	for _, s := range open {
		s.z.Clear()
		recs[s.index] = &leftSketch{q: s.y, z: s.z}
	}
	return r.g.record(recs)
}
