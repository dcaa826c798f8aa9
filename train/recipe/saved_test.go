package recipe

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"example.com/finetune/internal/hint"
)

// TestSavedRecipes: a recipe comes back from JSON as it was, a length of a million
// included.
func TestSavedRecipes(t *testing.T) {
	c := Default()
	c.MaxLength, c.Seed, c.InitSamples, c.Map, c.UseRSLoRA = 1_200_000, 1<<64-1, All, Columns{"prompt": "a,b=c"}, Off
	if err := c.Set("compute", "bf16"); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c.Recipe)
	if err != nil {
		t.Fatal(err)
	}
	var back Recipe
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, c.Recipe) {
		t.Errorf("got %+v\nwant %+v\nfrom %s", back, c.Recipe, text)
	}
	var none Recipe
	if text, err = json.Marshal(none); err != nil || !strings.Contains(string(text), `"map":null`) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestEarlierRecipes: settings of before hold all of run.yaml, and lack what is new.
func TestEarlierRecipes(t *testing.T) {
	var r Recipe
	err := json.Unmarshal([]byte(`{"lora_r": 4, "max_length": 1e6, "target_modules": ["q_proj"], "map": {}, "init_samples": "all",
		"model": "m", "threads": 2, "packing": true, "lora_dropout": 0, "adam_epsilon": 1e-8, "progress": "auto"}`), &r)
	if err == nil || !strings.Contains(err.Error(), `max_length is "1e6"`) {
		t.Errorf("a number that is no count: %v", err)
	}
	err = json.Unmarshal([]byte(`{"lora_r": 4, "max_length": 1000000, "target_modules": ["q_proj"], "map": {}, "init_samples": "all",
		"model": "m", "threads": 2, "packing": true, "lora_dropout": 0, "adam_epsilon": 1e-8, "progress": "auto"}`), &r)
	want := Default().Recipe
	want.LoraR, want.MaxLength, want.TargetModules, want.InitSamples, want.Map = 4, 1_000_000, Names{"q_proj"}, All, Columns{}
	want.EvalSteps, want.EvalSamples = 0, 100 // before the plan chose them
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("%v, got %+v\nwant %+v", err, r, want)
	}
	if err := want.Resumes(&r); err != nil {
		t.Error(err)
	}
	err = json.Unmarshal([]byte(`{"of_tomorrow": 1}`), &r)
	if err == nil || !strings.Contains(err.Error(), `unknown setting "of_tomorrow"`) || hint.Of(err) != "another version of finetune may know it" {
		t.Errorf("a setting of a later version: %v, %q", err, hint.Of(err))
	}
}

// TestResumes: what shows in the result may not change; how texts become tokens is
// held elsewhere.
func TestResumes(t *testing.T) {
	then := Default()
	for _, key := range keysOf[Recipe]() {
		now := Default()
		value := map[string]string{
			"lr_scheduler_type": "cosine", "overlong": "drop", "use_rslora": "false", "target_modules": "o_proj", "init": "lora", "optimizer": "adamw",
			"train_on": "all", "chat_template": "none", "date": "2026-01-02", "map": "text=body", "compute": "bf16", "val_split": "0.5", "adam_beta1": "0.5", "adam_beta2": "0.5",
		}[key]
		if value == "" {
			value = "7"
		}
		if err := now.Set(key, value); err != nil {
			t.Fatal(err)
		}
		err := now.Resumes(&then.Recipe)
		switch key {
		case "map", "chat_template", "date":
			if err != nil {
				t.Error(err)
			}
		default:
			if want := key + " was " + then.Text(key) + " when this run started and is " + value + " now"; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}
