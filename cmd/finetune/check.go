package main

import (
	"cmp"
	"errors"
	"time"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train/data"
)

type checkCommand struct {
	ConfigFile string `name:"config" short:"c" group:"Files:" placeholder:"FILE" help:"Settings from a YAML file, such as the run.yaml of a run; flags go over them."`

	Rows rowFlags `embed:""`

	Show int    `placeholder:"N" help:"Print N rows of the first file, chosen by the seed, with what is trained set apart."`
	HTML string `name:"html" placeholder:"FILE" help:"Write all this as a page, with rows."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

func (checkCommand) Help() string {
	return `Reads rows as train would, with the model's config.json and tokenizer alone, and says what they come to: tokens, what is trained of them, ` +
		`what is cut or dropped, rows that stand twice, and every mistake by its line. Exits 1 if a run would stop over them, or eval over the test file.

For example:

    finetune check --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune check -m model --data folder --show 3
    finetune check -m model --data rows.csv --map prompt=question,completion=answer --html check.html
    finetune check --config adapter/run.yaml --json
`
}

// A checkPage is all that check has to say. With --json it is printed as it is.
type checkPage struct {
	OK           bool           `json:"ok"` // no run would stop
	Model        string         `json:"model"`
	ChatTemplate bool           `json:"chat_template"` // the rows go through one
	Positions    int            `json:"max_position_embeddings"`
	MaxLength    int            `json:"max_length"`
	Overlong     string         `json:"overlong"`
	TrainOn      string         `json:"train_on"`
	Files        []checkedFile  `json:"files"`
	Stops        []data.Mistake `json:"stops"` // of all files
}

// A checkedFile is one file and what it is for.
type checkedFile struct {
	Use string `json:"use"` // train, valid or test
	*data.Report
}

// Run checks every file, and fails where a run would.
func (c *checkCommand) Run(u *ui, ctx *kong.Context) error {
	config, err := c.Rows.config(c.ConfigFile, ctx)
	if err != nil {
		return err
	}
	if c.Show < 0 {
		return hint.Usagef("--show is %d, want a count of rows", c.Show)
	}
	j, err := newRowJob(config)
	if err != nil {
		return err
	}
	defer j.close()
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
		if err := writePage(c.HTML, page); err != nil {
			return err
		}
		u.infof("finetune: the page is in %s", c.HTML)
	}
	if !page.OK {
		return stopsError(page.Stops)
	}
	return nil
}

func (c *checkCommand) print(u *ui, page *checkPage) error {
	if c.JSON {
		return u.printJSON(page)
	}
	if err := printPage(u, page); err != nil {
		return err
	}
	rows := page.Files[0].Rows
	return printSamples(u, rows[:min(c.Show, len(rows))])
}

// check reads the files, one after the other.
func (j *rowJob) check(u *ui, checker *data.Checker) *checkPage {
	c := j.config
	page := &checkPage{
		Model: j.name, ChatTemplate: j.template != nil, Positions: j.shape.MaxPositionEmbeddings,
		MaxLength: c.MaxLength, Overlong: c.Overlong, TrainOn: c.TrainOn,
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
		page.Files = append(page.Files, checkedFile{f.use, r})
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

// A byteProgress shows how much of some files is read.
type byteProgress struct {
	progress *progress
	start    time.Time
	total    int64
	before   int64 // bytes of the files that are done
	size     int64 // of the one at hand
}

func newByteProgress(u *ui, paths data.Paths) *byteProgress {
	b := &byteProgress{progress: newProgress(u, "auto"), start: time.Now()}
	for _, p := range []string{paths.Train, paths.Valid, paths.Test} {
		b.total += files.Size(p)
	}
	return b
}

// begin goes on to the next file and returns what is to be told the bytes read.
func (b *byteProgress) begin(path string) func(read int64) {
	b.before += b.size
	b.size = files.Size(path)
	return func(read int64) {
		const mega = 1_000_000
		took := time.Since(b.start)
		if took < time.Second/2 { // most files are done before anyone could read a bar
			return
		}
		done := b.before + read
		b.progress.show("megabyte", int(done/mega), int((b.total+mega-1)/mega), bytesText(int64(float64(done)/took.Seconds()))+"/s", path)
	}
}
