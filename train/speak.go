package train

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/data"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/rundir"
	"example.com/finetune/train/score"
)

// What a run says while it trains is short, so that it takes a small part of the time of
// an evaluation.
const (
	mostSamples  = 8
	sampleTokens = 48
)

// A speech is what a run lets its model say: samples at evaluations, and scored answers at
// the end.
type speech struct {
	questions []Question // that are scored
	leftOut   int
	samples   []sample
	wanted    int // samples that the settings name
}

// A sample is a prompt whose answer is shown as training goes on.
type sample struct {
	text   string // of the prompt, as a person reads it
	prompt generate.Prompt
}

// newSpeech finds the questions that settings ask for.
func (s *Session) newSpeech() (p speech, err error) {
	if !s.c.Score.On() && s.c.SamplePrompts == "" {
		return p, nil
	}
	if len(s.eval) == 0 {
		setting := "sample_prompts"
		if s.c.Score.On() {
			setting = "score"
		}
		return p, needsRows(setting)
	}
	g := generate.New(model.NewEngine(s.Model, s.Pool), s.Tokenizer)
	ends := data.EndTokens(s.Tokenizer, s.Template, s.Model.Config.EOS)
	if s.c.Score.On() {
		p.questions, p.leftOut = Questions(g, &s.c.Score.Score, s.eval, ends, s.c.MaxLength, s.c.Seed)
		if len(p.questions) == 0 {
			return p, hint.Newf(fmt.Errorf("score: none of the %d validation rows asks for an answer that %s can score", len(s.eval), s.c.Score.Kind),
				"a row has a prompt and an answer; score: exact compares any text")
		}
	}
	p.samples, p.wanted, err = s.chooseSamples(g, ends)
	return p, err
}

// needsRows is the error of a setting that is nothing without validation rows.
func needsRows(setting string) error {
	return hint.Newf(fmt.Errorf("%s needs validation rows", setting),
		"put a valid.jsonl beside train.jsonl, of any number of rows; val_split takes some from %d training rows on", data.SplitFrom)
}

// chooseSamples takes a number of validation rows, or a file of prompts, and of either the
// first that are not too many. wanted is how many there would be.
func (s *Session) chooseSamples(g *generate.Generator, ends []int32) (samples []sample, wanted int, err error) {
	if s.c.SamplePrompts == "" {
		return nil, 0, nil
	}
	if n, err := strconv.Atoi(s.c.SamplePrompts); err == nil {
		rows, _ := Questions(g, &score.Score{Kind: score.Exact, Samples: min(n, mostSamples)}, s.eval, ends, s.c.MaxLength, s.c.Seed)
		for _, q := range rows {
			samples = append(samples, sample{s.Tokenizer.Decode(q.Prompt.IDs, true), q.Prompt})
		}
		if len(rows) == 0 {
			return nil, 0, hint.New(errors.New("sample_prompts: no validation row has a prompt"), "sample_prompts takes a file of prompts as well")
		}
		return samples, n, nil
	}
	list, err := data.ReadQuestions(s.c.SamplePrompts)
	if err != nil {
		return nil, 0, hint.New(fmt.Errorf("sample_prompts: %w", err), hint.Of(err))
	}
	for _, q := range list[:min(len(list), mostSamples)] {
		prompt, err := s.asked(g, &q)
		if err == nil {
			err = g.Fits(prompt)
		}
		if err != nil {
			return nil, 0, hint.New(fmt.Errorf("sample_prompts: %v: %w", q.Origin, err), hint.Of(err))
		}
		samples = append(samples, sample{s.Tokenizer.Decode(prompt.IDs, true), prompt})
	}
	return samples, len(list), nil
}

// asked encodes a prompt of a file as the rows are.
func (s *Session) asked(g *generate.Generator, q *data.Question) (generate.Prompt, error) {
	switch {
	case s.ChatTemplate && len(q.Messages) > 0:
		return g.Chat(s.Template, chat.Conversation{Messages: q.Messages})
	case s.ChatTemplate:
		return g.Chat(s.Template, chat.Conversation{Messages: []chat.Message{{Role: "user", Content: q.Prompt}}})
	case len(q.Messages) > 0:
		return generate.Prompt{}, hint.New(errors.New("messages, and the rows go through no chat template"), "a file of prompts needs none")
	}
	return g.Text(q.Prompt)
}

// generator writes with the run's engine, as its adapters are.
func (r *run) generator() *generate.Generator { return generate.New(r.engine, r.Tokenizer) }

// sample writes the answers to the samples with the present adapter.
func (r *run) sample(ctx context.Context) ([]rundir.Sample, error) {
	if len(r.speech.samples) == 0 {
		return nil, nil
	}
	list := make([]rundir.Sample, len(r.speech.samples))
	prompts := make([]generate.Prompt, len(list))
	for i, s := range r.speech.samples {
		list[i].Prompt, prompts[i] = s.text, s.prompt
	}
	err := r.write(ctx, prompts, sampleTokens, func(i int, a generate.Answer) error {
		list[i].Answer = a.Text
		return nil
	})
	return list, err
}

// answer scores the answers of the base and of the saved adapter, which the engine has.
func (r *run) answer(ctx context.Context) error {
	s := &r.speech
	if len(s.questions) == 0 {
		return nil
	}
	g := r.generator()
	ask := func(what string) ([]Given, error) {
		return Answers(ctx, g, &r.c.Score.Score, s.questions, r.Plan.TextBytes, func(done, _ int) {
			r.Report(AnswerProgress{what, done, len(s.questions)})
		})
	}
	adapter, err := ask("answers of the adapter")
	if err != nil {
		return err
	}
	r.engine.SetAdapters(nil)
	defer r.adapters.Attach(r.engine)
	base, err := ask("answers of the base")
	if err != nil {
		return err
	}
	how := r.c.Score
	how.MaxTokens, how.Samples = 0, 0
	a := &rundir.Answers{Score: how.String(), MaxTokens: r.c.Score.Limit(), Asked: len(s.questions), LeftOut: s.leftOut, Rows: map[int]rundir.Verdict{}}
	a.Base, _ = Accuracy(base)
	a.Adapter, _ = Accuracy(adapter)
	d := AccuracyInterval(base, adapter, r.c.Seed)
	a.Difference, a.Low, a.High = d.Mean, d.Low, d.High
	for i, q := range s.questions {
		a.Rows[q.Row] = rundir.Verdict{Base: base[i].Right, Adapter: adapter[i].Right}
	}
	r.answers = a
	return nil
}
