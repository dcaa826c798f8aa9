package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/report"
)

func shape() *model.Config {
	return &model.Config{HiddenSize: 576, IntermediateSize: 1536, NumHiddenLayers: 30, NumAttentionHeads: 9, NumKeyValueHeads: 3, HeadDim: 64, MaxPositionEmbeddings: 2048}
}

// proposed are the settings for rows of some length.
func proposed(t *testing.T, reports ...*data.Report) *proposal {
	t.Helper()
	c := recipe.Default()
	c.Model, c.Data = "m", "d"
	page := &report.CheckPage{}
	for _, r := range reports {
		page.Files = append(page.Files, report.CheckedFile{Use: "train", Report: r})
	}
	settings, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	p := propose(&rowJob{config: settings, name: "m", shape: shape()}, page, map[string]bool{})
	if _, err := p.config.Resolve(); err != nil {
		t.Fatal(err)
	}
	return p
}

func rows(rows, longest, p99, validation int) *data.Report {
	return &data.Report{
		Path: "train.jsonl", Stats: data.Stats{Rows: rows, Kept: rows}, Validation: validation,
		Lengths: data.Lengths{Longest: longest, P99: p99},
	}
}

// Settings follow from what the rows are.
func TestPropose(t *testing.T) {
	for _, c := range []struct {
		what                               string
		rows, longest, p99, validation     int
		maxLength, batch, evalSteps, saves int
		epochs, split                      float64
		why                                map[string]string
	}{
		{"three rows", 3, 20, 20, 0, 32, 2, 0, 10, 10, 0, map[string]string{"max_length": "The longest row has 20.", "num_train_epochs": "3 rows in batches of 2 make 2 steps a pass, 20 in all."}},
		{"a hundred", 100, 64, 60, 0, 64, 4, 0, 15, 3, 0, map[string]string{"val_split": "100 rows are too few"}},
		{"a thousand", 1000, 700, 400, 50, 704, 8, 12, 23, 1, 0.05, map[string]string{"val_split": "50 of 1,000 rows.", "eval_samples": "All 50 validation rows."}},
		{"one giant", 1000, 9000, 400, 50, 416, 8, 12, 23, 1, 0.05, map[string]string{"max_length": "99 % of the rows have at most 400, the longest 9,000."}},
		{"longer than the model", 1000, 3000, 2500, 0, 2048, 8, 0, 25, 1, 0, map[string]string{"max_length": "The model was made for 2,048."}},
	} {
		p := proposed(t, rows(c.rows, c.longest, c.p99, c.validation))
		g := p.config
		if g.MaxLength != c.maxLength || g.BatchSize != c.batch || g.EvalSteps != c.evalSteps || g.SaveSteps != c.saves || g.NumTrainEpochs != c.epochs || g.ValSplit != c.split {
			t.Errorf("%s: max_length %d, batch %d, eval %d, save %d, epochs %v, split %v", c.what, g.MaxLength, g.BatchSize, g.EvalSteps, g.SaveSteps, g.NumTrainEpochs, g.ValSplit)
		}
		for key, why := range c.why {
			if !strings.Contains(p.why[key], why) {
				t.Errorf("%s: %s: %q, want %q", c.what, key, p.why[key], why)
			}
		}
	}
	p := proposed(t, rows(1000, 700, 400, 0), rows(300, 100, 100, 0))
	if p.config.ValSplit != 0 || p.config.EvalSamples != 100 || p.why["eval_samples"] != "100 of 300 validation rows." {
		t.Errorf("a validation file: %v, %d, %q", p.config.ValSplit, p.config.EvalSamples, p.why["eval_samples"])
	}
}

// commented is a setting that is written as a comment.
var commented = regexp.MustCompile(`(?m)^# ([a-z_0-9]+: ?\S*)$`)

// What is written reads back as what was proposed; the settings that are comments
// are all the others, with the values they have anyway.
func TestProposalReadsBack(t *testing.T) {
	p := proposed(t, rows(1000, 700, 400, 50))
	text, err := p.yaml()
	if err != nil {
		t.Fatal(err)
	}
	all := commented.ReplaceAllString(string(text), "$1")
	if all == string(text) {
		t.Fatal("no setting is a comment")
	}
	want, err := p.config.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{string(text), all} {
		path := filepath.Join(t.TempDir(), "run.yaml")
		if err := os.WriteFile(path, []byte(form), 0o644); err != nil {
			t.Fatal(err)
		}
		got := recipe.Default()
		if err := got.ReadYAML(path); err != nil {
			t.Fatalf("%v in\n%s", err, form)
		}
		if again, err := got.YAML(); err != nil || string(again) != string(want) {
			t.Errorf("%v\ngot\n%s\nwant\n%s", err, again, want)
		}
	}
	for _, key := range recipe.Keys() {
		if one := regexp.MustCompile(`(?m)^`+key+`:`).FindAllString(all, -1); len(one) != 1 && !strings.HasPrefix(key, "resume") && key != "overwrite" {
			t.Errorf("%s stands %d times", key, len(one))
		}
	}
}
