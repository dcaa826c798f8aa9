package train

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// cardMark is a line of every model card that a run writes, and PEFT too: a
// README.md without it is somebody's own.
const cardMark = "library_name: peft"

// ownCard reports whether the folder's README.md is a model card.
func ownCard(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, cardFile))
	return err == nil && bytes.Contains(text, []byte(cardMark))
}

// card returns the model card: what the adapter is, what it was made from and how
// to load it.
func card(c *Config, p *Provenance, d *Data) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("---\n%s", cardMark)
	base := tame(shortName(p.Base.Name))
	if hubID(p.Base.Name) && base == p.Base.Name {
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
	line("![Loss](%s)\n", plotFile)
	cardData(line, p, d)
	line("## Settings\n\n```yaml\n%s```\n", bytes.ReplaceAll(cardSettings(c), []byte("```"), []byte("'''")))
	cardUse(line, base)
	return b.Bytes()
}

func cardLosses(line func(string, ...any), p *Provenance) {
	line("| validation | loss per token | perplexity |\n|---|---|---|")
	for _, row := range []struct {
		what string
		loss float64
	}{
		{"base model", p.BaseEvalLoss},
		{"after the start", p.StartEvalLoss},
		{fmt.Sprintf("this adapter (step %d of %d)", p.BestStep, p.Steps), p.BestEvalLoss},
	} {
		line("| %s | %.4f | %.2f |", row.what, row.loss, math.Exp(row.loss))
	}
	line("")
}

func cardData(line func(string, ...any), p *Provenance, d *Data) {
	line("## Data\n")
	for i, f := range p.Data.Files {
		line("- `%s`: %d rows of %v, SHA-256 `%s`", tame(d.names()[i]), f.Rows, f.Format, f.SHA256)
	}
	t := p.Data.Train
	line("- trained on %d rows: %d tokens, %d of them learned, the longest row %d", t.Kept, t.Tokens, t.Trained, t.Longest)
	if v := p.Data.Validation; v != nil {
		from := "from its own file"
		if d.Split {
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

// describe names the method in a few words.
func describe(c *Config) string {
	init := "Ordinary LoRA start"
	if c.Init == "loraone" {
		init = "LoRA-One start (arXiv 2502.01235)"
	}
	optimizer := map[string]string{preconditionedAdamW: "preconditioned AdamW", plainAdamW: "AdamW", scaledAdamW: "scaled AdamW"}[c.Optimizer]
	return fmt.Sprintf("%s, rank %d, α %g, rank-stabilised, on %s; %s", init, c.LoraR, c.LoraAlpha, strings.Join(c.TargetModules, ", "), optimizer)
}

// cardSettings are run.yaml without the folders of the machine it ran on.
func cardSettings(c *Config) []byte {
	d := *c
	d.Model, d.Data, d.OutputDir = shortName(d.Model), filepath.Base(d.Data), filepath.Base(d.OutputDir)
	if d.ChatTemplate != "auto" && d.ChatTemplate != "none" {
		d.ChatTemplate = filepath.Base(d.ChatTemplate)
	}
	text, err := d.YAML()
	if err != nil { // the same settings were written to run.yaml before
		panic(fmt.Sprintf("train: %v", err))
	}
	return text
}

// hubID reports whether a model's name is owner/name rather than a folder's path.
func hubID(name string) bool {
	owner, model, ok := strings.Cut(name, "/")
	return ok && owner != "" && model != "" && !strings.ContainsAny(model, `/\`) && owner[0] != '.' && owner[0] != '~' && !has(name, "config.json")
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

// shortName is a Hub id, or the last part of a folder's path.
func shortName(name string) string {
	if hubID(name) {
		return name
	}
	return filepath.Base(name)
}
