package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

type evalCommand struct {
	modelFlags

	Data string `aliases:"dataset" placeholder:"PATH" help:"File of rows, or a folder: its test file, else its validation file."`
	Seed uint64 `placeholder:"N" default:"42" help:"Seed of the interval's resampling (default ${default})."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

func (evalCommand) settings() (keys []string, origin string) {
	return []string{"map", "max_length", "overlong", "train_on", "chat_template"}, "as the adapter was trained"
}

func (evalCommand) Help() string {
	return `Measures the loss per trained token, and its perplexity, on rows that were not trained on. With an adapter it measures the base as well; ` +
		`the difference has a 95 % interval from a paired bootstrap over the rows.

For example:

    finetune eval --adapter adapter --data folder
    finetune eval --model SmolLM2-135M --data test.jsonl --json
`
}

// A score is the loss per trained token.
type score struct {
	Loss       float64 `json:"loss"`
	Perplexity float64 `json:"perplexity"`
}

// An evalReport is what eval prints.
type evalReport struct {
	Rows       int       `json:"rows"`
	Tokens     int       `json:"tokens"` // trained ones
	Base       score     `json:"base"`
	Adapter    *score    `json:"adapter,omitempty"`
	Difference *interval `json:"difference,omitempty"`
}

// Run measures base and adapter on the same rows.
func (c *evalCommand) Run(u *ui, ctx *kong.Context) error {
	if c.Data == "" {
		return hint.New(hint.Usagef("no data"), "--data names a file of rows, or a folder with test.jsonl or valid.jsonl")
	}
	path, err := heldOut(c.Data)
	if err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.close()
	set, err := r.read(path, typed(ctx))
	if err != nil {
		return err
	}
	s := set.Stats
	u.infof("data     %s: %s, %s, %s measured", path, many(s.Kept, "row"), many(s.Tokens, "token"), count(s.Trained))
	if lost := s.Rows - s.Kept; lost > 0 || s.Cut > 0 {
		u.warnf("%s cut to max_length, %s dropped", many(s.Cut, "row"), many(lost, "row"))
	}
	defer set.Close()
	seqs, err := set.All()
	if err != nil {
		return err
	}
	report, err := c.measure(u, r, seqs)
	if err != nil {
		return err
	}
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

// read tokenises the rows as the adapter was trained, unless flags say otherwise.
func (r *reading) read(path string, flags []typedSetting) (*data.Set, error) {
	c := recipe.Default()
	c.Recipe = r.recipe
	c.Compute = recipe.Compute(r.compute) // it may be trained where more is possible
	if err := setTyped(&c, flags); err != nil {
		return nil, err
	}
	config, err := c.ResolveRecipe()
	if err != nil {
		return nil, err
	}
	template, err := loadTemplate(r.dir, config.ChatTemplate, config.Date, r.tok)
	if err != nil {
		return nil, err
	}
	options := data.Options{Template: template, TrainOn: data.TrainOn(config.TrainOn), MaxLength: config.MaxLength, Overlong: data.Overlong(config.Overlong), Ends: r.config.EOS}
	set, err := data.Open(path, data.Columns(config.Map), r.tok, options, r.pool, nil)
	if err != nil {
		return nil, err
	}
	return set, data.CheckVocabulary(set.MaxID, set.MaxIDAt, r.config.VocabSize)
}

// measure computes the losses of all rows, without and with the adapter.
func (c *evalCommand) measure(u *ui, r *reading, seqs []model.Sequence) (*evalReport, error) {
	engine := r.engine()
	p := newProgress(u, recipe.ProgressAuto)
	defer p.end()
	var base, adapter []model.Loss
	err := r.model.Guard(func() error {
		if r.adapters != nil {
			adapter = rowLosses(engine, seqs, func(done int) { p.show("adapter", done, len(seqs)) })
			engine.SetAdapters(nil)
		}
		base = rowLosses(engine, seqs, func(done int) { p.show("base", done, len(seqs)) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	report := &evalReport{Rows: len(seqs)}
	report.Base, report.Tokens = total(base)
	if adapter != nil {
		a, _ := total(adapter)
		d := bootstrap(base, adapter, c.Seed)
		report.Adapter, report.Difference = &a, &d
	}
	return report, nil
}

// rowLosses returns the loss of each sequence.
func rowLosses(e *model.Engine, seqs []model.Sequence, progress func(done int)) []model.Loss {
	losses := make([]model.Loss, 0, len(seqs))
	for _, batch := range e.MicroBatches(seqs) {
		losses = append(losses, e.Loss(batch)...)
		progress(len(losses))
	}
	return losses
}

// total returns the loss per token of all rows, and the tokens.
func total(losses []model.Loss) (score, int) {
	sum, n := 0.0, 0
	for _, l := range losses {
		sum += l.Sum
		n += l.Targets
	}
	mean := sum / float64(n)
	return score{mean, perplexity(mean)}, n
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
	return u.printf("over %s of %s\n", many(r.Tokens, "trained token"), many(r.Rows, "row"))
}
