package main

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/train"
	"example.com/finetune/train/recipe"
)

// A setting is how one key of recipe.Config appears as a flag. Keys, types, defaults
// and other programs' names are recipe's; only words are here.
type setting struct {
	group, help, placeholder string
	short                    rune // the flag of one letter, 0 for none
}

// The groups of the help page, in its order.
const (
	groupFiles  = "Files:"
	groupLength = "Length of the run:"
	groupRows   = "Rows:"
	groupLora   = "Adapter and its start:"
	groupOptim  = "Optimizer:"
	groupReport = "Evaluation, reports and checkpoints:"
)

// settings describes every key of recipe.Config.
func settings() map[string]setting {
	return map[string]setting{
		"model":       {groupFiles, "Folder of the model, or its id on the Hub (see --download).", "DIR", 'm'},
		"data":        {groupFiles, "File of rows, or a folder with train, valid and test files.", "PATH", 0},
		"output_dir":  {groupFiles, "Folder for the adapter.", "DIR", 'o'},
		"adapter":     {groupFiles, "Folder of a finished adapter to train on, into another folder: rank, alpha and targets come from it, and so do the model and the chat template where none is named.", "DIR", 0},
		"overwrite":   {groupFiles, "Replace the run in the output folder.", "", 0},
		"resume":      {groupFiles, "Resume the run in the output folder, with its settings, from the newest good checkpoint, or from the beginning if there is none.", "", 0},
		"resume_from": {groupFiles, "Resume from this checkpoint.", "DIR", 0},

		"num_train_epochs":            {groupLength, "Passes over the rows.", "N", 0},
		"max_steps":                   {groupLength, "Steps, in place of epochs (0: by epochs).", "N", 0},
		"batch_size":                  {groupLength, "Sequences of a step. Memory does not depend on it.", "N", 0},
		"gradient_accumulation_steps": {groupLength, "Multiplies batch-size.", "N", 0},

		"max_length":    {groupRows, "Tokens of a row at most.", "N", 0},
		"overlong":      {groupRows, "What becomes of longer rows: truncate, drop or error.", "WORD", 0},
		"train_on":      {groupRows, "What is learned: assistant (answers and completions), last (the last answer) or all.", "WORD", 0},
		"chat_template": {groupRows, "auto (the model's own, if it has one), none, or a file.", "WORD", 0},
		"map":           {groupRows, "Names of columns, such as prompt=question,completion=answer.", "PAIRS", 0},
		"date":          {groupRows, "The date that chat templates see, YYYY-MM-DD (default: today at the run's first start).", "DATE", 0},
		"val_split":     {groupRows, "Share of the rows kept for validation when there is no file for it; at most 100 rows, from 200 on.", "SHARE", 0},

		"lora_r":          {groupLora, "Rank.", "R", 0},
		"lora_alpha":      {groupLora, "The adapter is scaled by alpha/√r, or alpha/r without use-rslora; the plan says by how much.", "ALPHA", 0},
		"use_rslora":      {groupLora, "true scales by alpha/√r, false by alpha/r, auto as the method has it.", "WORD", 0},
		"target_modules":  {groupLora, "Projections, such as q_proj,v_proj, or all-linear.", "NAMES", 0},
		"exclude_modules": {groupLora, "Projections left out of target-modules: names, ends of whole names, or layers such as layers.0.", "NAMES", 0},
		"init":            {groupLora, "How the adapter starts: " + strings.Join(loraone.Names(), ", ") + ".", "WORD", 0},
		"init_samples":    {groupLora, "Rows of the initial gradient, a number or all.", "N", 0},
		"init_gamma":      {groupLora, "γ: the start's size is divided by it (0: the method's own, 128 for loraone, 64 for loraga).", "GAMMA", 0},

		"optimizer":         {groupOptim, "preconditioned-adamw, adamw, scaled-adamw (the form of LoRA-One's authors), adarankgrad (for init adarankgrad alone), or auto: adamw for loraplus and lorasb, adarankgrad for that, else the first.", "WORD", 0},
		"learning_rate":     {groupOptim, "Learning rate (0: the method's and optimizer's own: 4e-3 for adamw, 2e-3 for scaled-adamw, 5e-4 for loraplus and adarankgrad, 2e-2 for lorasb, and 0.56/(α·√k) for preconditioned-adamw with k targets, 0.0247 for q_proj,v_proj and α 16; α is lora_alpha, and lora_alpha/√r without use-rslora).", "RATE", 0},
		"lr_scheduler_type": {groupOptim, "constant, linear or cosine.", "WORD", 0},
		"warmup_steps":      {groupOptim, "Steps of rising rate; below 1 a share of all.", "N", 0},
		"weight_decay":      {groupOptim, "Decoupled weight decay.", "X", 0},
		"adam_beta1":        {groupOptim, "β₁ of the momentum (0: the optimizer's own, 0.8 for preconditioned-adamw, else 0.9).", "X", 0},
		"adam_beta2":        {groupOptim, "β₂ of the second moment (0: the optimizer's own, 0.99 for preconditioned-adamw, else 0.999).", "X", 0},
		"adam_epsilon":      {groupOptim, "ε of adamw and scaled-adamw.", "X", 0},
		"max_grad_norm":     {groupOptim, "Longer gradients are cut to this norm (0: never).", "X", 0},
		"precondition_reg":  {groupOptim, "λ of scaled-adamw.", "X", 0},
		"loraplus_lr_ratio": {groupOptim, "B's learning rate in A's, for adamw and scaled-adamw (0: the method's own, 16 for loraplus, else 1).", "X", 0},
		"seed":              {groupOptim, "Seed of order and start.", "N", 0},

		"eval_steps":              {groupReport, "Steps between evaluations, 0 for a tenth of the run, or auto: so that evaluations take a tenth of the time at most.", "N", 0},
		"eval_samples":            {groupReport, "Validation rows used during training, 0 for all, or auto: so many that evaluations take a tenth of the time at most, 100 at most.", "N", 0},
		"logging_steps":           {groupReport, "Steps between reports.", "N", 0},
		"save_steps":              {groupReport, "Steps between checkpoints; five minutes at most.", "N", 0},
		"save_total_limit":        {groupReport, "Checkpoints kept, each with the best adapter so far.", "N", 0},
		"early_stopping_patience": {groupReport, "Stop after so many evaluations without improvement (0: never).", "N", 0},
		"threads":                 {groupReport, "Threads (0: all cores). The result does not depend on it.", "N", 0},
		"compute":                 {groupReport, "f32, bf16 for products of bfloat16 numbers, or int8 for products of 8-bit integers, which moves the loss by less than a hundredth, where the CPU has them: other bits.", "WORD", 0},
		"memory":                  {groupReport, "Budget for what is allocated besides the mapped weights, such as 2GB: as many layers computed twice as it takes, then smaller micro-batches. The result does not depend on it.", "SIZE", 0},
		"score":                   {groupReport, "Let base and adapter answer the validation rows at the end, and compare: number (the last one), exact, contains, json, choice:A,B or regex:PATTERN with a group. A file takes a map of kind, pattern, choices, keys, max_tokens and samples as well.", "KIND", 0},
		"sample_prompts":          {groupReport, "File of prompts, or a number of validation rows: eight at most are answered at the start and at each evaluation, in 48 tokens each.", "FILE", 0},
		"profile":                 {groupReport, "Say where the time of a step goes.", "", 0},
		"report_to":               {groupReport, "none, or tensorboard: events for TensorBoard beside metrics.jsonl.", "WORD", 0},
		"progress":                {groupReport, "auto (bar on a terminal, log elsewhere), bar, log or none.", "WORD", 0},
	}
}

