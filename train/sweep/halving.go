package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"example.com/finetune/internal/hint"
	"example.com/finetune/train/recipe"
)

// Halving stops configurations early: all runs go to a rung, a share of their steps, and
// only the better ones further, from their checkpoints. It is off by default: who begins
// slowly may win.
type Halving struct {
	Keep float64   // the share of the configurations that goes on
	At   []float64 // the rungs, as shares of a run's steps
}

// halving reads {rule: halving, keep: 0.5, at: [0.25, 0.5]}.
func (r *reader) halving(e recipe.Entry) *Halving {
	h := &Halving{Keep: 0.5}
	for _, s := range r.mapping(e, "{rule: halving, keep: 0.5, at: [0.25, 0.5]}") {
		switch s.Key {
		case "rule":
			if rule := r.text(s); rule != "halving" {
				r.fault(s.Line, "", "stop: rule is %.40q, want halving", rule)
			}
		case "keep":
			if h.Keep = r.number(s, 0); !(h.Keep > 0 && h.Keep < 1) {
				r.fault(s.Line, "", "stop: keep is %g, want a share between 0 and 1", h.Keep)
			}
		case "at":
			h.At = r.rungs(s)
		default:
			r.fault(s.Line, "", "stop: unknown key %.40q, want rule, keep and at", s.Key)
		}
	}
	if len(h.At) == 0 {
		r.fault(e.Line, "", "stop: at: want shares of the steps, such as [0.25, 0.5]")
	}
	return h
}

func (r *reader) rungs(e recipe.Entry) (list []float64) {
	nodes, _ := e.Value.List()
	for _, n := range nodes {
		x := r.number(recipe.Entry{Key: "stop: at", Line: e.Line, Value: n}, 0)
		if !(x > 0 && x < 1) || len(list) > 0 && x <= list[len(list)-1] {
			r.fault(e.Line, "", "stop: at: want rising shares between 0 and 1, found %g", x)
		}
		list = append(list, x)
	}
	return list
}

// Rung returns the step at which a run of so many steps is judged: that of the last
// evaluation up to the share.
func (h *Halving) Rung(i, steps, evalEvery int) (int, error) {
	if evalEvery == 0 {
		return 0, hint.New(fmt.Errorf("stop: there are no validation rows to judge by"), "put a valid.jsonl beside train.jsonl, or set val_split")
	}
	step := int(math.Floor(h.At[i]*float64(steps))) / evalEvery * evalEvery
	if step == 0 {
		return 0, hint.Newf(fmt.Errorf("stop: at %g of %d steps nothing is evaluated yet: the first evaluation is at step %d", h.At[i], steps, evalEvery),
			"a later rung, or a smaller eval_steps")
	}
	return step, nil
}

// at returns the validation loss at a step, or that of the last evaluation where a run
// was finished before it. ok is false where it has not come so far.
func (s *Status) at(step int) (loss float64, ok bool) {
	for _, m := range s.Metrics {
		if m.EvalLoss != nil && m.Step <= step {
			loss = *m.EvalLoss
			ok = m.Step == step || s.Finished != nil
		}
	}
	return loss, ok
}

// A Judgement is of a configuration that a rung has judged without some of its runs.
type Judgement struct {
	Configuration  int
	Label          string
	Seeds, Missing int
	Stopped        bool
}

func (j Judgement) String() string {
	word := "kept"
	if j.Stopped {
		word = "stopped"
	}
	seeds := "seeds"
	if j.Seeds == 1 {
		seeds = "seed"
	}
	return fmt.Sprintf("%s was %s on %d of its %d %s", j.Label, word, j.Seeds-j.Missing, j.Seeds, seeds)
}

// PartlyJudged lists the configurations that a rung has judged without some of their runs.
func (r *Record) PartlyJudged() (list []Judgement) {
	at := map[int]*Judgement{}
	for _, run := range r.Runs {
		j := at[run.Configuration]
		if j == nil {
			j = &Judgement{Configuration: run.Configuration, Label: run.Label()}
			at[run.Configuration] = j
		}
		j.Seeds++
		if _, missing := r.Missing[run.Name]; missing {
			j.Missing++
		}
		if _, stopped := r.Stopped[run.Name]; stopped {
			j.Stopped = true
		}
	}
	for _, j := range at {
		if j.Missing > 0 {
			list = append(list, *j)
		}
	}
	slices.SortFunc(list, func(a, b Judgement) int { return a.Configuration - b.Configuration })
	return list
}

// better returns the configurations that go on: the better share by the mean of their
// losses, at least one. One without any loss, as all its runs have failed, does not.
func better(losses map[int][]float64, keep float64) []int {
	type judged struct {
		configuration int
		loss          float64
	}
	var list []judged
	for c, values := range losses {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		if len(values) > 0 {
			list = append(list, judged{c, sum / float64(len(values))})
		}
	}
	slices.SortFunc(list, func(a, b judged) int {
		return cmp.Or(cmp.Compare(a.loss, b.loss), cmp.Compare(a.configuration, b.configuration))
	})
	n := min(len(list), max(1, int(math.Ceil(keep*float64(len(losses))))))
	kept := make([]int, n)
	for i := range kept {
		kept[i] = list[i].configuration
	}
	return kept
}
