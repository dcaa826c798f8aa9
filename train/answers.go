package train

import (
	"context"
	"math"
	"slices"
	"strings"

	"example.com/finetune/internal/random"
	"example.com/finetune/model"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/score"
)

// A Question is a held-out row up to its last answer: the last stretch of its tokens that
// is trained.
type Question struct {
	Row    int // of the sequences
	Prompt generate.Prompt
	Want   string // the row's own answer

	answer []int32 // its tokens, with what ends it
}

// Questions finds what the sequences ask, as prompts that end at ends. leftOut counts those
// without a question: without a prompt before the answer, with an answer from which nothing
// can be read, or with one that was cut at maxLength. Of more than s.Samples a seeded choice
// is taken, in order.
func Questions(g *generate.Generator, s *score.Score, seqs []model.Sequence, ends []int32, maxLength int, seed uint64) (list []Question, leftOut int) {
	for i, q := range seqs {
		from, to := lastAnswer(q.Mask)
		cut := to == maxLength && !slices.Contains(ends, q.IDs[to-1])
		if cut || !g.Asks(q.IDs[:from]) {
			leftOut++
			continue
		}
		ask := Question{Row: i, Prompt: generate.Prompt{IDs: q.IDs[:from], Ends: ends}, answer: q.IDs[from:to]}
		ask.Want = g.After(ask.Prompt, withoutEnds(ask.answer, ends))
		if !s.Asks(ask.Want) || g.Fits(ask.Prompt) != nil {
			leftOut++
			continue
		}
		list = append(list, ask)
	}
	if s.Samples > 0 && s.Samples < len(list) {
		chosen := random.ForStep(seed, "answers", 0).Permutation(len(list))[:s.Samples]
		slices.Sort(chosen)
		for k, i := range chosen {
			list[k] = list[i]
		}
		list = list[:s.Samples]
	}
	return list, leftOut
}

// lastAnswer returns the last stretch of a mask that is true.
func lastAnswer(mask []bool) (from, to int) {
	for to = len(mask); to > 0 && !mask[to-1]; to-- {
	}
	for from = to; from > 0 && mask[from-1]; from-- {
	}
	return from, to
}

// withoutEnds takes off the end of an answer, and what a template puts behind it.
func withoutEnds(ids, ends []int32) []int32 {
	for i, id := range ids {
		if slices.Contains(ends, id) {
			return ids[:i]
		}
	}
	return ids
}

// A Given answer is what a model says to a question.
type Given struct {
	Text  string
	Right bool
}

// Answers lets the generator's engine answer questions, greedily, many at a time, and
// scores what it says. The texts that are written at once take so many bytes of memory at
// most; 0: the generator's default. progress is told of each answer and its tokens.
func Answers(ctx context.Context, g *generate.Generator, s *score.Score, questions []Question, memory int64, progress func(done, tokens int)) ([]Given, error) {
	given := make([]Given, len(questions))
	if s.Kind == score.Choice {
		return given, choose(ctx, g, s, questions, given, progress)
	}
	prompts := make([]generate.Prompt, len(questions))
	for i, q := range questions {
		prompts[i] = q.Prompt
	}
	done := 0
	err := g.WriteAll(ctx, prompts, generate.Options{Limit: s.Limit(), Memory: memory}, func(i int, a generate.Answer) error {
		given[i] = Given{a.Text, s.Right(a.Text, questions[i].Want)}
		done++
		progress(done, a.Tokens)
		return nil
	})
	return given, err
}

// choose takes the choice with the lowest loss, its end included: the likeliest answer.
func choose(ctx context.Context, g *generate.Generator, s *score.Score, questions []Question, given []Given, progress func(done, tokens int)) error {
	for i, q := range questions {
		seqs := make([]model.Sequence, len(s.Choices))
		for k, choice := range s.Choices {
			seqs[k] = q.answeredBy(g, choice)
		}
		losses, err := RowLosses(ctx, g.Engine(), seqs, nil)
		if err != nil {
			return err
		}
		best, least := "", math.Inf(1)
		for k, l := range losses {
			if l.Sum < least {
				best, least = s.Choices[k], l.Sum
			}
		}
		given[i] = Given{best, best == strings.TrimSpace(q.Want)}
		progress(i+1, 0)
	}
	return nil
}

// answeredBy returns the row with another answer, written as the row's own one is: with
// the white space before it, and with what ends it.
func (q *Question) answeredBy(g *generate.Generator, choice string) model.Sequence {
	own := withoutEnds(q.answer, q.Prompt.Ends)
	bare := strings.TrimSpace(q.Want)
	before, after, _ := strings.Cut(q.Want, bare)
	if slices.Equal(g.Tokens(bare), own) { // the tokenizer has put that white space there
		before, after = "", ""
	}
	ids := slices.Concat(q.Prompt.IDs, g.Tokens(before+choice+after), q.answer[len(own):])
	mask := make([]bool, len(ids))
	for i := len(q.Prompt.IDs); i < len(ids); i++ {
		mask[i] = true
	}
	return model.Sequence{IDs: ids, Mask: mask}
}

// Accuracy returns the share of right answers.
func Accuracy(given []Given) (share float64, right int) {
	for _, a := range given {
		if a.Right {
			right++
		}
	}
	return float64(right) / float64(len(given)), right
}

// AccuracyInterval returns the accuracy of b minus that of a, answer by answer of the same
// questions, with the interval of [PairedInterval].
func AccuracyInterval(a, b []Given, seed uint64) Interval {
	return PairedInterval(rights(a), rights(b), seed)
}

func rights(given []Given) []model.Loss {
	list := make([]model.Loss, len(given))
	for i, a := range given {
		list[i].Targets = 1
		if a.Right {
			list[i].Sum = 1
		}
	}
	return list
}