// A settable command has settings among its flags: keys lists them, and origin says
// where the value of one comes from that is not given; "" for its default.
type settable interface {
	settings() (keys []string, origin string)
}

// addSettings gives the commands the flags of their settings: each by its name and by
// those of other programs.
func addSettings(k *kong.Kong) error {
	words := settings()
	for _, node := range k.Model.Children {
		command, ok := node.Target.Addr().Interface().(settable)
		if !ok {
			continue
		}
		keys, origin := command.settings()
		for _, key := range keys {
			node.Flags = append(node.Flags, words[key].flag(key, origin))
		}
		if len(keys) < len(recipe.Keys()) {
			continue
		}
		for _, word := range recipe.Foreign() {
			f := newFlag(word)
			f.Hidden = true
			node.Flags = append(node.Flags, f)
		}
	}
	return nil
}

// newFlag returns the flag of a setting's name. Its target takes the text that is typed.
func newFlag(key string) *kong.Flag {
	v := &kong.Value{
		Name:   strings.ReplaceAll(key, "_", "-"),
		Mapper: settingMapper{key},
		Target: reflect.New(reflect.TypeFor[string]()).Elem(),
		Tag:    &kong.Tag{},
	}
	v.Flag = &kong.Flag{Value: v}
	return v.Flag
}

