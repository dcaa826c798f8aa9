package main

import (
	"fmt"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train/report"
)

type reportCommand struct {
	Dirs     []string `arg:"" name:"dir" placeholder:"DIR" help:"Folders of sweeps or of runs, or folders that hold them."`
	Markdown bool     `xor:"form" help:"Print the table as Markdown."`
	CSV      bool     `name:"csv" xor:"form" help:"Print the table as CSV, its numbers in full."`
	JSON     bool     `name:"json" xor:"form" help:"Print one JSON object a run, with all its settings."`
	HTML     string   `name:"html" placeholder:"FILE" help:"Write a page with the table, curves and settings."`
}

func (reportCommand) Help() string {
	return `Compares runs by configuration: loss as mean ± standard deviation over seeds, and the difference to the baseline, paired by seed, ` +
		`with a 95 % interval. With one seed it is paired over the held-out rows. It says what follows from the numbers, and what they do not show. ` +
		`A run that cannot be read is named and left out, and the exit code is 1.

For example:

    finetune report runs
    finetune report adapter other-adapter
    finetune report runs --html report.html
`
}

// Run reads the folders and prints what they come to.
func (c *reportCommand) Run(u *ui) error {
	runs, err := report.ReadRuns(c.Dirs)
	if err != nil {
		return err
	}
	comparison := report.Compare(runs)
	if err := c.print(u, comparison); err != nil {
		return err
	}
	if err := c.writePage(u, comparison); err != nil {
		return err
	}
	return runs.Damage()
}

// writePage writes the page where one is asked for.
func (c *reportCommand) writePage(u *ui, comparison *report.Comparison) error {
	if c.HTML == "" {
		return nil
	}
	page, err := comparison.HTML()
	if err == nil {
		err = files.Write(c.HTML, page)
	}
	if err != nil {
		return hint.New(fmt.Errorf("the page: %w", err), "--html names a file")
	}
	u.infof("finetune: the page is in %s", c.HTML)
	return nil
}

func (c *reportCommand) print(u *ui, comparison *report.Comparison) error {
	var text []byte
	var err error
	switch {
	case c.JSON:
		text, err = comparison.JSON()
	case c.CSV:
		text, err = comparison.CSV()
	case c.Markdown:
		text = []byte(comparison.Markdown())
	default:
		text = []byte(comparison.Text())
	}
	if err != nil {
		return err
	}
	return u.printf("%s", text)
}
