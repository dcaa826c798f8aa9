package report

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"unicode"

	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// Card returns the model card: what the adapter is, what it was made from and how
// to load it. split says that the validation rows were taken from the training file; lines
// are the run's figures.
func Card(c *recipe.Config, p *rundir.Provenance, split bool, lines []rundir.Metric) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("---\n%s", rundir.CardMark)
	ref := p.BaseRef()
	base := tame(ref.Name())
	if ref.ID != "" && base == ref.ID {
		line("base_model: %s", base)
	}
	line("tags:\n- lora\n- finetune\n---\n")
	line("# LoRA adapter for %s\n", base)
	line("%s, %d trained parameters, made with finetune %s.\n", describe(c), p.Parameters, p.Version)
	if p.Validated {
		cardLosses(line, p)
	} else {
		line("There were no validation rows. The training loss of the last report was %.4f.\n", p.TrainLoss)
	}
	cardAnswers(line, p.Answers)
	line("![Loss](%s)\n", rundir.PlotFile)
	cardSamples(line, lines, p.BestStep)
	cardData(line, p, split)
	line("## Settings\n\n```yaml\n%s```\n", bytes.ReplaceAll(cardSettings(c, base), []byte("```"), []byte("'''")))
	cardUse(line, base)
	return b.Bytes()
}

func cardLosses(line func(string, ...any), p *rundir.Provenance) {
	line("| validation | loss per token | perplexity |\n|---|---|---|")
	for _, row := range []struct {
		what string
		loss float64
	}{
		{"base model", p.Losses.Base},
		{"at the start", p.Losses.Start},
		{fmt.Sprintf("this adapter (step %d of %d)", p.BestStep, p.Steps), p.Losses.Best},
	} {
		line("| %s | %.4f | %.2f |", row.what, row.loss, math.Exp(row.loss))
	}
	line("")
}

func cardData(line func(string, ...any), p *rundir.Provenance, split bool) {
	line("## Data\n")
	for _, f := range p.Data.Files {
		line("- `%s`: %d rows of %v, SHA-256 `%s`", tame(filepath.Base(f.Path)), f.Rows, f.Format, f.SHA256)
	}
	t := p.Data.Train
	line("- trained on %d rows: %d tokens, %d of them learned, the longest row %d", t.Kept, t.Tokens, t.Trained, t.Longest)
	if v := p.Data.Validation; v != nil {
		from := "from its own file"
		if split {
			from = "taken from the training file"
		}
		line("- %d rows for validation, %s", v.Kept, from)
	}
	line("")
}

func cardUse(line func(string, ...any), base string) {
	line("## Use\n\n```python\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n")
	line("base = AutoModelForCausalLM.from_pretrained(%q)", base)
	line("model = PeftModel.from_pretrained(base, \"path/to/this/folder\")\n```\n")
	line("```\nfinetune generate --model %s --adapter path/to/this/folder --prompt \"…\"\n```", base)
}

// describe names the method in a few words, which begin a sentence.
func describe(c *recipe.Config) string {
	title := c.Init.Method().Title
	return fmt.Sprintf("%s, rank %d, α %g, scaled by %.4g, on %s; %s",
		strings.ToUpper(title[:1])+title[1:], c.LoraR, c.LoraAlpha, c.Scale(), c.Adapted(), c.Kind().Title)
}

// cardSettings are run.yaml without the folders of the machine it ran on. base is what
// others call the model.
func cardSettings(c *recipe.Config, base string) []byte {
	d := *c
	d.Model, d.Data, d.OutputDir = base, filepath.Base(d.Data), filepath.Base(d.OutputDir)
	if d.Adapter != "" {
		d.Adapter = recipe.Folder(filepath.Base(string(d.Adapter)))
	}
	if d.TemplateFile() {
		d.ChatTemplate = filepath.Base(d.ChatTemplate)
	}
	text, err := d.YAML()
	if err != nil { // the same settings were written to run.yaml before
		panic(fmt.Sprintf("report: %v", err))
	}
	return text
}

// tame makes a name of somebody's file fit into a page: what would end its line, its
// backticks or its quotes, or begin HTML, becomes a question mark.
func tame(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("`\"<>&|", r) || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
}