// flag is the flag with its place and its words.
func (s setting) flag(key, origin string) *kong.Flag {
	f := newFlag(key)
	f.PlaceHolder, f.Short, f.Help = s.placeholder, s.short, s.help
	f.Group = &kong.Group{Key: s.group, Title: s.group}
	for _, name := range recipe.Alternatives(key) {
		f.Aliases = append(f.Aliases, strings.ReplaceAll(name, "_", "-"))
	}
	c := recipe.Default()
	switch value := c.Text(key); {
	case origin != "":
		f.Help += " Default: " + origin + "."
	case recipe.Switches(key), value == "", value == "0" && (key == "memory" || strings.Contains(s.help, "(0: ")):
	default:
		f.Help += " Default " + value + "."
	}
	if len(f.Aliases) > 0 {
		f.Help += " Also --" + strings.Join(f.Aliases[:min(2, len(f.Aliases))], ", --") + "."
	}
	return f
}

// A settingMapper takes what is typed for a setting as it is: recipe reads it.
type settingMapper struct{ key string }

// IsBool reports whether the flag alone means true.
func (m settingMapper) IsBool() bool { return recipe.Switches(m.key) }

// Decode takes a flag's value: a negative number is one, names may be several words,
// and a switch may be followed by true or false.
func (m settingMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	value := ctx.Scan.Peek()
	text := value.String()
	alone := m.IsBool() || slices.Contains(recipe.Foreign(), m.key)
	given := !value.IsEOL() && (value.IsValue() || negative(text))
	if m.IsBool() && value.Type != kong.FlagValueToken {
		given = slices.Contains([]string{"true", "false"}, strings.ToLower(text))
	}
	switch {
	case given:
		ctx.Scan.Pop()
	case alone:
		text = "true"
	default:
		return errors.New("want a value")
	}
	for (m.key == "target_modules" || m.key == "exclude_modules") && ctx.Scan.Peek().IsValue() {
		text += "," + ctx.Scan.Pop().String()
	}
	target.SetString(text)
	return nil
}

// A typed setting is one of the command line.
type typedSetting struct{ key, text string }

// typed lists the settings of the command line, in its order.
func typed(ctx *kong.Context) (list []typedSetting) {
	for _, p := range ctx.Path {
		if p.Flag == nil {
			continue
		}
		if m, ok := p.Flag.Mapper.(settingMapper); ok {
			list = append(list, typedSetting{m.key, p.Flag.Target.String()})
		}
	}
	return list
}

// setTyped sets what was typed over what is there. All mistakes are reported together.
func setTyped(c *recipe.Config, list []typedSetting) error {
	return hint.Join(wrongSettings(c, list))
}

// wrongSettings sets what was typed, and lists what was not taken.
func wrongSettings(c *recipe.Config, list []typedSetting) (found []error) {
	for _, s := range list {
		if err := c.Set(s.key, s.text); err != nil {
			found = append(found, err)
		}
	}
	return found
}

// runFlags are the flags of the commands that know a run: a file of settings, and
// every setting.
type runFlags struct {
	ConfigFile path `name:"config" short:"c" group:"Files:" placeholder:"FILE" help:"Settings from a YAML file (see the run.yaml of any run); flags go over them."`
}

func (runFlags) settings() (keys []string, origin string) { return recipe.Keys(), "" }

