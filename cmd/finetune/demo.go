package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"

	"example.com/finetune/loraone/peft"
	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/recipe"
)

const (
	demoDir    = "finetune-demo"
	demoPrompt = "Once upon a time, there was a little boy named Tim." // no row of the data has a Tim
	demoTokens = 120                                                   // of each text; a story has about that many
)

type demoCommand struct{}

func (demoCommand) Help() string {
	return `Teaches a very small model something new, and writes what it used and made to ` + demoDir + ` here: a model, data and an adapter, ` +
		`for every other command to be tried on. A second demo replaces the first, and nothing that is yours.

For example:

    finetune demo
`
}

// demoConfig are the settings of the demo: a model this small wants all projections.
func demoConfig() (*recipe.Resolved, error) {
	c := recipe.Default()
	c.Model, c.Data, c.OutputDir = filepath.Join(demoDir, "model"), filepath.Join(demoDir, "data"), filepath.Join(demoDir, "adapter")
	c.MaxSteps, c.EvalSteps = 60, 20
	c.TargetModules = recipe.Names{"all-linear"}
	c.Overwrite = true
	c.Date = today()
	return c.Resolve()
}

// Run does the whole job and shows it.
func (demoCommand) Run(u *ui) error {
	start := time.Now()
	if err := unpackDemo(demoDir); err != nil {
		return err
	}
	c, err := demoConfig()
	if err != nil {
		return err
	}
	if _, err := train.Look(c); err != nil {
		return err
	}
	j, err := newJob(c)
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.readRows(u); err != nil {
		return err
	}
	if err := j.loadModel(); err != nil {
		return err
	}
	if err := j.introduce(u); err != nil {
		return err
	}
	if err := j.trainDemo(u); err != nil {
		return err
	}
	if err := sealDemo(demoDir); err != nil {
		return err
	}
	return printCommands(u, time.Since(start))
}

// introduce says what will happen and shows a story of the untrained model.
func (j *job) introduce(u *ui) error {
	s := j.data.Train.Stats
	err := u.printf(`A language model of 260,000 parameters writes stories for small children. It is
to learn one thing: in every story, a little robot named Bip comes and helps.

%s    stories260K, %s/model
%s     %d short stories with Bip, %s; %d more to validate

`, u.bold("model"), demoDir, u.bold("data"), s.Kept, many(s.Tokens, "token"), j.data.Valid.Len())
	if err != nil {
		return err
	}
	return j.tell(u, model.NewEngine(j.model, j.pool), "before")
}

// trainDemo trains, draws the losses, and shows a story of the adapter as it was
// written.
func (j *job) trainDemo(u *ui) error {
	if err := u.printf("%s\n", u.bold(fmt.Sprintf("training %d steps of %d stories", j.config.MaxSteps, j.config.BatchSize))); err != nil {
		return err
	}
	curve := &demoCurve{reporter: newReporter(u, recipe.ProgressAuto)}
	outcome, err := j.run(context.Background(), curve)
	if err != nil {
		return err
	}
	if err := curve.plot(u); err != nil {
		return err
	}
	if err := printLosses(u, outcome.Result); err != nil {
		return err
	}
	adapters, err := peft.Load(j.config.OutputDir, j.shape)
	if err != nil {
		return err
	}
	engine := model.NewEngine(j.model, j.pool)
	adapters.Attach(engine)
	return j.tell(u, engine, "after")
}

// tell shows the prompt and how the model goes on from it.
func (j *job) tell(u *ui, engine *model.Engine, when string) error {
	w := writer{engine: engine, tok: j.tok}
	eos, _ := j.tok.EOS()
	var text strings.Builder
	n, err := w.write(j.tok.Encode(demoPrompt, true).IDs, []int32{eos}, demoTokens, func(s string) error {
		text.WriteString(s)
		return nil
	})
	if err != nil {
		return err
	}
	story := strings.Join(strings.Fields(text.String()), " ")
	if n == demoTokens {
		story = story[:strings.LastIndexAny(story, ".!?")+1] + " …"
	}
	return u.printf("%s\n%s\n", u.bold(fmt.Sprintf("%-8s “%s”", when, demoPrompt)), indent(story, "  ", 80))
}

// indent breaks text into lines of at most width columns that begin with prefix.
func indent(text, prefix string, width int) string {
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(prefix+line+" "+word)) > width {
			b.WriteString(prefix + line + "\n")
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return b.String() + prefix + line + "\n"
}

// A demoCurve reports a run and keeps its losses.
type demoCurve struct {
	*reporter
	losses []float64
}

func (d *demoCurve) report(event any) {
	if e, ok := event.(train.Stepped); ok {
		d.losses = append(d.losses, e.Loss)
	}
	d.reporter.report(event)
}

// plot draws the training losses.
func (d *demoCurve) plot(u *ui) error {
	options := []asciigraph.Option{
		asciigraph.Height(8), asciigraph.Width(60), asciigraph.Precision(2), asciigraph.LowerBound(0),
		asciigraph.Caption(fmt.Sprintf("training loss per token, steps 1 to %d", len(d.losses))),
	}
	if u.colours {
		options = append(options, asciigraph.SeriesColors(asciigraph.Green))
	}
	return u.printf("\n%s\n\n", asciigraph.Plot(d.losses, options...))
}

func printCommands(u *ui, took time.Duration) error {
	model, data, adapter := demoDir+"/model", demoDir+"/data", demoDir+"/adapter"
	p := program()
	return u.printf(`That took %s. Hugging Face PEFT loads %s as it is.

%s
  %s generate --adapter %s --prompt "Once upon a time, there was a girl named Zoe." --max-tokens 150
  %s check --model %s --data %s --show 1
  %s eval --adapter %s --data %s
  %s train --model %s --data %s --output-dir my-adapter
`, duration(took), adapter, u.bold("Now try"), p, adapter, p, model, data, p, adapter, data, p, model, data)
}
