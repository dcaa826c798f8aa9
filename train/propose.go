package train

import (
	"fmt"
	"path/filepath"
	"strings"

	"example.com/finetune/model"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
)

const (
	enoughSteps = 60  // of eight rows the losses of GSM8K and of the demo have fallen most of their way
	mostEpochs  = 10  // rows seen more often are learned by heart
	roundTo     = 32  // tokens
	smallModel  = 512 // width below which q and v alone have little to learn with
)

// A Proposal is the settings of a run, with the reasons for those that were chosen.
type Proposal struct {
	Config recipe.Config
	Title  string            // what they are for
	Why    map[string]string // by key; "" where the choice needs no words

	model *model.Config
	given map[string]bool // keys that stay as they are
}

// Propose chooses settings for rows that were checked: a model, whether it has a chat
// template, and the reports of the training file and of the one for validation, which
// may be nil. The settings in given stay as c has them.
func Propose(c recipe.Config, m *model.Config, template bool, rows, valid *data.Report, given map[string]bool) *Proposal {
	p := &Proposal{Config: c, Why: map[string]string{"model": "", "data": "", "output_dir": "", "seed": ""}, model: m, given: given}
	p.Config.LearningRate, p.Config.AdamBeta1, p.Config.AdamBeta2 = 0, 0, 0 // the optimizer's own, for the targets to come
	if !given["init_gamma"] {
		p.Config.InitGamma = 0 // the method's own
	}
	p.Title = fmt.Sprintf("%s of %s and the model %s", report.Many(rows.Stats.Rows, "row"), rows.Path, c.Model)
	p.columns()
	p.template(template)
	p.length(rows)
	held := p.validation(rows, valid)
	steps := p.steps(rows.Kept - rows.Validation)
	p.adapter()
	if held > 0 {
		p.evaluations(steps, held, rows, valid)
	}
	p.Config.SaveSteps = min(max(10, steps/5), p.Config.SaveSteps)
	p.because("save_steps", "The run has %s.", report.Many(steps, "step"))
	p.Config.LearningRate, p.Config.Optimizer = p.Config.Rate(), recipe.Optimizer(p.Config.Kind().Name)
	p.because("optimizer", "")
	p.because("learning_rate", "The one measured for %s.", p.Config.Optimizer)
	return p
}

// because gives the reason for a setting.
func (p *Proposal) because(key, format string, args ...any) {
	p.Why[key] = fmt.Sprintf(format, args...)
	if p.given[key] {
		p.Why[key] = "As given."
	}
}

func (p *Proposal) columns() {
	if len(p.Config.Map) > 0 {
		p.because("map", "The file has other names than the known ones.")
	}
}

func (p *Proposal) template(there bool) {
	why := "This model has none: prompt and completion are joined as they are."
	if there {
		why = "This model has one."
	}
	p.because("chat_template", "%s", why)
	p.because("train_on", "")
}

// length chooses max_length: the longest row, or where a few are far longer than the
// rest, what 99 % of the rows have.
func (p *Proposal) length(f *data.Report) {
	l, most := f.Lengths, p.model.MaxPositionEmbeddings
	if p.given["max_length"] {
		p.because("max_length", "")
		return
	}
	if IsText(f.Path) {
		p.because("max_length", "The text is cut in pieces of so many.")
		return
	}
	want, why := l.Longest, fmt.Sprintf("The longest row has %s.", report.Count(l.Longest))
	if l.Longest > 2*l.P99 {
		want, why = l.P99, fmt.Sprintf("99 %% of the rows have at most %s, the longest %s.", report.Count(l.P99), report.Count(l.Longest))
	}
	p.Config.MaxLength = min((want+roundTo-1)/roundTo*roundTo, most)
	if p.Config.MaxLength < want {
		why += fmt.Sprintf(" The model was made for %s.", report.Count(most))
	}
	if n := l.Above(p.Config.MaxLength); n > 0 {
		why += fmt.Sprintf(" %s cut.", upper(report.Many(n, "row")+" "+are(n)))
	}
	p.because("max_length", "%s", why)
	p.because("overlong", "")
}

