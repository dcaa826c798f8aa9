package train

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/loraone/peft"
	"example.com/finetune/model"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// following is config for training an adapter on.
func (o *office) following(t testing.TB, adapter, out string) recipe.Config {
	t.Helper()
	c := o.config(out)
	if err := ReadAdapter(&c, adapter); err != nil {
		t.Fatal(err)
	}
	c.Model = o.model
	return c
}

// lossWith is the validation loss with an adapter as files have it.
func (o *office) lossWith(t testing.TB, adapter string) float64 {
	t.Helper()
	s := o.session(t, o.config(filepath.Join(t.TempDir(), "none")))
	a, err := peft.Load(adapter, s.Model.Config)
	if err != nil {
		t.Fatal(err)
	}
	e := model.NewEngine(s.Model, s.Pool)
	a.Attach(e)
	losses, err := RowLosses(t.Context(), e, s.eval, nil)
	if err != nil {
		t.Fatal(err)
	}
	loss, _ := PerToken(losses)
	return loss
}

// reconfigured copies an adapter, with other values in its configuration and without what
// says that finetune made it.
func reconfigured(t testing.TB, adapter string, changes map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	var config map[string]any
	text, err := os.ReadFile(filepath.Join(adapter, rundir.AdapterConfig))
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		config[key] = value
	}
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, rundir.AdapterConfig), string(text))
	if text, err = os.ReadFile(filepath.Join(adapter, rundir.AdapterWeights)); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, rundir.AdapterWeights), string(text))
	return dir
}

// TestTrainingAnAdapterOn: a run begins at the loss of the adapter as it is read, whatever
// its scale, makes it lower, and has the same bits when it is interrupted and resumed.
func TestTrainingAnAdapterOn(t *testing.T) {
	t.Parallel()
	o, dir := newOffice(t), t.TempDir()
	first := o.config(filepath.Join(dir, "first"))
	o.run(t, first)
	for name, adapter := range map[string]string{
		"our own":          first.OutputDir,
		"another scale":    reconfigured(t, first.OutputDir, map[string]any{"lora_alpha": 1.5}),
		"rsLoRA":           reconfigured(t, first.OutputDir, map[string]any{"lora_alpha": 3, "use_rslora": true}),
		"scales by module": reconfigured(t, first.OutputDir, map[string]any{"alpha_pattern": map[string]any{"layers.0.self_attn.q_proj": 1}}),
		"a pattern":        reconfigured(t, first.OutputDir, map[string]any{"target_modules": ".*_proj"}),
		"negative":         reconfigured(t, first.OutputDir, map[string]any{"lora_alpha": -2}),
		"zero":             reconfigured(t, first.OutputDir, map[string]any{"lora_alpha": 0}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			want := o.lossWith(t, adapter)
			whole := o.following(t, adapter, filepath.Join(dir, "whole"))
			result := o.run(t, whole)
			if math.Abs(result.Start-want) > 1e-6*want {
				t.Errorf("it begins at %g, the adapter's loss is %g", result.Start, want)
			}
			if !(result.Best < result.Start) {
				t.Errorf("the loss went from %g to %g", result.Start, result.Best)
			}
			p, err := rundir.ReadProvenance(whole.OutputDir)
			if err != nil || p.Adapter == nil || p.Adapter.Dir != adapter || len(p.Adapter.Files) != 2 || p.Init != nil || p.Recipe.Init != recipe.Continued {
				t.Errorf("finetune.json has %+v, %v", p.Adapter, err)
			}
			resumed := o.following(t, adapter, filepath.Join(dir, "resumed"))
			o.interrupt(t, resumed, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 5 })
			resumed.Resume = true
			o.run(t, resumed)
			for _, name := range []string{rundir.AdapterWeights, rundir.AdapterConfig, rundir.MetricsFile} {
				sameFile(t, "resumed", whole.OutputDir, resumed.OutputDir, name)
			}
		})
	}
}

// TestAdapterOfSomeModules: ranks and the modules there are come from the adapter.
func TestAdapterOfSomeModules(t *testing.T) {
	t.Parallel()
	o, dir := newOffice(t), t.TempDir()
	first := o.config(filepath.Join(dir, "first"))
	first.ExcludeModules, first.NumTrainEpochs = recipe.Names{"layers.0.self_attn.q_proj"}, 1
	o.run(t, first)
	second := o.following(t, first.OutputDir, filepath.Join(dir, "second"))
	second.NumTrainEpochs = 1
	result := o.run(t, second)
	if want := o.lossWith(t, first.OutputDir); math.Abs(result.Start-want) > 1e-6*want {
		t.Errorf("it begins at %g, the adapter's loss is %g", result.Start, want)
	}
	sameFile(t, "modules", first.OutputDir, second.OutputDir, rundir.AdapterConfig)
	s := o.session(t, second)
	if s.Plan.LeftOut != 1 || s.Plan.InitSamples != 0 {
		t.Errorf("the plan leaves %d out and has %d rows for a start", s.Plan.LeftOut, s.Plan.InitSamples)
	}
	p, err := rundir.ReadProvenance(second.OutputDir)
	if err != nil || p.Parameters != s.Plan.Parameters {
		t.Errorf("%d parameters, planned %d (%v)", p.Parameters, s.Plan.Parameters, err)
	}
}

