package main

import (
	"fmt"
	"strconv"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
)

type evalCommand struct {
	modelFlags

	Data         string        `aliases:"dataset" placeholder:"PATH" help:"File of rows, or a folder: its test file, else its validation file."`
	Map          train.Columns `placeholder:"PAIRS" help:"Names of columns, such as prompt=question,completion=answer (default: as the adapter was trained)."`
	MaxLength    int           `aliases:"max-seq-length,cutoff-len" placeholder:"N" help:"Tokens of a row at most (default: as the adapter was trained, else 1024)."`
	TrainOn      string        `placeholder:"WORD" help:"What is measured: assistant, last or all (default: as the adapter was trained)."`
	ChatTemplate string        `placeholder:"WORD" help:"auto, none or a file (default: as the adapter was trained)."`
	Seed         uint64        `placeholder:"N" default:"42" help:"Seed of the interval's resampling (default ${default})."`
	JSON         bool          `name:"json" help:"Print one JSON object."`
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
func (c *evalCommand) Run(u *ui) error {
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
	set, err := c.read(r, path)
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
func (c *evalCommand) read(r *reading, path string) (*data.Set, error) {
	config := train.Default()
	config.Model, config.Data = r.dir, path
	if n, err := strconv.Atoi(r.setting("max_length")); err == nil {
		config.MaxLength = n
	}
	if s := r.setting("train_on"); s != "" {
		config.TrainOn = s
	}
	if c.MaxLength != 0 {
		config.MaxLength = c.MaxLength
	}
	if c.TrainOn != "" {
		config.TrainOn = c.TrainOn
	}
	config.Map = c.Map
	if c.Map == nil {
		config.Map = r.columns()
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	template, err := r.template(c.ChatTemplate)
	if err != nil {
		return nil, err
	}
	set, err := data.Open(path, data.Columns(config.Map), r.tok, data.Options{Template: template, TrainOn: config.TrainOn, MaxLength: config.MaxLength, Overlong: "truncate"}, r.pool, nil)
	if err != nil {
		return nil, err
	}
	return set, (&train.Data{Train: set}).CheckVocabulary(r.config.VocabSize)
}

// columns returns the names of columns that the adapter was trained with.
func (r *reading) columns() train.Columns {
	if r.origin == nil {
		return nil
	}
	m, _ := r.origin.Settings["map"].(map[string]any)
	columns := train.Columns{}
	for field, column := range m {
		columns[field] = fmt.Sprint(column)
	}
	return columns
}

// measure computes the losses of all rows, without and with the adapter.
func (c *evalCommand) measure(u *ui, r *reading, seqs []model.Sequence) (*evalReport, error) {
	engine := r.engine()
	p := newProgress(u, "auto")
	defer p.end()
	var base, adapter []model.Loss
	err := r.model.Guard(func() error {
		if r.adapters != nil {
			adapter = rowLosses(engine, seqs, func(done int) { p.show("adapter", done, len(seqs)) })
			r.adapters.Detach()
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