// validation returns how many rows there are to validate on.
func (p *Proposal) validation(rows, valid *data.Report) int {
	if valid != nil {
		p.Config.ValSplit = 0
		p.because("val_split", "%s has %s.", valid.Path, report.Many(valid.Kept, "row"))
		return valid.Kept
	}
	if rows.Validation == 0 {
		p.Config.ValSplit = 0
		p.because("val_split", "%s are too few to keep some: the last step is what will be saved.", upper(report.Many(rows.Stats.Rows, "row")))
		return 0
	}
	p.because("val_split", "%s.", ofAll(rows.Validation, rows.Stats.Rows, "row"))
	return rows.Validation
}

// steps chooses batches and passes so that few rows make enough steps, and returns
// the steps.
func (p *Proposal) steps(rows int) int {
	c := &p.Config
	switch {
	case rows < 32:
		c.BatchSize = 2
	case rows < 128:
		c.BatchSize = 4
	}
	perEpoch := (rows + c.BatchSize - 1) / c.BatchSize
	c.NumTrainEpochs = float64(min(mostEpochs, max(1, (enoughSteps+perEpoch-1)/perEpoch)))
	steps := perEpoch * int(c.NumTrainEpochs)
	why := fmt.Sprintf("%s in batches of %d make %s", report.Many(rows, "row"), c.BatchSize, report.Many(perEpoch, "step"))
	if c.NumTrainEpochs > 1 {
		why += fmt.Sprintf(" a pass, %s in all", report.Count(steps))
	}
	p.because("num_train_epochs", "%s.", why)
	p.because("batch_size", "")
	return steps
}

// evaluations chooses how often and on how many rows to evaluate, as a run would.
func (p *Proposal) evaluations(steps, held int, rows, valid *data.Report) {
	if valid == nil {
		valid = rows
	}
	mean := func(f *data.Report) float64 { return max(1, float64(f.Stats.Tokens)/float64(f.Stats.Kept)) }
	c := &p.Config
	every, samples := c.EvalSteps, c.EvalSamples
	if !p.given["eval_steps"] {
		every = recipe.Chosen
	}
	if !p.given["eval_samples"] {
		samples = recipe.Chosen
	}
	cost := evalCost{training: trainingCost * mean(rows) * float64(steps*c.Sequences()), row: mean(valid), steps: steps, rows: held, before: 2}
	n, of := cost.choose(every, samples)
	c.EvalSteps, c.EvalSamples = recipe.AutoCount(n), recipe.AutoCount(of)
	p.because("eval_steps", "%s, which take a tenth of the time at most.", upper(report.Many((steps+n-1)/n, "evaluation")))
	p.because("eval_samples", "%s.", ofAll(of, held, "validation row"))
}

// adapter chooses what is adapted: a small model has little to learn with in q and v
// alone.
func (p *Proposal) adapter() {
	c := &p.Config
	all := *c
	all.TargetModules = recipe.Names{"all-linear"}
	if p.model.HiddenSize < smallModel {
		c.TargetModules = all.TargetModules
	}
	for c.LoraR > 1 && c.Lora().Check(p.model) != nil { // the rank of no projection
		c.LoraR /= 2
	}
	all.LoraR = c.LoraR
	why := report.Many(c.Lora().Parameters(p.model), "parameter") + " trained"
	if n := all.Lora().Parameters(p.model); n != c.Lora().Parameters(p.model) {
		why += "; all-linear would train " + report.Count(n) + " and take longer"
	}
	p.because("target_modules", "%s.", upper(why))
	p.because("lora_r", "")
	p.because("lora_alpha", "")
}

// IsText reports whether a file of rows is one text, which has no longest row: it is cut
// in pieces of max_length.
func IsText(path string) bool { return strings.EqualFold(filepath.Ext(path), ".txt") }

// ofAll writes "100 of 1,319 rows", or "All 32 rows".
func ofAll(n, all int, noun string) string {
	if n == all {
		return "All " + report.Many(all, noun)
	}
	return report.Count(n) + " of " + report.Many(all, noun)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// upper begins a sentence.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