// TestAdaptersThatDoNotFit: what contradicts the adapter, would write over it, or has
// changed since, is refused with a way on.
func TestAdaptersThatDoNotFit(t *testing.T) {
	t.Parallel()
	o, dir := newOffice(t), t.TempDir()
	first := o.config(filepath.Join(dir, "first"))
	first.MaxSteps = 2
	o.run(t, first)
	shape, err := model.ReadConfig(o.model)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		change       func(c *recipe.Config)
		want, advice string
	}{
		{func(c *recipe.Config) { c.LoraR = 8 }, "lora_r is 8, and it is 4 in the adapter to train on, " + first.OutputDir, "leave lora_r out, or set it to 4: it comes from the adapter"},
		{func(c *recipe.Config) { c.LoraAlpha = 8 }, "lora_alpha is 8, and it is 16 in", "leave lora_alpha out, or set it to 16: it comes from the adapter"},
		{func(c *recipe.Config) { c.UseRSLoRA = recipe.Off }, "use_rslora is false, and it is true in", "leave use_rslora out, or set it to true: it comes from the adapter"},
		{func(c *recipe.Config) { c.TargetModules = recipe.Names{"q_proj"} }, "the adapter has a module of model.layers.0.self_attn.v_proj, which target_modules and exclude_modules leave out", "leave target_modules and exclude_modules out: they come from the adapter"},
		{func(c *recipe.Config) { c.TargetModules = recipe.Names{"all-linear"} }, "target_modules has k_proj, and the adapter has no module of it", "leave target_modules and exclude_modules out: they come from the adapter"},
		{func(c *recipe.Config) { c.ExcludeModules = recipe.Names{"layers.1"} }, "the adapter has a module of model.layers.1.self_attn.q_proj", "leave target_modules and exclude_modules out: they come from the adapter"},
		{func(c *recipe.Config) { c.Adapter = "nowhere" }, "nowhere: not an adapter", "--adapter names the folder that holds adapter_config.json and adapter_model.safetensors"},
		{func(c *recipe.Config) { c.Adapter += "/adapter_model.safetensors" }, "adapter_model.safetensors is a file, want its folder", "--adapter " + first.OutputDir},
	} {
		c := o.following(t, first.OutputDir, filepath.Join(dir, "second"))
		x.change(&c)
		_, _, err := Begin(resolved(t, c), shape)
		expect(t, x.want, err, x.want, x.advice)
	}
	over := o.following(t, first.OutputDir, filepath.Join(dir, ".", "first"))
	over.Overwrite = true
	_, err = look(t, over)
	expect(t, "over itself", err, "is the adapter to train on and the output folder: it would be written over", "--output-dir "+first.OutputDir+"-2 keeps both")

	from := o.config(filepath.Join(dir, "from"))
	from.ResumeFrom = first.OutputDir
	_, err = look(t, from)
	expect(t, "no checkpoint", err, "resume_from: "+first.OutputDir+" is a finished adapter, no checkpoint", "--adapter "+first.OutputDir+" trains it on, into another folder")

	other := first
	other.Resume, other.Data = true, tinyData(t)
	put(t, filepath.Join(other.Data, "train.jsonl"), `{"prompt": "new", "completion": "rows"}`+"\n")
	_, err = look(t, other)
	expect(t, "new rows", err, filepath.Join(other.Data, "train.jsonl")+" is not the file that the finished run in", "--adapter "+first.OutputDir+" --output-dir "+first.OutputDir+"-2 trains its adapter on, on these rows")

	second := o.following(t, first.OutputDir, filepath.Join(dir, "second"))
	o.interrupt(t, second, func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 2 })
	again := first
	again.Overwrite, again.Seed = true, 7
	o.run(t, again)
	second.Resume = true
	expect(t, "changed", o.fails(t, second), "adapter_model.safetensors of the adapter that the run began from is not the file that", "put the old file back, or name it with --adapter; --overwrite begins again")
}

// TestAdapterOfAnotherBase: the digests of both bases are named, and the run goes its way.
func TestAdapterOfAnotherBase(t *testing.T) {
	t.Parallel()
	o, dir := newOffice(t), t.TempDir()
	first := o.config(filepath.Join(dir, "first"))
	first.MaxSteps = 2
	o.run(t, first)
	for _, other := range []bool{false, true} {
		if other {
			o.model = tinyModel(t, 2)
		}
		s := o.session(t, o.following(t, first.OutputDir, filepath.Join(t.TempDir(), "second")))
		warned := ""
		s.Report = func(e any) {
			if w, ok := e.(Warning); ok && strings.Contains(w.Text, "the base here is another") {
				warned = w.Text
			}
		}
		if out, err := s.Run(context.Background()); err != nil || out.Ending != Finished {
			t.Fatal(out, err)
		}
		if (warned != "") != other {
			t.Fatalf("another base %v: warned %q", other, warned)
		}
		if p, err := rundir.ReadProvenance(first.OutputDir); other && (err != nil || !strings.Contains(warned, p.Base.Files[0].SHA256[:12]) || !strings.Contains(warned, p.Base.Name) || !strings.Contains(warned, o.model)) {
			t.Errorf("warned %q", warned)
		}
	}
}
