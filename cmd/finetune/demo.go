package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"

	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/generate"
	"example.com/finetune/train/recipe"
)

const (
	demoDir    = "finetune-demo"
	demoPrompt = "Once upon a time, there was a little boy named Tim." // no row of the data has a Tim
	demoTokens = 120                                                   // of each text; a story has about that many
)

type demoCommand struct{}

func (demoCommand) Help() string {
	return `Teaches a very small model something new, and writes what it used and made to ` + demoDir + ` here: a model, data and an adapter, ` +
		`for every other command to be tried on. A second demo replaces the first, and nothing that is yours.

For example:

    finetune demo
`
}

// demoConfig are the settings of the demo: a model this small wants all projections.
func demoConfig() (*recipe.Resolved, error) {
	c := recipe.Default()
	c.Model, c.Data, c.OutputDir = filepath.Join(demoDir, "model"), filepath.Join(demoDir, "data"), filepath.Join(demoDir, "adapter")
	c.MaxSteps, c.EvalSteps, c.EvalSamples = 60, 20, 0
	c.TargetModules = recipe.Names{"all-linear"}
	c.Overwrite = true
	c.Date = today()
	return c.Resolve()
}

// Run does the whole job and shows it.
func (demoCommand) Run(u *ui) error {
	start := time.Now()
	if err := unpackDemo(demoDir); err != nil {
		return err
	}
	c, err := demoConfig()
	if err != nil {
		return err
	}
	if _, err := train.Look(c); err != nil {
		return err
	}
	j, err := newJob(u, c)
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.readRows(u); err != nil {
		return err
	}
	limitHeap(train.GarbagePercent, c.Memory)
	if err := j.introduce(u); err != nil {
		return err
	}
	if err := j.trainDemo(u); err != nil {
		return err
	}
	if err := sealDemo(demoDir); err != nil {
		return err
	}
	return printCommands(u, time.Since(start))
}

// introduce says what will happen and shows a story of the untrained model.
func (j *job) introduce(u *ui) error {
	s := j.data.Train.Stats
	err := u.printf(`A language model of 260,000 parameters writes stories for small children. It is
to learn one thing: in every story, a little robot named Bip comes and helps.

%s    stories260K, %s/model
%s     %d short stories with Bip, %s; %d more to validate

`, u.bold("model"), demoDir, u.bold("data"), s.Kept, many(s.Tokens, "token"), j.data.Valid.Len())
	if err != nil {
		return err
	}
	return j.tell(u, model.NewEngine(j.Weights, j.Pool), "before")
}

// trainDemo trains, draws the losses, and shows a story of the adapter as it was
// written.
func (j *job) trainDemo(u *ui) error {
	if err := u.printf("%s\n", u.bold(fmt.Sprintf("training %d steps of %d stories", j.settings.MaxSteps, j.settings.BatchSize))); err != nil {
		return err
	}
	curve := &demoCurve{reporter: newReporter(u, recipe.ProgressAuto)}
	outcome, err := j.run(context.Background(), curve)
	if err != nil {
		return err
	}
	if err := curve.plot(u); err != nil {
		return err
	}
	if err := printLosses(u, outcome.Result); err != nil {
		return err
	}
	adapters, err := peft.Load(j.settings.OutputDir, j.Config)
	if err != nil {
		return err
	}
	engine := model.NewEngine(j.Weights, j.Pool)
	adapters.Attach(engine)
	return j.tell(u, engine, "after")
}

// tell shows the prompt and how the model goes on from it.
func (j *job) tell(u *ui, engine *model.Engine, when string) error {
	g := generate.New(engine, j.Tokenizer)
	prompt, err := g.Text(demoPrompt)
	if err != nil {
		return err
	}
	var text strings.Builder
	answer, err := g.Write(context.Background(), prompt, generate.Options{Limit: demoTokens}, func(s string) error {
		text.WriteString(s)
		return nil
	})
	if err != nil {
		return err
	}
	story := strings.Join(strings.Fields(text.String()), " ")
	if !answer.Ended {
		story = story[:strings.LastIndexAny(story, ".!?")+1] + " …"
	}
	return u.printf("%s\n%s\n", u.bold(fmt.Sprintf("%-8s “%s”", when, demoPrompt)), indent(story, "  ", 80))
}

// indent breaks text into lines of at most width columns that begin with prefix.
func indent(text, prefix string, width int) string {
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(prefix+line+" "+word)) > width {
			b.WriteString(prefix + line + "\n")
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return b.String() + prefix + line + "\n"
}

