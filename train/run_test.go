package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/finetune/internal/files"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

func TestRunWritesItsFolder(t *testing.T) {
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	s := o.session(t, c)
	var kinds []string
	s.Report = func(event any) {
		switch e := event.(type) {
		case Planned:
			if e.Steps != 14 || e.StepsPerEpoch != 7 || e.EvalEvery != 4 || e.InitSamples != 8 || e.EvalRows != 8 || e.Warmup != 1 || e.ResumedFrom != "" {
				t.Errorf("plan %+v", e)
			}
			if want := 2 * 4 * (32 + 32 + 32 + 16); e.Parameters != want {
				t.Errorf("%d parameters, want %d", e.Parameters, want)
			}
		case EvalProgress, InitProgress:
			return
		case Warning:
			t.Errorf("warning: %s", e.Text)
		}
		kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", event), "train."))
	}
	result := finishing(t, s, Finished)
	want := "Planned Evaluated Stepped Stepped Stepped Saved Stepped Evaluated Stepped Stepped Saved Stepped Stepped Evaluated Stepped Saved Stepped Stepped Stepped Saved Evaluated Stepped Stepped Evaluated Saved"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("events\n got %s\nwant %s", got, want)
	}
	if !(result.Best < result.Start && result.Start < result.Base) || result.Steps != 14 || !result.Validated {
		t.Errorf("result %+v", result)
	}
	checkNames(t, c.OutputDir)
	found, err := rundir.Look(c.OutputDir)
	if err != nil || len(found.Checkpoints) != 2 || found.Checkpoints[0].Step != 14 || found.Checkpoints[1].Step != 12 {
		t.Errorf("checkpoints %v, %v", found, err)
	}
	checkMetrics(t, c.OutputDir, result)
	checkProvenance(t, c, result)
}

func checkNames(t *testing.T, dir string) {
	t.Helper()
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"README.md", "adapter_config.json", "adapter_model.safetensors", "checkpoints", "finetune.json", "heldout.jsonl", "loss.svg", "metrics.jsonl", "run.yaml"}
	if p, err := rundir.ReadProvenance(dir); err == nil && !p.Validated {
		want = slices.DeleteFunc(want, func(name string) bool { return name == rundir.HeldOutFile })
	}
	if !slices.Equal(names, want) {
		t.Errorf("the folder holds %v, want %v", names, want)
	}
}

func checkMetrics(t *testing.T, dir string, result *Result) {
	t.Helper()
	lines, err := rundir.ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var steps, evals []int
	for _, m := range lines {
		switch {
		case m.Loss != nil:
			steps = append(steps, m.Step)
			if m.LearningRate == nil || m.GradNorm == nil || m.Tokens == 0 || math.Abs(m.Epoch-float64(m.Step/7)-float64(min(m.Step%7*4, 27))/27) > 1e-12 {
				t.Errorf("line %+v", m)
			}
		case m.EvalLoss != nil:
			evals = append(evals, m.Step)
		}
	}
	if !slices.Equal(steps, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}) || !slices.Equal(evals, []int{0, 4, 8, 12, 14}) {
		t.Errorf("steps %v, evaluations %v", steps, evals)
	}
	if first := lines[0]; first.Step != 0 || *first.BaseEvalLoss != result.Base || *first.EvalLoss != result.Start {
		t.Errorf("first line %+v", first)
	}
}

