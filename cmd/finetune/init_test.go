package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/train"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

// commented is a setting that is written as a comment.
var commented = regexp.MustCompile(`(?m)^# ([a-z_0-9]+: ?\S*)$`)

// What is written reads back as what was proposed; the settings that are comments
// are all the others, with the values they have anyway.
func TestProposalReadsBack(t *testing.T) {
	c := recipe.Default()
	c.Model, c.Data = "m", "d"
	smol := &model.Config{HiddenSize: 576, IntermediateSize: 1536, NumHiddenLayers: 30, NumAttentionHeads: 9, NumKeyValueHeads: 3, HeadDim: 64, MaxPositionEmbeddings: 2048}
	rows := &data.Report{Path: "train.jsonl", Stats: data.Stats{Rows: 1000, Kept: 1000}, Validation: 50, Lengths: data.Lengths{Longest: 700, P99: 400}}
	given := map[string]bool{}
	p := train.Propose(c, smol, false, rows, nil, given)
	text, err := proposalYAML(p, given)
	if err != nil {
		t.Fatal(err)
	}
	all := commented.ReplaceAllString(string(text), "$1")
	if all == string(text) {
		t.Fatal("no setting is a comment")
	}
	want, err := p.Config.YAML()
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
