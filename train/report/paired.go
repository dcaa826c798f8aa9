package report

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Difference is that of a loss or an accuracy to the baseline's, with a 95 % interval:
// Student's t of the differences of the pairs.
type Difference struct {
	Mean, Low, High float64
	Pairs           int
	ByRows          bool // pairs are held-out rows of one seed; else seeds
}

// Clear reports whether the interval holds no 0.
func (d *Difference) Clear() bool { return d != nil && (d.Low > 0 || d.High < 0) }

// Known reports whether there is an interval at all.
func (d *Difference) Known() bool { return d != nil && !math.IsNaN(d.Low) }

// reversed is the difference the other way round.
func (d *Difference) reversed() *Difference {
	return &Difference{-d.Mean, -d.High, -d.Low, d.Pairs, d.ByRows}
}

// Differ returns the loss of a minus that of b, paired by seed; where they share one seed
// alone, paired by held-out row. Nil where they share none.
func Differ(a, b *Configuration) *Difference {
	var differences []float64
	pairs := pairsOf(a, b)
	for _, p := range pairs {
		differences = append(differences, p[0].Loss()-p[1].Loss())
	}
	if len(pairs) == 1 {
		return lossByRows(pairs[0][0], pairs[0][1])
	}
	return bySeeds(differences)
}

// DifferInAnswers returns the accuracy of a minus that of b, over rows that both have
// answered and that were scored in one way: paired by seed, and within a seed by row. Where
// they share one seed alone its rows are the pairs. Nil where they share none.
func DifferInAnswers(a, b *Configuration) *Difference {
	var differences, rows []float64
	for _, p := range pairsOf(a, b) {
		if changed := answersChanged(p[0], p[1]); len(changed) > 0 {
			rows = changed
			differences = append(differences, stat.Mean(changed, nil))
		}
	}
	if len(differences) == 1 {
		return byRows(rows, slices.Repeat([]float64{1}, len(rows)))
	}
	return bySeeds(differences)
}

// pairsOf are the finished runs of two configurations that have a seed in common.
func pairsOf(a, b *Configuration) (pairs [][2]*Run) {
	for _, x := range a.Done {
		i := slices.IndexFunc(b.Done, func(y *Run) bool { return x.Recipe.Seed == y.Recipe.Seed })
		if i >= 0 {
			pairs = append(pairs, [2]*Run{x, b.Done[i]})
		}
	}
	return pairs
}

// answersChanged is, for each row that both runs have answered, 1 where a alone is right,
// -1 where b alone is, and 0 elsewhere.
func answersChanged(a, b *Run) (list []float64) {
	x, y := a.Provenance.Answers, b.Provenance.Answers
	if x == nil || y == nil || x.Score != y.Score {
		return nil
	}
	type place struct {
		file string
		line int
	}
	right := map[place]bool{}
	for _, row := range b.HeldOut {
		if row.Answers != nil {
			right[place{row.File, row.Line}] = row.Answers.Adapter
		}
	}
	for _, row := range a.HeldOut {
		was, asked := right[place{row.File, row.Line}]
		if row.Answers == nil || !asked {
			continue
		}
		switch is := row.Answers.Adapter; {
		case is == was:
			list = append(list, 0)
		case is:
			list = append(list, 1)
		default:
			list = append(list, -1)
		}
	}
	return list
}

// bySeeds is the mean of some differences with its interval; nil of none.
func bySeeds(differences []float64) *Difference {
	if len(differences) == 0 {
		return nil
	}
	mean, sd := stat.MeanStdDev(differences, nil)
	return interval(mean, sd/math.Sqrt(float64(len(differences))), len(differences))
}

// interval is the mean ± t of 97.5 % with pairs-1 degrees of freedom times its standard
// error.
func interval(mean, se float64, pairs int) *Difference {
	half := se * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(pairs - 1)}.Quantile(0.975)
	return &Difference{Mean: mean, Low: mean - half, High: mean + half, Pairs: pairs}
}

// lossByRows compares the losses per token of two runs on the rows that both were measured
// on. Of other rows, and of those of training, there is no interval.
func lossByRows(a, b *Run) *Difference {
	if a.byTraining || !sameRows(a, b) {
		return &Difference{Mean: a.Loss() - b.Loss(), Low: math.NaN(), High: math.NaN(), Pairs: 1}
	}
	nats, tokens := make([]float64, len(a.HeldOut)), make([]float64, len(a.HeldOut))
	for i, x := range a.HeldOut {
		nats[i], tokens[i] = x.Nats-b.HeldOut[i].Nats, float64(x.Tokens)
	}
	return byRows(nats, tokens)
}

// byRows is a ratio of sums over rows, D = Σd/Σw with the difference d and the weight w of a
// row. Its standard error is that of the residuals d − D·w (Cochran 1977, Sampling
// Techniques, §6.3), and there is none of one row.
func byRows(difference, weight []float64) *Difference {
	n := len(difference)
	mean := stat.Mean(weight, nil)
	ratio := stat.Mean(difference, nil) / mean
	if n < 2 {
		return &Difference{Mean: ratio, Low: math.NaN(), High: math.NaN(), Pairs: n, ByRows: true}
	}
	squares := 0.0
	for i := range difference {
		e := difference[i] - float64(ratio*weight[i])
		squares += float64(e * e)
	}
	d := interval(ratio, math.Sqrt(squares/float64(n-1)/float64(n))/mean, n)
	d.ByRows = true
	return d
}