func checkProvenance(t *testing.T, c recipe.Config, result *Result) {
	t.Helper()
	p, err := rundir.ReadProvenance(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := files.SHA256(filepath.Join(c.Model, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Base.Files) != 1 || p.Base.Files[0] != (rundir.FileHash{Name: "model.safetensors", SHA256: sum}) || p.Base.Dir != c.Model || p.Version != "test" {
		t.Errorf("base %+v", p.Base)
	}
	if len(p.Init.Modules) != 4 || p.Best != result.Best || p.Data.Train.Kept != 27 || p.Data.Validation.Kept != 8 || len(p.Data.Files) != 2 {
		t.Errorf("provenance %+v", p)
	}
	back := recipe.Default()
	if err := back.ReadYAML(filepath.Join(c.OutputDir, "run.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := back.Resumes(&p.Recipe); err != nil {
		t.Error(err)
	}
	card, err := os.ReadFile(filepath.Join(c.OutputDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"library_name: peft", "PeftModel.from_pretrained(base, ", "finetune generate --model", "`train.jsonl`: 27 rows", "| base model | ", "lora_r: 4"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("no %q in the card:\n%s", want, card)
		}
	}
	if strings.Contains(string(card), c.OutputDir) || strings.Contains(string(card), c.Model) || strings.Contains(string(card), "%!") {
		t.Errorf("a folder of this machine in the card:\n%s", card)
	}
}

// TestBitsDependOnSettingsAlone runs the same settings on other threads, with
// other layouts of memory and with accumulation.
func TestBitsDependOnSettingsAlone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	first := filepath.Join(dir, "first")
	o.run(t, o.config(first))
	layout := func(tokens, logits, recompute int) model.Layout {
		return model.Layout{MicroBatch: tokens, Logits: logits, Recompute: recompute}
	}
	for _, v := range []struct {
		threads, batch, accumulate int
		layout                     model.Layout
	}{
		{1, 4, 1, layout(512, 256, 0)},
		{2, 4, 1, layout(64, 1, 0)},
		{3, 4, 1, layout(256, 7, 0)},
		{2, 4, 1, layout(1024, 256, 0)},
		{1, 4, 1, layout(1, 256, 0)},
		{2, 1, 4, layout(512, 256, 1)},
		{2, 2, 2, layout(100, 30, 4)},
	} {
		name := fmt.Sprintf("%d threads, %+v, batch %d×%d", v.threads, v.layout, v.batch, v.accumulate)
		o.threads, o.layout = v.threads, v.layout
		c := o.config(filepath.Join(dir, name))
		c.BatchSize, c.GradientAccumulationSteps = v.batch, v.accumulate
		o.run(t, c)
		sameFile(t, name, first, c.OutputDir, "adapter_model.safetensors")
		sameFile(t, name, first, c.OutputDir, "metrics.jsonl")
	}
}

func TestSeedsDiffer(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	var adapters []string
	for _, seed := range []uint64{1, 2} {
		c := o.config(filepath.Join(dir, fmt.Sprint(seed)))
		c.Seed = seed
		o.run(t, c)
		text, err := os.ReadFile(filepath.Join(c.OutputDir, "adapter_model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		adapters = append(adapters, string(text))
	}
	if adapters[0] == adapters[1] {
		t.Error("two seeds give the same adapter")
	}
}

func TestRunWithoutValidationAndWithPlainLoRA(t *testing.T) {
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.Data = filepath.Join(o.data, "train.jsonl")
	c.Init, c.Optimizer, c.LRSchedulerType, c.MaxSteps, c.LoggingSteps = "lora", "adamw", "cosine", 5, 2
	result := o.run(t, c)
	if result.Validated || result.Steps != 5 || result.BestStep != 5 || result.Base != 0 || !(result.TrainLoss > 0) {
		t.Errorf("result %+v", result)
	}
	lines, err := rundir.ReadMetrics(filepath.Join(c.OutputDir, "metrics.jsonl"))
	if err != nil || len(lines) != 3 || lines[0].Step != 2 || lines[2].Step != 5 {
		t.Errorf("metrics %+v, %v", lines, err)
	}
	c.EarlyStopping, c.Overwrite = 1, true
	_, err = o.open(t, c)
	expect(t, "early stopping", err, "early_stopping_patience needs validation rows", "put a valid.jsonl beside train.jsonl, of any number of rows; val_split takes some from 200 training rows on")
}

func TestPlainLoRAStartsAtTheBase(t *testing.T) {
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.Init, c.MaxSteps = "lora", 2
	result := o.run(t, c)
	if result.Start != result.Base {
		t.Errorf("start %v, base %v", result.Start, result.Base)
	}
	s := o.session(t, c) // the shortcut of evaluate holds in bits
	r := s.newRun(nil)
	adapters, _, err := loraone.Start(t.Context(), r.engine, c.Lora(), nil, loraone.StartOptions{Seed: c.Seed})
	if err != nil {
		t.Fatal(err)
	}
	adapters.Attach(r.engine)
	if loss, _, err := r.evalLoss(context.Background()); err != nil || loss != result.Base {
		t.Errorf("with B = 0: %v, %v, want %v", loss, err, result.Base)
	}
}

// A start that is worse than the base is halved; the run says so, and finetune.json too.
func TestStartThatIsWorseThanTheBaseIsHalved(t *testing.T) {
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.InitGamma, c.MaxSteps = 0.2, 2
	s, said := o.session(t, c), ""
	s.Report = func(e any) {
		if w, ok := e.(Warning); ok && strings.Contains(w.Text, "and was halved") {
			said = w.Text
		}
	}
	finishing(t, s, Finished)
	p, err := rundir.ReadProvenance(c.OutputDir)
	if err != nil {
		t.Fatal(err)
	}
	start := p.Init
	if start.Halvings < 1 || !(start.StartLoss <= start.BaseLoss) {
		t.Errorf("halved %d times: %g, %g for the base", start.Halvings, start.StartLoss, start.BaseLoss)
	}
	if want := fmt.Sprintf("higher than the base's, %.4f, and was halved %s: it is %.4f now", start.BaseLoss, times(start.Halvings), start.StartLoss); !strings.Contains(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestBestStepIsSavedAndStopsEarly(t *testing.T) {
	o := newOffice(t)
	// What is learned is no help here.
	put(t, filepath.Join(o.data, "valid.jsonl"), `{"prompt": "ab", "completion": "QZJ"}`+"\n")
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.LearningRate, c.LRSchedulerType, c.MaxSteps, c.EvalSteps, c.EarlyStopping = 0.02, "constant", 40, 1, 2
	s := o.session(t, c)
	warned := false
	s.Report = func(e any) {
		if w, ok := e.(Warning); ok && strings.Contains(w.Text, "no step made the validation loss lower than the start") {
			warned = true
		}
	}
	result := finishing(t, s, Finished)
	if !result.StoppedEarly || result.Steps >= 40 || result.Steps != result.BestStep+2 || !(result.Best < result.Last) {
		t.Errorf("result %+v", result)
	}
	if warned != (result.BestStep == 0) {
		t.Errorf("best step %d, warned %v", result.BestStep, warned)
	}
}

func TestDivergenceStopsBeforeTheAdapterIsTouched(t *testing.T) {
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.Optimizer = "adamw" // the default survives any rate, by its damping
	c.LearningRate, c.SaveSteps, c.EvalSteps = 1e30, 1, 100
	err := o.fails(t, c)
	expect(t, "a rate of 1e30", err, "step 2: ", "a lower learning_rate (1e+30) or max_grad_norm; the checkpoints before it are good")
	if err == nil || !strings.Contains(err.Error(), "train.jsonl:") || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("no row named: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(content(t, filepath.Join(c.OutputDir, "nonfinite-step-000002.jsonl"))), "\n")
	var bad suspect
	if err := json.Unmarshal([]byte(lines[0]), &bad); err != nil || !strings.Contains(bad.Row, "train.jsonl:") || len(bad.Tokens) == 0 || len(bad.Tokens) != len(bad.Mask) {
		t.Errorf("%+v, %v", bad, err)
	}
	noAdapter(t, c.OutputDir)
	c.Resume = true
	found, err := look(t, c)
	if err != nil || !found.Resumes() {
		t.Fatalf("%+v, %v", found, err)
	}
	if st, err := readState(found.checkpoints[0].Path); err != nil || st.Step != 1 {
		t.Errorf("the last good state: %+v, %v", st, err)
	}
}

func TestVocabularyIsChecked(t *testing.T) {
	d := &Data{Train: &data.Set{MaxID: 264, MaxIDAt: data.Origin{File: "train.jsonl", Line: 7}}}
	if err := d.checkVocabulary(265); err != nil {
		t.Error(err)
	}
	expect(t, "an id too large", d.checkVocabulary(264), "train.jsonl:7: token id 264, but the model's vocab_size is 264",
		"tokenizer.json and config.json are of different models, or the chat template uses tokens the model lacks")
}

func TestCheckpointsComeByTheClockToo(t *testing.T) {
	o := newOffice(t)
	now := time.Unix(0, 0)
	o.clock = func() time.Time { now = now.Add(50 * time.Second); return now }
	c := o.config(filepath.Join(t.TempDir(), "out"))
	c.SaveSteps, c.SaveTotalLimit, c.MaxSteps = 1000, 1000, 14
	s := o.session(t, c)
	saved := 0
	s.Report = func(e any) {
		if _, ok := e.(Saved); ok {
			saved++
		}
	}
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if saved < 4 || saved > 13 {
		t.Errorf("%d checkpoints in %v", saved, now.Sub(time.Unix(0, 0)))
	}
}

func TestAReadmeOfTheUserStays(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "README.md"), "my notes\n")
	c := o.config(dir)
	c.MaxSteps = 1
	s := o.session(t, c)
	warned := false
	s.Report = func(e any) {
		if w, ok := e.(Warning); ok && strings.Contains(w.Text, "README.md is not of a run") {
			warned = true
		}
	}
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil || string(text) != "my notes\n" || !warned {
		t.Errorf("README.md is %q, %v, warned %v", text, err, warned)
	}
}