// A demoCurve reports a run and keeps its losses.
type demoCurve struct {
	*reporter
	losses []float64
}

func (d *demoCurve) report(event any) {
	if e, ok := event.(train.Stepped); ok {
		d.losses = append(d.losses, e.Loss)
	}
	d.reporter.report(event)
}

// plot draws the training losses.
func (d *demoCurve) plot(u *ui) error {
	options := []asciigraph.Option{
		asciigraph.Height(8), asciigraph.Width(60), asciigraph.Precision(2), asciigraph.LowerBound(0),
		asciigraph.Caption(fmt.Sprintf("training loss per token, steps 1 to %d", len(d.losses))),
	}
	if u.colours {
		options = append(options, asciigraph.SeriesColors(asciigraph.Green))
	}
	return u.printf("\n%s\n\n", asciigraph.Plot(d.losses, options...))
}

func printCommands(u *ui, took time.Duration) error {
	model, data, adapter := demoDir+"/model", demoDir+"/data", demoDir+"/adapter"
	p := program()
	return u.printf(`That took %s. Hugging Face PEFT loads %s as it is.

%s
  %s generate --adapter %s --prompt "Once upon a time, there was a girl named Zoe." --max-tokens 150
  %s check --model %s --data %s --show 1
  %s eval --adapter %s --data %s
  %s train --model %s --data %s --output-dir my-adapter
`, duration(took), adapter, u.bold("Now try"), p, adapter, p, model, data, p, adapter, data, p, model, data)
}

// demoFiles are the model (stories260K, MIT) and the rows of the demo.
//
//go:embed demo/data/*.jsonl
//go:embed demo/model/LICENSE demo/model/README.md demo/model/*.json demo/model/model.safetensors
var demoFiles embed.FS

// demoManifest names every file that the demo wrote, so that a second demo
// replaces those and nothing else.
const demoManifest = "demo.json"

// A manifest is the content of demo.json.
type manifest struct {
	Complete bool              `json:"complete"` // until then any file below adapter/ is the demo's
	Files    map[string]string `json:"files"`    // SHA-256 by path with slashes
}

// unpackDemo writes model and data into dir, in place of an earlier demo's. Files
// that the demo did not write, or that were changed since, are an error.
func unpackDemo(dir string) error {
	old, err := ownFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	content, m := map[string][]byte{}, manifest{Files: map[string]string{}}
	err = fs.WalkDir(demoFiles, "demo", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(p, "demo/")
		content[name], err = demoFiles.ReadFile(p)
		m.Files[name] = digest(content[name])
		return err
	})
	if err != nil {
		return err
	}
	if err := m.write(dir); err != nil {
		return err
	}
	for name, data := range content {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := files.Write(file, data); err != nil {
			return err
		}
	}
	return nil
}

// sealDemo notes all files that are there as the demo's.
func sealDemo(dir string) error {
	m := manifest{Complete: true, Files: map[string]string{}}
	err := walkFiles(dir, func(name string, _ fs.DirEntry) error {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		m.Files[name] = digest(data)
		return err
	})
	if err != nil {
		return err
	}
	return m.write(dir)
}

// ownFiles lists the files of dir. It is an error if one is not the demo's.
func ownFiles(dir string) ([]string, error) {
	var own, foreign []string
	m := manifest{}
	text, err := os.ReadFile(filepath.Join(dir, demoManifest))
	if err == nil && json.Unmarshal(text, &m) != nil {
		m = manifest{}
	}
	err = walkFiles(dir, func(name string, d fs.DirEntry) error {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		running := !m.Complete && m.Files != nil && strings.HasPrefix(name, "adapter/")
		if d.Type().IsRegular() && (running || m.Files[name] == digest(data)) {
			own = append(own, name)
		} else {
			foreign = append(foreign, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(foreign) > 0 {
		slices.Sort(foreign)
		more := ""
		if n := len(foreign) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return nil, hint.New(fmt.Errorf("%s%s: not written by the demo, or changed since", filepath.Join(dir, foreign[0]), more),
			"move "+dir+" away, or run the demo in another folder")
	}
	return own, nil
}

// walkFiles calls f for each file below dir but the manifest. A folder that is
// not there has none.
func walkFiles(dir string, f func(name string, d fs.DirEntry) error) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s: a file, where the demo wants its folder", dir)
	}
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if name = filepath.ToSlash(name); err != nil || name == demoManifest {
			return err
		}
		return f(name, d)
	})
}

func (m manifest) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, demoManifest), append(text, '\n'))
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
