package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

type evalCommand struct {
	modelFlags

	Data path   `aliases:"dataset" placeholder:"PATH" help:"File of rows, or a folder: its test file, else its validation file."`
	Seed uint64 `placeholder:"N" default:"${seed}" help:"Seed of the interval's resampling (default ${default})."`
	JSON bool   `name:"json" help:"Print one JSON object."`

	Answers   recipe.Score `placeholder:"KIND" help:"Let base and adapter answer the rows and compare: number (the last one), exact, contains, json, json:KEYS, choice:A,B or regex:PATTERN with a group."`
	MaxTokens int          `placeholder:"N" aliases:"max-new-tokens" help:"Tokens of an answer at most (default 256)."`
	Samples   int          `placeholder:"N" help:"Rows that are asked, a seeded choice (0: all)."`
	Memory    recipe.Size  `placeholder:"SIZE" default:"512MiB" help:"What answers that are written at once may take, in keys and values (default ${default}). No answer depends on it."`
}

func (evalCommand) settings() (keys []string, origin string) {
	return []string{"map", "max_length", "overlong", "train_on", "chat_template"}, "as the adapter was trained"
}

func (evalCommand) Help() string {
	return `Measures the loss per trained token, and its perplexity, on rows that were not trained on. With an adapter it measures the base as well; ` +
		`the difference has a 95 % interval from a paired bootstrap over the rows.

With --answers both answer the rows as well, taking the likeliest token each time: a row is asked up to its last trained answer, and what is said is compared with that. ` +
		`exact compares the texts, contains looks for the row's answer in the model's, number compares the last numbers, json values or those of some keys, ` +
		`regex the first group of a pattern's last match; choice writes nothing and takes the likeliest of the given answers. ` +
		`Rows without a prompt, with an answer that was cut or in which there is nothing to compare are left out, and counted. ` +
		`The accuracies' difference has the same interval as the losses'; --json holds every answer.

For example:

    finetune eval --adapter adapter --data folder
    finetune eval --model SmolLM2-135M --data test.jsonl --json
    finetune eval --adapter adapter --data gsm8k --answers number --samples 100
    finetune eval --adapter adapter --data test.jsonl --answers 'regex:Answer: (\w+)'
`
}

// A score is the loss per trained token.
type score struct {
	Loss       float64 `json:"loss"`
	Perplexity float64 `json:"perplexity"`
}

// An evalReport is what eval prints.
type evalReport struct {
	Rows       int             `json:"rows"`
	Tokens     int             `json:"tokens"` // trained ones
	Base       score           `json:"base"`
	Adapter    *score          `json:"adapter,omitempty"`
	Difference *train.Interval `json:"difference,omitempty"`
	Answers    *answersReport  `json:"answers,omitempty"`
}

// Run measures base and adapter on the same rows.
func (c *evalCommand) Run(u *ui, ctx *kong.Context) error {
	if c.Data == "" {
		return hint.New(hint.Usagef("no data"), "--data names a file of rows, or a folder with test.jsonl or valid.jsonl")
	}
	if err := c.checkAnswers(); err != nil {
		return err
	}
	path, err := heldOut(string(c.Data))
	if err != nil {
		return err
	}
	m, err := c.open(u, func(r *recipe.Config, _ *rundir.Provenance) error {
		if err := setTyped(r, typed(ctx)); err != nil {
			return err
		}
		_, err := r.ResolveRecipe()
		return err
	})
	if err != nil {
		return err
	}
	defer m.Close()
	set, err := readHeldOut(m, path)
	if err != nil {
		return err
	}
	defer set.Close()
	s := set.Stats
	u.infof("data     %s: %s, %s, %s measured", path, many(s.Kept, "row"), many(s.Tokens, "token"), count(s.Trained))
	if lost := s.Rows - s.Kept; lost > 0 || s.Cut > 0 {
		u.warnf("%s cut to max_length, %s dropped", many(s.Cut, "row"), many(lost, "row"))
	}
	if o := m.Origin; o != nil && len(o.Data.Files) > 0 && o.Data.Files[0].SHA256 == set.File.SHA256 {
		u.warnf("%s is what the adapter was trained on: on other rows it is not as good", path)
	}
	report, err := c.measure(u, m, set)
	if err != nil {
		return err
	}
	report.warn(u)
	if c.JSON {
		return u.printJSON(report)
	}
	return printReport(u, report)
}