// resolve returns the settings of a run: those of the file, else of the run that is to
// be resumed, and over them the flags.
func (f *runFlags) resolve(u *ui, ctx *kong.Context) (*recipe.Resolved, error) {
	flags := typed(ctx)
	c := recipe.Default()
	err := f.read(&c, flags)
	if dir := string(c.Adapter); err == nil && dir != "" && !c.Continues() { // once more, over what the adapter says
		c = recipe.Default()
		if err = train.ReadAdapter(&c, dir); err == nil {
			template := c.ChatTemplate
			if err = f.read(&c, flags); c.ChatTemplate == template && c.ChatTemplate != recipe.Default().ChatTemplate {
				c.Notes = append(c.Notes, fmt.Sprintf("chat_template: %s, as the adapter was trained with", template))
			}
		}
		if err == nil && !c.Continues() {
			c.Notes = append(c.Notes, fmt.Sprintf("init: %s is not done: the run begins where the adapter is", c.Init))
		}
	}
	if err != nil {
		return nil, err
	}
	if err := asBefore(&c); err != nil {
		return nil, err
	}
	return resolved(u, &c)
}

// read sets the settings of the file, else of the run that is to be resumed, and over
// them the flags. A length that is typed replaces the other kind of a file.
func (f *runFlags) read(c *recipe.Config, flags []typedSetting) (err error) {
	if f.ConfigFile != "" {
		err = c.ReadYAML(string(f.ConfigFile))
	} else {
		err = resumed(c, flags)
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(flags, func(s typedSetting) bool { return s.key == "num_train_epochs" }) {
		c.MaxSteps = 0
	}
	return setTyped(c, flags)
}

// rowFlags are the settings of train that decide what becomes of the rows.
type rowFlags struct{}

func (rowFlags) settings() (keys []string, origin string) {
	return []string{
		"model", "data", "map", "chat_template", "date", "max_length", "overlong", "train_on", "val_split", "seed", "threads",
	}, ""
}

// resolve returns the settings of a file, if there is one, with the flags that were
// typed over them.
func (rowFlags) resolve(u *ui, file string, ctx *kong.Context) (*recipe.Resolved, error) {
	c := recipe.Default()
	if file != "" {
		if err := c.ReadYAML(file); err != nil {
			return nil, err
		}
	}
	if err := setTyped(&c, typed(ctx)); err != nil {
		return nil, err
	}
	return resolved(u, &c)
}

// resumed sets the settings of the run that flags ask to resume, if they do.
func resumed(c *recipe.Config, flags []typedSetting) error {
	start := recipe.Default()
	start.OutputDir = ""
	if err := setTyped(&start, flags); err != nil {
		return err
	}
	if !start.Resuming() {
		return nil
	}
	given := start.OutputDir
	start.OutputDir = cmp.Or(given, c.OutputDir)
	found, folder, err := train.ReadSettings(c, &start)
	if err != nil {
		return err
	}
	if !found && start.Model == "" && start.Data == "" {
		return hint.New(fmt.Errorf("%s: no run to resume: it has no run.yaml", folder), "--model and --data begin one")
	}
	c.OutputDir = cmp.Or(given, folder) // it may have been moved
	return nil
}

// resolved resolves settings, and says what they need said.
func resolved(u *ui, c *recipe.Config) (*recipe.Resolved, error) {
	r, err := c.Resolve()
	if err == nil {
		tellNotes(u, &r.Config)
	}
	return r, err
}

// tellNotes says what settings need said.
func tellNotes(u *ui, c *recipe.Config) {
	for _, note := range c.Notes {
		u.warnf("%s", note)
	}
}

// asBefore sets what a run chooses when it begins and nobody has given: the date that
// templates see, today's, and how often and on how many rows it evaluates, once the rows are
// read. A run that is resumed has it.
func asBefore(c *recipe.Config) error {
	old := recipe.Default()
	if _, _, err := train.ReadSettings(&old, c); err != nil {
		return err
	}
	c.Date = cmp.Or(c.Date, old.Date, today())
	if c.EvalSteps == recipe.Chosen {
		c.EvalSteps = old.EvalSteps
	}
	if c.EvalSamples == recipe.Chosen {
		c.EvalSamples = old.EvalSamples
	}
	return nil
}

func today() string { return time.Now().Format(time.DateOnly) }
