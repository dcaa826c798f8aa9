package recipe

import (
	"fmt"
	"math"
	"slices"

	"example.com/finetune/train/optim"
)

// Rates from a twentieth to ten times an optimizer's own still train, slowly or roughly
// (scripts/evidence, rates by factors of two); beyond them lie rates of other optimizers.
// Published ones for LoRA with AdamW, 1e-5 to 1e-2, begin at a four-hundredth of ours.
const (
	farBelow   = 20
	farAbove   = 10
	mostShared = 400
)

// Rate returns the learning rate; where none is set that of the method with its
// optimizer, or of another optimizer.
func (r *Recipe) Rate() float64 {
	if r.LearningRate != 0 {
		return r.LearningRate
	}
	return r.ownRate()
}

// ownRate is Rate where none is set.
func (r *Recipe) ownRate() float64 {
	kind, method := r.Kind(), r.Init.Method()
	if method.Rate != 0 && method.Optimizer == kind.Name {
		return method.Rate
	}
	return r.rateFor(kind)
}

// rateFor is the rate of an optimizer for the run's adapters.
func (r *Recipe) rateFor(kind *optim.Kind) float64 {
	targets, _ := r.targets() // checked
	return kind.Rate(len(targets), r.Scale()*math.Sqrt(float64(r.LoraR)))
}

// rateRemark returns a sentence about a learning rate that is far from the optimizer's own
// for this run; "" for any other.
func (r *Recipe) rateRemark() string {
	rate, own, kind := r.LearningRate, r.ownRate(), r.Kind()
	far := ""
	switch {
	case rate == 0 || math.IsInf(own, 0): // for an alpha that is next to nothing
		return ""
	case rate*farBelow < own:
		far = fmt.Sprintf("1/%.0f of", own/rate)
	case rate > farAbove*own:
		far = fmt.Sprintf("%.3g times", rate/own)
	default:
		return ""
	}
	text := fmt.Sprintf("learning_rate %g is %s %s's default for this run, %g: its rate is %s", rate, far, kind.Name, own, kind.RateIs)
	if other := r.rateOf(rate, kind); other != nil {
		text += fmt.Sprintf(", and %g is a rate of %s", rate, other.Title)
	}
	return text
}

// rateOf returns the optimizer that a rate most likely belongs to: the first whose rates
// are of another kind than one's, if its own lies on that side of one's; nil where the rate
// would be odd there too.
func (r *Recipe) rateOf(rate float64, one *optim.Kind) *optim.Kind {
	i := slices.IndexFunc(optim.Kinds, func(k *optim.Kind) bool { return k.RateIs != one.RateIs })
	if i < 0 {
		return nil
	}
	own, other := r.ownRate(), r.rateFor(optim.Kinds[i])
	if (other < own) == (rate < own) && rate*mostShared >= other && rate <= farAbove*other {
		return optim.Kinds[i]
	}
	return nil
}
