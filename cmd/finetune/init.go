package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
)

type initCommand struct {
	Output    string `short:"o" group:"Files:" placeholder:"FILE" default:"run.yaml" help:"File to write (default ${default})."`
	Overwrite bool   `group:"Files:" help:"Replace that file if it is there."`

	rowFlags
}

func (initCommand) Help() string {
	return `Reads the rows as check does and writes a file of settings that suit them: lengths, steps, validation, names of columns. ` +
		`Each line says what it is and why; a setting given here is taken as it is.

For example:

    finetune init --model SmolLM2-135M-Instruct --data rows.jsonl
    finetune init -m model --data folder --max-length 512 -o short.yaml
    finetune train --config run.yaml
`
}

// Run writes the settings.
func (c *initCommand) Run(u *ui, ctx *kong.Context) error {
	given := givenKeys(ctx)
	config, err := c.resolve(u, "", ctx)
	if err != nil {
		return err
	}
	if err := c.free(); err != nil {
		return err
	}
	if !given["map"] {
		if err := guessMap(config); err != nil {
			return err
		}
	}
	j, err := newRowJob(config)
	if err != nil {
		return err
	}
	defer j.close()
	page := j.survey(u, given["max_length"])
	if !page.OK {
		return stopsError(page.Stops)
	}
	p := propose(j, page, given)
	if _, err := p.config.Resolve(); err != nil {
		return err
	}
	text, err := p.yaml()
	if err != nil {
		return err
	}
	if err := files.Write(c.Output, text); err != nil {
		return err
	}
	return u.printf("settings  %s\ntrain     %s train --config %s\n", c.Output, program(), quote(c.Output))
}

// free returns an error if the file is there and is to stay.
func (c *initCommand) free() error {
	_, err := os.Lstat(c.Output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !c.Overwrite:
		return hint.New(fmt.Errorf("%s is there already", c.Output), "--overwrite replaces it, -o names another file")
	}
	return nil
}

// givenKeys are the settings on the command line.
func givenKeys(ctx *kong.Context) map[string]bool {
	keys := map[string]bool{}
	for _, s := range typed(ctx) {
		keys[s.key] = true
	}
	return keys
}

// guessMap sets the names of columns where the training file has others than the
// known ones.
func guessMap(c *recipe.Resolved) error {
	paths, err := data.Find(c.Data)
	if err != nil || paths.Train == "" {
		return err
	}
	columns, err := data.GuessColumns(paths.Train)
	c.Map = recipe.Columns(columns)
	return err
}

// survey reads the rows of training and validation, uncut unless a length is given:
// a text file is pieces of max_length, and has no longest row.
func (j *rowJob) survey(u *ui, bounded bool) *report.CheckPage {
	j.paths.Test = ""
	checker := j.checker()
	switch {
	case bounded:
	case isText(j.paths.Train):
		j.config.MaxLength = min(j.config.MaxLength, j.shape.MaxPositionEmbeddings)
	default:
		j.config.MaxLength = j.shape.MaxPositionEmbeddings
	}
	checker.Options.MaxLength = j.config.MaxLength
	return j.check(u, checker)
}

func isText(path string) bool { return strings.EqualFold(filepath.Ext(path), ".txt") }
