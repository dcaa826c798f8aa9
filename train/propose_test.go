package train

import (
	"strings"
	"testing"

	"example.com/finetune/model"
	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
)

// smol has the shape of SmolLM2-135M.
var smol = &model.Config{HiddenSize: 576, IntermediateSize: 1536, NumHiddenLayers: 30, NumAttentionHeads: 9, NumKeyValueHeads: 3, HeadDim: 64, MaxPositionEmbeddings: 2048}

// proposed are the settings for rows of some length.
func proposed(t *testing.T, rows, valid *data.Report) *Proposal {
	t.Helper()
	c := recipe.Default()
	c.Model, c.Data = "m", "d"
	settings, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	p := Propose(settings.Config, smol, false, rows, valid, map[string]bool{})
	if _, err := p.Config.Resolve(); err != nil {
		t.Fatal(err)
	}
	return p
}

func checkedRows(rows, longest, p99, validation int) *data.Report {
	return &data.Report{
		Path: "train.jsonl", Stats: data.Stats{Rows: rows, Kept: rows}, Validation: validation,
		Lengths: data.Lengths{Longest: longest, P99: p99},
	}
}

// Settings follow from what the rows are.
func TestPropose(t *testing.T) {
	const auto = int(recipe.Chosen)
	for _, c := range []struct {
		what                               string
		rows, longest, p99, validation     int
		maxLength, batch, evalSteps, saves int
		epochs, split                      float64
		why                                map[string]string
	}{
		{"three rows", 3, 20, 20, 0, 32, 2, auto, 10, 10, 0, map[string]string{"max_length": "The longest row has 20.", "num_train_epochs": "3 rows in batches of 2 make 2 steps a pass, 20 in all."}},
		{"a hundred", 100, 64, 60, 0, 64, 4, auto, 15, 3, 0, map[string]string{"val_split": "100 rows are too few"}},
		{"a thousand", 1000, 700, 400, 50, 704, 8, 30, 23, 1, 0.05, map[string]string{"val_split": "50 of 1,000 rows.", "eval_steps": "4 evaluations, which take a tenth of the time at most.", "eval_samples": "32 of 50 validation rows."}},
		{"many", 20_000, 700, 700, 1000, 704, 8, 238, 100, 1, 0.05, map[string]string{"eval_steps": "10 evaluations", "eval_samples": "100 of 1,000 validation rows."}},
		{"one giant", 1000, 9000, 400, 50, 416, 8, 30, 23, 1, 0.05, map[string]string{"max_length": "99 % of the rows have at most 400, the longest 9,000."}},
		{"longer than the model", 1000, 3000, 2500, 0, 2048, 8, auto, 25, 1, 0, map[string]string{"max_length": "The model was made for 2,048."}},
	} {
		p := proposed(t, checkedRows(c.rows, c.longest, c.p99, c.validation), nil)
		g := p.Config
		if g.MaxLength != c.maxLength || g.BatchSize != c.batch || int(g.EvalSteps) != c.evalSteps || g.SaveSteps != c.saves || g.NumTrainEpochs != c.epochs || g.ValSplit != c.split {
			t.Errorf("%s: max_length %d, batch %d, eval %d, save %d, epochs %v, split %v", c.what, g.MaxLength, g.BatchSize, g.EvalSteps, g.SaveSteps, g.NumTrainEpochs, g.ValSplit)
		}
		for key, why := range c.why {
			if !strings.Contains(p.Why[key], why) {
				t.Errorf("%s: %s: %q, want %q", c.what, key, p.Why[key], why)
			}
		}
	}
	p := proposed(t, checkedRows(1000, 700, 400, 0), checkedRows(300, 100, 100, 0))
	if p.Config.ValSplit != 0 || p.Config.EvalSamples != 32 || p.Why["eval_samples"] != "32 of 300 validation rows." {
		t.Errorf("a validation file: %v, %d, %q", p.Config.ValSplit, p.Config.EvalSamples, p.Why["eval_samples"])
	}
}
