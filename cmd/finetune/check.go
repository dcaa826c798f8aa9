package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train/data"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
)

type checkCommand struct {
	ConfigFile path `name:"config" short:"c" group:"Files:" placeholder:"FILE" help:"Settings from a YAML file, such as the run.yaml of a run; flags go over them."`

	rowFlags

	Show int  `placeholder:"N" help:"Print N rows of the first file, chosen by the seed, with what is trained set apart."`
	HTML path `name:"html" placeholder:"FILE" help:"Write all this as a page, with rows."`
	JSON bool `name:"json" help:"Print one JSON object."`
}

func (checkCommand) Help() string {
	return `Reads rows as train would, with the model's config.json and tokenizer alone, and says what they come to: tokens, what is trained of them, ` +
		`what is cut or dropped, duplicate rows, and every mistake by its line. Exits 1 if a run would stop over them, or eval over the test file.

Rows are JSON lines, a JSON list, .csv or .parquet of one of these shapes, or plain text (.txt):

    {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
    {"prompt": "…", "completion": "…"}
    {"text": "…"}
    {"instruction": "…", "input": "…", "output": "…"}
    {"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}
    {"segments": [{"text": "…", "label": false}, {"text": "…", "label": true}]}

For example:

    finetune check --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune check -m model --data folder --show 3
    finetune check -m model --data rows.csv --map prompt=question,completion=answer --html check.html
    finetune check --config adapter/run.yaml --json
`
}

// pageRows is how many rows of each file a page shows unless --show says more.
const pageRows = 8

// Run checks every file, and fails where a run would.
func (c *checkCommand) Run(u *ui, ctx *kong.Context) error {
	config, err := c.resolve(u, string(c.ConfigFile), ctx)
	if err != nil {
		return err
	}
	if c.Show < 0 {
		return hint.Usagef("--show is %d, want a count of rows", c.Show)
	}
	j, err := newRowJob(u, config)
	if err != nil {
		return err
	}
	defer j.Close()
	checker := j.checker()
	checker.Samples = c.Show
	if c.HTML != "" {
		checker.Samples = max(c.Show, pageRows)
	}
	page := j.check(u, checker)
	if err := c.print(u, page); err != nil {
		return err
	}
	if c.HTML != "" {
		text, err := page.HTML()
		if err == nil {
			err = files.Write(string(c.HTML), text)
		}
		if err != nil {
			return err
		}
		u.infof("finetune: the page is in %s", c.HTML)
	}
	if !page.OK {
		return stopsError(page.Stops)
	}
	return nil
}

func (c *checkCommand) print(u *ui, page *report.CheckPage) error {
	if c.JSON {
		return u.printJSON(page)
	}
	if err := printPage(u, page); err != nil {
		return err
	}
	rows := page.Files[0].Rows
	return printSamples(u, rows[:min(c.Show, len(rows))])
}

// A rowJob reads rows as train would, with the small files of a model alone.
type rowJob struct {
	*opened.Model
	settings *recipe.Resolved
	paths    data.Paths
}

func newRowJob(u *ui, c *recipe.Resolved) (*rowJob, error) {
	j := &rowJob{settings: c}
	var err error
	if j.paths, err = data.Find(c.Data); err != nil {
		return nil, err
	}
	j.Model, err = openFor(u, c)
	return j, err
}

// checker reads files as the settings say.
func (j *rowJob) checker() *data.Checker {
	return &data.Checker{
		Tokenizer: j.Tokenizer, Columns: data.Columns(j.settings.Map), Pool: j.Pool,
		Options:   data.Options{Template: j.Template, TrainOn: data.TrainOn(j.settings.TrainOn), MaxLength: j.settings.MaxLength, Overlong: data.Overlong(j.settings.Overlong), Ends: j.Config.EOS},
		VocabSize: j.Config.VocabSize, Seed: j.settings.Seed,
	}
}

// check reads the files, one after the other.
func (j *rowJob) check(u *ui, checker *data.Checker) *report.CheckPage {
	c := j.settings
	page := &report.CheckPage{
		Model: j.Arg, ChatTemplate: j.Template != nil, Positions: j.Config.MaxPositionEmbeddings,
		MaxLength: c.MaxLength, Overlong: string(c.Overlong), TrainOn: string(c.TrainOn),
		Stops: []data.Mistake{},
	}
	watch := newByteProgress(u, j.paths)
	defer watch.progress.end()
	for _, f := range []struct{ use, path string }{{"train", j.paths.Train}, {"valid", j.paths.Valid}, {"test", j.paths.Test}} {
		if f.path == "" {
			continue
		}
		checker.Progress = watch.begin(f.path)
		if checker.ValSplit = 0; f.use == "train" && j.paths.Valid == "" {
			checker.ValSplit = c.ValSplit
		}
		r := checker.Check(f.path)
		for _, before := range page.Files {
			before.Share(r)
		}
		page.Files = append(page.Files, report.CheckedFile{Use: f.use, Report: r})
		page.Stops = append(page.Stops, r.Stops...)
	}
	if j.paths.Train == "" {
		page.Stops = append(page.Stops, data.Mistake{Text: c.Data + ": no training file in this folder"})
	}
	page.OK = len(page.Stops) == 0
	return page
}

// stopsError says in one line why the command failed.
func stopsError(stops []data.Mistake) error {
	text := ""
	for _, s := range stops {
		text += s.Text + "\n"
	}
	advice := ""
	for _, s := range stops {
		advice = cmp.Or(advice, s.Hint)
	}
	return hint.New(errors.New("a run would stop: "+text[:len(text)-1]), advice)
}

// plotWidth is the columns of the longest bar.
const plotWidth = 40

