package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/data"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
)

// A message and an answered row are lines of JSON.
type (
	jsonMessage struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	answeredRow struct {
		Prompt     string            `json:"prompt,omitempty"`
		Completion *string           `json:"completion,omitempty"`
		Messages   []json.RawMessage `json:"messages,omitempty"`
		Tokens     int               `json:"tokens"`
		Ended      bool              `json:"ended"`
	}
)

// answer answers a file of prompts.
func (c *generateCommand) answer(u *ui) error {
	questions, err := data.ReadQuestions(string(c.Prompts))
	if err != nil {
		return err
	}
	m, err := c.open(u, templateUnless(c.Raw))
	if err != nil {
		return err
	}
	defer m.Close()
	g := generate.New(m.Engine(), m.Tokenizer)
	prompts, err := c.prompts(u, g, m, questions)
	if err != nil {
		return err
	}
	p := newAnswerProgress(u, recipe.ProgressAuto, "answer", len(prompts))
	defer p.end()
	answers := make([]*generate.Answer, len(prompts))
	next := 0 // to be printed
	return g.WriteAll(context.Background(), prompts, c.options(), func(i int, a generate.Answer) error {
		answers[i] = &a
		p.done(a.Tokens)
		for ; next < len(answers) && answers[next] != nil; next++ {
			row, err := newAnsweredRow(&questions[next], answers[next])
			if err == nil {
				err = u.printJSON(row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// prompts encodes questions. One that the model has no room for is an error; some that
// leave less room than is asked for are a warning.
func (c *generateCommand) prompts(u *ui, g *generate.Generator, m *opened.Model, questions []data.Question) ([]generate.Prompt, error) {
	prompts := make([]generate.Prompt, len(questions))
	short := 0
	for i, q := range questions {
		var err error
		if len(q.Messages) > 0 {
			prompts[i], err = c.converse(g, m.Template, q.Messages)
		} else {
			prompts[i], err = c.encode(g, m.Template, q.Prompt)
		}
		if err == nil {
			err = g.Fits(prompts[i])
		}
		if err != nil {
			return nil, hint.New(fmt.Errorf("%v: %w", q.Origin, err), hint.Of(err))
		}
		if g.Room(prompts[i]) < c.MaxTokens {
			short++
		}
	}
	if short > 0 {
		u.warnf("the model reads at most %s: %s leave room for fewer than %s", many(m.Config.MaxPositionEmbeddings, "token"), many(short, "prompt"), many(c.MaxTokens, "token"))
	}
	return prompts, nil
}

// converse returns messages up to where the assistant is to speak.
func (c *generateCommand) converse(g *generate.Generator, template *chat.Template, messages []chat.Message) (generate.Prompt, error) {
	if template == nil {
		return generate.Prompt{}, hint.New(fmt.Errorf("messages, and there is no chat template"), "a file of prompts needs none")
	}
	if c.System != "" {
		if messages[0].Role == "system" {
			return generate.Prompt{}, hint.Usagef("--system, and a system message of its own")
		}
		messages = append([]chat.Message{{Role: "system", Content: c.System}}, messages...)
	}
	return g.Chat(template, chat.Conversation{Messages: messages})
}

// newAnsweredRow is a question with its answer, as a row that can be trained.
func newAnsweredRow(q *data.Question, a *generate.Answer) (*answeredRow, error) {
	row := &answeredRow{Tokens: a.Tokens, Ended: a.Ended}
	if len(q.Messages) == 0 {
		row.Prompt, row.Completion = q.Prompt, &a.Text
		return row, nil
	}
	for _, m := range q.Messages {
		row.Messages = append(row.Messages, json.RawMessage(m.Object.Raw()))
	}
	answer, err := json.Marshal(jsonMessage{"assistant", a.Text})
	row.Messages = append(row.Messages, answer)
	return row, err
}

// An answerProgress shows how many answers are written, how fast, and the time left.
type answerProgress struct {
	*progress
	stage           string
	total           int
	start           time.Time
	answers, tokens int
}

func newAnswerProgress(u *ui, mode recipe.Progress, stage string, total int) *answerProgress {
	return &answerProgress{progress: newProgress(u, mode), stage: stage, total: total, start: time.Now()}
}

// done counts an answer of so many tokens.
func (p *answerProgress) done(tokens int) {
	p.answers++
	p.tokens += tokens
	took := time.Since(p.start)
	words := []string{fmt.Sprintf("%.0f tokens/s", float64(p.tokens)/took.Seconds())}
	if p.answers < p.total {
		words = append(words, duration(took*time.Duration(p.total-p.answers)/time.Duration(p.answers))+" left")
	}
	p.show(p.stage, p.answers, p.total, words...)
}
