package main

import (
	"fmt"
	"strings"

	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
)

const (
	enoughSteps = 60  // of eight rows the losses of GSM8K and of the demo have fallen most of their way
	mostEpochs  = 10  // rows seen more often are learned by heart
	roundTo     = 32  // tokens
	smallModel  = 512 // width below which q and v alone have little to learn with
)

// A proposal is the settings of a run, with the reasons for those that were chosen.
type proposal struct {
	config recipe.Config
	title  string
	why    map[string]string // by key
	given  map[string]bool
}

// propose chooses settings for rows that were checked.
func propose(j *rowJob, page *report.CheckPage, given map[string]bool) *proposal {
	p := &proposal{config: j.config.Config, why: map[string]string{"model": "", "data": "", "output_dir": "", "seed": ""}, given: given}
	p.config.LearningRate, p.config.AdamBeta1, p.config.AdamBeta2 = 0, 0, 0 // the optimizer's own, for the targets to come
	if !given["init_gamma"] {
		p.config.InitGamma = 0 // the method's own
	}
	rows := page.Files[0]
	p.title = fmt.Sprintf("%s of %s and the model %s", many(rows.Stats.Rows, "row"), rows.Path, j.name)
	p.columns()
	p.template(j)
	p.length(j, rows)
	valid := p.validation(page)
	steps := p.steps(rows.Kept - rows.Validation)
	p.adapter(j)
	if valid > 0 {
		p.config.EvalSteps = max(1, (steps+9)/10)
		p.because("eval_steps", "A tenth of the run.")
		p.config.EvalSamples = min(p.config.EvalSamples, valid)
		p.because("eval_samples", "%s.", ofAll(p.config.EvalSamples, valid, "validation row"))
	}
	p.config.SaveSteps = min(max(10, steps/5), p.config.SaveSteps)
	p.because("save_steps", "The run has %s.", many(steps, "step"))
	p.config.LearningRate, p.config.Optimizer = p.config.Rate(), recipe.Optimizer(p.config.Kind().Name)
	p.because("optimizer", "")
	p.because("learning_rate", "The one measured for %s.", p.config.Optimizer)
	return p
}

// because gives the reason for a setting.
func (p *proposal) because(key, format string, args ...any) {
	p.why[key] = fmt.Sprintf(format, args...)
	if p.given[key] {
		p.why[key] = "As given."
	}
}

func (p *proposal) columns() {
	if len(p.config.Map) > 0 {
		p.because("map", "The file has other names than the known ones.")
	}
}

func (p *proposal) template(j *rowJob) {
	why := "This model has none: prompt and completion are joined as they are."
	if j.template != nil {
		why = "This model has one."
	}
	p.because("chat_template", "%s", why)
	p.because("train_on", "")
}

// length chooses max_length: the longest row, or where a few are far longer than the
// rest, what 99 % of the rows have.
func (p *proposal) length(j *rowJob, f report.CheckedFile) {
	l, most := f.Lengths, j.shape.MaxPositionEmbeddings
	if p.given["max_length"] {
		p.because("max_length", "")
		return
	}
	if isText(f.Path) {
		p.because("max_length", "The text is cut in pieces of so many.")
		return
	}
	want, why := l.Longest, fmt.Sprintf("The longest row has %s.", count(l.Longest))
	if l.Longest > 2*l.P99 {
		want, why = l.P99, fmt.Sprintf("99 %% of the rows have at most %s, the longest %s.", count(l.P99), count(l.Longest))
	}
	p.config.MaxLength = min((want+roundTo-1)/roundTo*roundTo, most)
	if p.config.MaxLength < want {
		why += fmt.Sprintf(" The model was made for %s.", count(most))
	}
	if n := l.Above(p.config.MaxLength); n > 0 {
		why += fmt.Sprintf(" %s cut.", upper(many(n, "row")+" "+are(n)))
	}
	p.because("max_length", "%s", why)
	p.because("overlong", "")
}

// validation returns how many rows there are to validate on.
func (p *proposal) validation(page *report.CheckPage) int {
	rows := page.Files[0]
	if len(page.Files) > 1 {
		p.config.ValSplit = 0
		p.because("val_split", "%s has %s.", page.Files[1].Path, many(page.Files[1].Kept, "row"))
		return page.Files[1].Kept
	}
	if rows.Validation == 0 {
		p.config.ValSplit = 0
		p.because("val_split", "%s are too few to keep some: the last step is what will be saved.", upper(many(rows.Stats.Rows, "row")))
		return 0
	}
	p.because("val_split", "%s.", ofAll(rows.Validation, rows.Stats.Rows, "row"))
	return rows.Validation
}

// steps chooses batches and passes so that few rows make enough steps, and returns
// the steps.
func (p *proposal) steps(rows int) int {
	c := &p.config
	switch {
	case rows < 32:
		c.BatchSize = 2
	case rows < 128:
		c.BatchSize = 4
	}
	perEpoch := (rows + c.BatchSize - 1) / c.BatchSize
	c.NumTrainEpochs = float64(min(mostEpochs, max(1, (enoughSteps+perEpoch-1)/perEpoch)))
	steps := perEpoch * int(c.NumTrainEpochs)
	why := fmt.Sprintf("%s in batches of %d make %s", many(rows, "row"), c.BatchSize, many(perEpoch, "step"))
	if c.NumTrainEpochs > 1 {
		why += fmt.Sprintf(" a pass, %s in all", count(steps))
	}
	p.because("num_train_epochs", "%s.", why)
	p.because("batch_size", "")
	return steps
}

// adapter chooses what is adapted: a small model has little to learn with in q and v
// alone.
func (p *proposal) adapter(j *rowJob) {
	c := &p.config
	all := *c
	all.TargetModules = recipe.Names{"all-linear"}
	if j.shape.HiddenSize < smallModel {
		c.TargetModules = all.TargetModules
	}
	for c.LoraR > 1 && c.Lora().Check(j.shape) != nil { // the rank of no projection
		c.LoraR /= 2
	}
	all.LoraR = c.LoraR
	why := many(c.Lora().Parameters(j.shape), "parameter") + " trained"
	if n := all.Lora().Parameters(j.shape); n != c.Lora().Parameters(j.shape) {
		why += "; all-linear would train " + count(n) + " and take longer"
	}
	p.because("target_modules", "%s.", upper(why))
	p.because("lora_r", "")
	p.because("lora_alpha", "")
}

// ofAll writes "100 of 1,319 rows", or "All 32 rows".
func ofAll(n, all int, noun string) string {
	if n == all {
		return "All " + many(all, noun)
	}
	return count(n) + " of " + many(all, noun)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// upper begins a sentence.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
