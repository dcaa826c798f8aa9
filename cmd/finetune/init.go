package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
)

type initCommand struct {
	Output    path `short:"o" group:"Files:" placeholder:"FILE" default:"run.yaml" help:"File to write (default ${default})."`
	Overwrite bool `group:"Files:" help:"Replace that file if it is there."`

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
	j, err := newRowJob(u, config)
	if err != nil {
		return err
	}
	defer j.Close()
	page := j.survey(u, given["max_length"])
	if !page.OK {
		return stopsError(page.Stops)
	}
	var valid *data.Report
	if len(page.Files) > 1 {
		valid = page.Files[1].Report
	}
	p := train.Propose(j.settings.Config, j.Config, j.Template != nil, page.Files[0].Report, valid, given)
	if _, err := p.Config.Resolve(); err != nil {
		return err
	}
	text, err := proposalYAML(p, given)
	if err != nil {
		return err
	}
	if err := files.Write(string(c.Output), text); err != nil {
		return err
	}
	return u.printf("settings  %s\ntrain     %s train --config %s\n", string(c.Output), program(), quote(string(c.Output)))
}

// free returns an error if the file is there and is to stay.
func (c *initCommand) free() error {
	_, err := os.Lstat(string(c.Output))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !c.Overwrite:
		return hint.New(fmt.Errorf("%s is there already", string(c.Output)), "--overwrite replaces it, -o names another file")
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
	case train.IsText(j.paths.Train):
		j.settings.MaxLength = min(j.settings.MaxLength, j.Config.MaxPositionEmbeddings)
	default:
		j.settings.MaxLength = j.Config.MaxPositionEmbeddings
	}
	checker.Options.MaxLength = j.settings.MaxLength
	return j.check(u, checker)
}

// proposalYAML writes the settings in the groups of the help page: those that were chosen
// with their reasons, and below them the others as comments, with their defaults.
func proposalYAML(p *train.Proposal, given map[string]bool) ([]byte, error) {
	all, err := p.Config.YAML()
	if err != nil {
		return nil, err
	}
	values, words := splitKeys(string(all)), settings()
	var b strings.Builder
	b.WriteString(indent("Settings for "+report.OneLine(p.Title)+", written by finetune init. Each key is a flag of finetune train too; a flag goes over this file.", "# ", 100))
	for _, group := range []string{groupFiles, groupRows, groupLength, groupLora, groupOptim, groupReport} {
		b.WriteString("\n# ── " + strings.TrimSuffix(group, ":") + "\n")
		var rest []string
		for _, key := range recipe.Keys() {
			value, written := values[key]
			why, chosen := p.Why[key]
			switch {
			case words[key].group != group || !written:
			case chosen || given[key]:
				b.WriteString("\n" + indent(strings.TrimSpace(words[key].help+" "+report.OneLine(why)), "# ", 100) + value)
			default:
				rest = append(rest, "\n"+indent(words[key].help, "# ", 100)+"# "+strings.ReplaceAll(strings.TrimSuffix(value, "\n"), "\n", "\n# ")+"\n")
			}
		}
		b.WriteString(strings.Join(rest, ""))
	}
	return []byte(b.String()), nil
}

// splitKeys cuts a YAML mapping into its entries, by key.
func splitKeys(text string) map[string]string {
	entries, key := map[string]string{}, ""
	for line := range strings.Lines(text) {
		if !strings.ContainsAny(line[:1], " -}]") {
			key, _, _ = strings.Cut(line, ":")
		}
		entries[key] += line
	}
	return entries
}
