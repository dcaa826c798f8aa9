package peft

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
)

// The names PEFT gives the two files.
const (
	configName  = "adapter_config.json"
	weightsName = "adapter_model.safetensors"
)

// maxRank bounds r where no model bounds it yet (Load compares it with the shapes),
// maxAlpha keeps the scale a float32, and maxTargets is some times the projections of
// the largest models.
const (
	maxRank    = 1 << 17
	maxAlpha   = 1e30
	maxTargets = 1 << 13
)

// A Config is what adapter_config.json says, as far as it matters to a reader.
type Config struct {
	BaseModel     string // base_model_name_or_path; "" where it is null
	R             int
	Alpha         float64
	RSLoRA        bool
	TargetModules []string // nil where it is a pattern: the tensors then say which
}

// Scale returns the factor of B·A: α/r, or α/√r with rsLoRA.
func (c Config) Scale() float64 {
	if c.RSLoRA {
		return c.Alpha / math.Sqrt(float64(c.R))
	}
	return c.Alpha / float64(c.R)
}

// known are the keys that are read, or whose value changes nothing for a reader.
// Every other key, also one of a PEFT to come, must be null, false or empty.
var known = []string{
	"auto_mapping", "base_model_name_or_path", "bias", "corda_config", "ensure_weight_tying",
	"eva_config", "exclude_modules", "inference_mode", "init_lora_weights", "loftq_config",
	"lora_alpha", "lora_dropout", "lora_ga_config", "megatron_core", "peft_type", "peft_version",
	"qalora_group_size", "r", "revision", "runtime_config", "target_modules", "task_type", "use_rslora",
}

// neutral are the values that switch a setting off.
var neutral = []string{"null", "false", "{}", "[]"}

// plainInits are the values of init_lora_weights that leave the base's weights as
// they are. The others (pissa, olora, corda, loftq, lora_ga) subtract the start from
// the base, which this program does not do.
var plainInits = []string{"null", "true", "false", `"gaussian"`, `"eva"`, `"orthogonal"`, `"mica"`}

// ReadConfig reads adapter_config.json of an adapter's folder. A setting that
// changes what the adapter computes and is not supported is an error; all are named
// together.
func ReadConfig(dir string) (Config, error) {
	f, err := jsontree.ReadFields(filepath.Join(dir, configName))
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, hint.New(fmt.Errorf("%s: not an adapter: %w", dir, err), "give the folder that holds "+configName+" and "+weightsName)
	}
	if err != nil {
		return Config{}, err
	}
	return parseConfig(f)
}

func parseConfig(f *jsontree.Fields) (Config, error) {
	if f.Text("peft_type", "") != "LORA" {
		f.Wrong("peft_type", `"LORA"`)
		return Config{}, f.Err()
	}
	refuse(f)
	f.Need("r", "lora_alpha")
	c := Config{
		BaseModel: f.Text("base_model_name_or_path", ""),
		R:         f.Int("r", 1, 1, maxRank),
		Alpha:     f.Float("lora_alpha", 0),
		RSLoRA:    f.Bool("use_rslora", false),
	}
	if math.Abs(c.Alpha) > maxAlpha {
		f.Wrong("lora_alpha", fmt.Sprintf("a number of at most %g", maxAlpha))
	}
	if raw := f.Raw("target_modules"); raw[0] == '"' {
		f.Text("target_modules", "")
	} else if c.TargetModules = f.Texts("target_modules"); c.TargetModules != nil && len(c.TargetModules) == 0 {
		f.Wrong("target_modules", "at least one")
	} else if len(c.TargetModules) > maxTargets {
		f.Wrong("target_modules", fmt.Sprintf("at most %d", maxTargets))
	}
	if err := f.Err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// refuse notes settings that would change what the adapter computes.
func refuse(f *jsontree.Fields) {
	for _, k := range f.Keys() {
		if !slices.Contains(known, k) && !isNeutral(f.Raw(k)) {
			f.Wrong(k, "null, false or empty: it is not supported")
		}
	}
	if f.Text("bias", "none") != "none" {
		f.Wrong("bias", `"none"`)
	}
	if t := f.Text("task_type", "CAUSAL_LM"); t != "CAUSAL_LM" {
		f.Wrong("task_type", `"CAUSAL_LM"`)
	}
	if !slices.Contains(plainInits, f.Raw("init_lora_weights")) {
		f.Wrong("init_lora_weights", "true: the base's weights would have to be changed first")
	}
}

func isNeutral(raw string) bool {
	return slices.Contains(neutral, strings.Join(strings.Fields(raw), ""))
}