// printPage writes the report of every file.
func printPage(u *ui, p *report.CheckPage) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s    %s: %s\n", u.bold("model"), p.Model, p.Settings())
	for _, f := range p.Files {
		fmt.Fprintf(&b, "\n%s  %s\n", u.bold(f.Path), f.Purpose())
		for _, fact := range p.Facts(f) {
			label := fmt.Sprintf("  %-10s", fact.Label)
			if fact.Odd {
				label = u.yellow(label)
			}
			fmt.Fprintf(&b, "%s %s\n", label, fact.Text)
		}
		printHistogram(&b, f.Lengths.Histogram)
		printWorst(&b, u, f.Report)
		printMistakes(&b, u, f.Report)
	}
	fmt.Fprintf(&b, "\n%s\n", u.bold(p.Verdict()))
	for _, s := range p.Stops {
		fmt.Fprintf(&b, "  %s\n", report.OneLine(s.Text))
	}
	return u.printf("%s", b.String())
}

// eighths are the ends of a bar.
var eighths = []rune(" ▏▎▍▌▋▊▉█")

// printHistogram draws the lengths of rows.
func printHistogram(b *strings.Builder, bars []data.Bar) {
	most := report.TallestBar(bars)
	if most == 0 {
		return
	}
	b.WriteString("\n  tokens a row\n")
	for _, bar := range bars {
		n := (bar.Rows*plotWidth*8 + most - 1) / most // eighths of a column; a row at all shows
		drawn := strings.Repeat("█", n/8)
		if n%8 > 0 {
			drawn += string(eighths[n%8])
		}
		line := fmt.Sprintf("  %13s  %s %s", report.BarLabel(bar), drawn, count(bar.Rows))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// printWorst lists the rows to look at.
func printWorst(b *strings.Builder, u *ui, r *data.Report) {
	if len(r.Worst) == 0 {
		return
	}
	fmt.Fprintf(b, "\n  %s\n", u.yellow("rows to look at"))
	for _, w := range r.Worst {
		fmt.Fprintf(b, "  %v: %s\n", w.Origin, report.OneLine(strings.Join(w.Why, "; ")))
	}
}

// printMistakes lists the first mistakes, each with its hint.
func printMistakes(b *strings.Builder, u *ui, r *data.Report) {
	if r.MistakeCount == 0 {
		return
	}
	head := many(r.MistakeCount, "mistake")
	if n := len(r.Mistakes); n < r.MistakeCount {
		head += fmt.Sprintf(", the first %d", n)
	}
	fmt.Fprintf(b, "\n  %s\n", u.red(head))
	last := ""
	for _, m := range r.Mistakes {
		fmt.Fprintf(b, "  %s\n", report.OneLine(m.Text))
		if m.Hint != last { // the same advice is given once
			printHint(b, m.Hint)
		}
		last = m.Hint
	}
}

func printHint(b *strings.Builder, hint string) {
	if hint != "" {
		fmt.Fprintf(b, "    hint: %s\n", hint)
	}
}

// printSamples writes rows token by token: on a terminal in colours, else with what
// is trained in ⟦ ⟧ and a bar between tokens.
func printSamples(u *ui, rows []data.Sample) error {
	if len(rows) == 0 {
		return nil
	}
	spell, legend := bracketTokens, "⟦…⟧ is trained; │ stands between tokens"
	if u.colours {
		spell = colourTokens
		legend = colourTokens([]data.Token{{Text: " trained ", Trained: true}, {Text: " not trained "}, {Text: " special ", Special: true}})
	}
	if slices.ContainsFunc(rows, func(r data.Sample) bool { return slices.ContainsFunc(r.Tokens, report.Inside) }) {
		legend += "; " + report.Continued + " goes on with a character"
	}
	if err := u.printf("\n%s\n", legend); err != nil {
		return err
	}
	for _, r := range rows {
		text := strings.TrimSuffix(spell(r.Tokens), "\n")
		if r.Lost > 0 {
			text += " … " + many(r.Lost, "token") + " cut off"
		}
		if err := u.printf("\n%s  %s\n%s\n", u.bold(r.Origin.String()), many(len(r.Tokens), "token"), text); err != nil {
			return err
		}
	}
	return nil
}

// bracketTokens spells tokens out without colours. A border at the end of a line
// stands before the line break.
func bracketTokens(tokens []data.Token) string {
	var b strings.Builder
	for i, t := range tokens {
		text, newline := strings.CutSuffix(report.TokenText(t), "\n")
		if t.Trained && (i == 0 || !tokens[i-1].Trained) {
			b.WriteString("⟦")
		}
		b.WriteString(text)
		last := i == len(tokens)-1
		switch {
		case t.Trained && (last || !tokens[i+1].Trained):
			b.WriteString("⟧")
		case !last && t.Trained == tokens[i+1].Trained:
			b.WriteString("│")
		}
		if newline {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// Colours of the 256-colour palette, both ink and paper, so that they can be read
// on any background. Neighbours alternate.
var (
	trainedPaper   = [2]int{22, 28}
	untrainedPaper = [2]int{236, 239}
)

const (
	trainedInk   = 231
	untrainedInk = 252
	specialInk   = 226
)

// colourTokens spells tokens out in colours, which end before each line break.
func colourTokens(tokens []data.Token) string {
	var b strings.Builder
	for i, t := range tokens {
		ink, paper := untrainedInk, untrainedPaper[i%2]
		if t.Trained {
			ink, paper = trainedInk, trainedPaper[i%2]
		}
		bold := ""
		if t.Special {
			ink, bold = specialInk, "1;"
		}
		for line := range strings.Lines(report.TokenText(t)) {
			line, newline := strings.CutSuffix(line, "\n")
			fmt.Fprintf(&b, "\x1b[%s38;5;%d;48;5;%dm%s\x1b[0m", bold, ink, paper, line)
			if newline {
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}
