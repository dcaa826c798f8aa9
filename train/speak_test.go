package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// speaking is a run that shows samples and scores answers.
func (o *office) speaking(t *testing.T, out string) recipe.Config {
	t.Helper()
	c := o.config(out)
	for key, text := range map[string]string{"sample_prompts": "3", "score": "{kind: contains, max_tokens: 5, samples: 6}"} {
		if err := c.Set(key, text); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// What a run says changes no bit of its adapter, nor of its losses; what it said is in its
// files, and is the same after an interruption in any of it.
func TestSpeakingChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	dir := t.TempDir()
	silent, whole := filepath.Join(dir, "silent"), filepath.Join(dir, "whole")
	o.run(t, o.config(silent))
	r := o.run(t, o.speaking(t, whole))
	sameFile(t, "speaking", silent, whole, "adapter_model.safetensors")
	sameFile(t, "speaking", silent, whole, "loss.svg")
	if a := r.Answers; a == nil || a.Asked != 6 || a.Score != "contains" || a.MaxTokens != 5 {
		t.Errorf("answers: %+v", a)
	}
	lines, err := rundir.ReadMetrics(filepath.Join(whole, rundir.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	sampled := 0
	for _, m := range lines {
		if (m.EvalLoss != nil) != (len(m.Samples) == 3) {
			t.Errorf("step %d: %d samples", m.Step, len(m.Samples))
		}
		for _, s := range m.Samples {
			sampled++
			if !strings.Contains(s.Prompt, "10") || s.Answer == "" {
				t.Errorf("%+v", s)
			}
		}
	}
	if sampled != 15 {
		t.Errorf("%d samples, want 3 at each of 5 evaluations", sampled)
	}
	rows, err := rundir.ReadHeldOut(whole)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, row := range rows {
		if row.Answers != nil {
			asked++
		}
	}
	if asked != 6 {
		t.Errorf("%d rows have a verdict, want 6", asked)
	}
	for name, when := range map[string]func(any) bool{
		"sampled":  func(e any) bool { s, ok := e.(Sampled); return ok && s.Step == 8 },
		"scored":   func(e any) bool { p, ok := e.(AnswerProgress); return ok && p.Done == 2 },
		"training": func(e any) bool { s, ok := e.(Stepped); return ok && s.Step == 9 },
	} {
		c := o.speaking(t, filepath.Join(dir, name))
		o.threads = 1
		o.interrupt(t, c, when)
		c.Resume = true
		o.threads = 2
		o.run(t, c)
		for _, file := range []string{"adapter_model.safetensors", "metrics.jsonl", "heldout.jsonl"} {
			sameFile(t, name, whole, c.OutputDir, file)
		}
	}
}

// Prompts of a file are asked too, and a budget of memory bounds how many at once.
func TestSamplesOfAFile(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.config(filepath.Join(t.TempDir(), "run"))
	c.MaxSteps, c.SamplePrompts = 1, filepath.Join(t.TempDir(), "prompts.txt")
	put(t, c.SamplePrompts, strings.Repeat("abab\n", 11))
	speaking := o.session(t, c)
	said := ""
	speaking.Report = func(event any) {
		if w, ok := event.(Warning); ok {
			said += w.Text
		}
	}
	r := finishing(t, speaking, Finished)
	if want := "sample_prompts: 8 of 11 are answered, and 8 at most"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	lines, err := rundir.ReadMetrics(filepath.Join(r.Dir, rundir.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	if s := lines[0].Samples; len(s) != mostSamples || s[0].Prompt != "abab" || s[0] != s[7] {
		t.Errorf("%+v", s)
	}
	s := o.session(t, o.config(filepath.Join(t.TempDir(), "run")))
	plain := s.Plan.AllocatedBytes
	if s.Plan.TextBytes != 0 {
		t.Errorf("a silent run plans %d bytes for texts", s.Plan.TextBytes)
	}
	one := s.Model.Config.TextBytes(1)
	c = o.speaking(t, filepath.Join(t.TempDir(), "run"))
	if p := o.session(t, c).Plan; p.TextBytes != 8*one || p.AllocatedBytes <= plain {
		t.Errorf("%d bytes for texts, want %d", p.TextBytes, 8*one)
	}
}

func TestNothingToSay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, c := range []struct{ key, text, want, advice string }{
		{"score", "regex:x(y)", "score: none of the 8 validation rows asks for an answer that regex can score", "a row has a prompt and an answer; score: exact compares any text"},
		{"sample_prompts", "none.txt", "sample_prompts: opening the prompts: open", ""},
	} {
		d := o.config(filepath.Join(t.TempDir(), "run"))
		if err := d.Set(c.key, c.text); err != nil {
			t.Fatal(err)
		}
		_, err := o.open(t, d)
		expect(t, c.key, err, c.want, c.advice)
	}
	if err := os.Remove(filepath.Join(o.data, "valid.jsonl")); err != nil {
		t.Fatal(err)
	}
	_, err := o.open(t, o.speaking(t, filepath.Join(t.TempDir(), "run")))
	expect(t, "without rows", err, "score needs validation rows", "put a valid.jsonl beside train.jsonl, of any number of rows; val_split takes some from 200 training rows on")
}