// heldOut returns the file that a data argument means.
func heldOut(path string) (string, error) {
	p, err := data.Find(path)
	switch {
	case err != nil:
		return "", err
	case p.Test != "":
		return p.Test, nil
	case p.Valid != "":
		return p.Valid, nil
	case p.Train == path:
		return path, nil
	}
	return "", hint.New(fmt.Errorf("%s: no test or validation file in this folder", path), "--data "+p.Train+" measures the training rows")
}

// readHeldOut tokenises the rows as the adapter was trained, unless flags said
// otherwise.
func readHeldOut(m *opened.Model, path string) (*data.Set, error) {
	r := m.Recipe
	options := data.Options{Template: m.Template, TrainOn: data.TrainOn(r.TrainOn), MaxLength: r.MaxLength, Overlong: data.Overlong(r.Overlong), Ends: m.Config.EOS}
	set, err := data.Open(path, data.Columns(r.Map), m.Tokenizer, options, m.Pool, nil)
	if err != nil {
		return nil, err
	}
	if err := data.CheckVocabulary(set.MaxID, set.MaxIDAt, m.Config.VocabSize); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}

// measure computes the losses of all rows, without and with the adapter.
func (c *evalCommand) measure(u *ui, m *opened.Model, set *data.Set) (*evalReport, error) {
	seqs, err := set.All()
	if err != nil {
		return nil, err
	}
	p := newProgress(u, recipe.ProgressAuto)
	defer p.end()
	engine := m.Engine()
	losses := func(what string) (list []model.Loss, err error) {
		err = m.Weights.Guard(func() error {
			list, err = train.RowLosses(context.Background(), engine, seqs, func(done, total int) { p.show(what, done, total) })
			return err
		})
		return list, errors.Join(err, notNumbers(what, list, set))
	}
	r := &evalReport{Rows: len(seqs)}
	var adapter []model.Loss
	if m.Adapters != nil {
		if adapter, err = losses("adapter"); err != nil {
			return nil, err
		}
		engine.SetAdapters(nil)
	}
	base, err := losses("base")
	if err != nil {
		return nil, err
	}
	r.Base, r.Tokens = newScore(base)
	if adapter != nil {
		a, _ := newScore(adapter)
		d := train.PairedInterval(base, adapter, c.Seed)
		r.Adapter, r.Difference = &a, &d
	}
	if c.Answers.On() {
		r.Answers, err = c.ask(u, m, set, seqs)
	}
	return r, err
}

// warn says where an interval is none: of one row, or of answers that changed in no row, a
// bootstrap draws the same again and again.
func (r *evalReport) warn(u *ui) {
	point := func(what string, d *train.Interval) {
		if d != nil && d.Low == d.High {
			u.warnf("the interval of %s is a point, as no row differs from another: it says nothing about other rows", what)
		}
	}
	point("the loss", r.Difference)
	if r.Answers != nil {
		point("the answers", r.Answers.Difference)
	}
}

// notNumbers is the error for rows whose loss is not finite: no mean of them says
// anything.
func notNumbers(what string, losses []model.Loss, set *data.Set) error {
	bad, first := 0, 0
	for i, l := range losses {
		if math.IsNaN(l.Sum) || math.IsInf(l.Sum, 0) {
			if bad == 0 {
				first = i
			}
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	damaged := "the weights of the model are damaged: fetch or copy them anew"
	if what == "adapter" {
		damaged = "without --adapter eval measures the base alone: if that works, it is the adapter that is damaged"
	}
	return hint.New(fmt.Errorf("%s: the loss of %s is not a number, first %v", what, many(bad, "row"), set.Origin(first)), damaged)
}

func newScore(losses []model.Loss) (score, int) {
	mean, n := train.PerToken(losses)
	return score{mean, math.Exp(mean)}, n
}

func printReport(u *ui, r *evalReport) error {
	if err := u.printf("%-10s  %-7s  %s\n%-10s  %-7.4f  %s\n", "", "loss", "perplexity", "base", r.Base.Loss, perplexityText(r.Base.Loss)); err != nil {
		return err
	}
	if r.Adapter != nil {
		d := r.Difference
		if err := u.printf("%-10s  %-7.4f  %s\n%-10s  %+.4f  95 %% interval %+.4f to %+.4f\n",
			"adapter", r.Adapter.Loss, perplexityText(r.Adapter.Loss), "difference", d.Mean, d.Low, d.High); err != nil {
			return err
		}
	}
	if err := u.printf("over %s of %s\n", many(r.Tokens, "trained token"), many(r.Rows, "row")); err != nil || r.Answers == nil {
		return err
	}
	return r.Answers.print(u)
}
