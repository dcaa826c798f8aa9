package peft

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/loraone"
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
	Ranks         map[string]int     // rank_pattern: of modules by name, or by the end of it
	Alphas        map[string]float64 // alpha_pattern
	RSLoRA        bool
	TargetModules []string // nil where it is a pattern: the tensors then say which

	ExcludeModules []string // left out of TargetModules
	Layers         []int    // layers_to_transform: those whose modules a name's end means; nil: all
}

// Targets reports whether PEFT would adapt a module of a layer: where its whole name or
// its end is among the targets, and neither among those left out.
func (c Config) Targets(module string, layer int) bool {
	named := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return matches(n, module) })
	}
	switch {
	case named(c.ExcludeModules):
		return false
	case c.TargetModules == nil || slices.Contains(c.TargetModules, module):
		return true
	}
	return named(c.TargetModules) && (c.Layers == nil || slices.Contains(c.Layers, layer))
}

// Rank returns the rank of a module.
func (c Config) Rank(module string) int { return patterned(c.Ranks, module, c.R) }

// Scale returns the factor of a module's B·A: α/r, or α/√r with rsLoRA.
func (c Config) Scale(module string) float64 {
	alpha := patterned(c.Alphas, module, c.Alpha)
	if c.RSLoRA {
		return loraone.ByRoot(alpha, c.Rank(module))
	}
	return loraone.ByRank(alpha, c.Rank(module))
}

// patterned returns the value of the pattern that matches a module.
func patterned[T any](patterns map[string]T, module string, otherwise T) T {
	for key, v := range patterns {
		if matches(key, module) {
			return v
		}
	}
	return otherwise
}

// matches reports whether PEFT matches a module by a name: its whole name or its end.
func matches(name, module string) bool {
	return module == name || strings.HasSuffix(module, "."+name)
}

// known are the keys that are read, or whose value changes nothing for a reader.
// Every other key, also one of a PEFT to come, must be null, false or empty.
var known = []string{
	"auto_mapping", "base_model_name_or_path", "bias", "corda_config", "ensure_weight_tying",
	"eva_config", "exclude_modules", "inference_mode", "init_lora_weights", "layers_to_transform", "loftq_config",
	"alpha_pattern", "lora_alpha", "lora_dropout", "lora_ga_config", "megatron_core", "peft_type", "peft_version",
	"qalora_group_size", "r", "rank_pattern", "revision", "runtime_config", "target_modules", "task_type", "use_rslora",
}

// mergeAdvice is what can be done with an adapter that is more than low-rank pairs of
// projections.
const mergeAdvice = "PEFT merges it into its base: merge_and_unload(), then save_pretrained(folder); that folder is a model like others"

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
	const advice = "give the folder that holds " + configName + " and " + weightsName
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return Config{}, hint.New(fmt.Errorf("adapter %s: a file, want a folder", dir), advice)
	}
	f, err := jsontree.ReadFields(filepath.Join(dir, configName))
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, hint.New(fmt.Errorf("%s: not an adapter: %w", dir, err), advice)
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
	refused := f.Err() != nil
	if t := f.Text("task_type", "CAUSAL_LM"); t != "CAUSAL_LM" {
		f.Wrong("task_type", `"CAUSAL_LM"`)
	}
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
	c.Ranks = patterns(f, "rank_pattern", func(p *jsontree.Fields, key string) int { return p.Int(key, 1, 1, maxRank) })
	c.Alphas = patterns(f, "alpha_pattern", func(p *jsontree.Fields, key string) float64 { return p.Float(key, 0) })
	for _, alpha := range c.Alphas {
		if math.Abs(alpha) > maxAlpha {
			f.Wrong("alpha_pattern", fmt.Sprintf("numbers of at most %g", maxAlpha))
			break
		}
	}
	if raw := f.Raw("target_modules"); raw[0] == '"' {
		f.Text("target_modules", "")
	} else if c.TargetModules = f.Texts("target_modules"); c.TargetModules != nil && len(c.TargetModules) == 0 {
		f.Wrong("target_modules", "at least one")
	} else if len(c.TargetModules) > maxTargets {
		f.Wrong("target_modules", fmt.Sprintf("at most %d", maxTargets))
	}
	c.readLeftOut(f)
	err := f.Err()
	if refused {
		err = hint.New(err, mergeAdvice)
	}
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

// readLeftOut reads what narrows target_modules. Where that is a pattern, or what is left
// out is one, the tensors say what was meant.
func (c *Config) readLeftOut(f *jsontree.Fields) {
	if raw := f.Raw("exclude_modules"); raw[0] == '"' {
		f.Text("exclude_modules", "")
		c.TargetModules = nil
	} else if c.ExcludeModules = f.Texts("exclude_modules"); len(c.ExcludeModules) > maxTargets {
		f.Wrong("exclude_modules", fmt.Sprintf("at most %d", maxTargets))
	}
	if c.Layers = f.Integers("layers_to_transform", 0, maxTargets); len(c.Layers) > maxTargets {
		f.Wrong("layers_to_transform", fmt.Sprintf("at most %d", maxTargets))
	}
	if len(c.Layers) == 0 {
		c.Layers = nil
	}
}

// plainPattern are the keys of rank_pattern and alpha_pattern that are understood: PEFT
// takes them for regular expressions, which match a module's name or its end.
var plainPattern = regexp.MustCompile(`^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$`)

// patterns reads a rank_pattern or alpha_pattern. PEFT takes the first key that matches;
// where two can match one module and differ, that is a mistake here.
func patterns[T comparable](f *jsontree.Fields, key string, value func(p *jsontree.Fields, key string) T) map[string]T {
	p := f.Nested(key)
	if p == nil {
		return nil
	}
	keys := p.Keys()
	if len(keys) > maxTargets {
		f.Wrong(key, fmt.Sprintf("at most %d", maxTargets))
		return nil
	}
	list := make(map[string]T, len(keys))
	for _, k := range keys {
		if !p.Has(k) {
			p.Wrong(k, "a number")
		} else if !plainPattern.MatchString(k) {
			p.Wrong(k, "the name of a module or its end: other patterns are not supported")
		}
		list[k] = value(p, k)
	}
	for _, k := range keys {
		for end := k; ; {
			_, rest, ok := strings.Cut(end, ".")
			if !ok {
				break
			}
			if v, there := list[rest]; there && v != list[k] {
				p.Wrong(k, fmt.Sprintf("the same as %s: both match", rest))
			}
			end = rest
		}
	}
	return list
}

// refuse notes settings that would change what the adapter computes.
func refuse(f *jsontree.Fields) {
	for _, k := range f.Keys() {
		if !slices.Contains(known, k) && !isNeutral(f.Raw(k)) && !(k == "layers_pattern" && slices.Contains(layersPatterns, f.Raw(k))) {
			f.Wrong(k, "null, false or empty: it is not supported")
		}
	}
	if f.Text("bias", "none") != "none" {
		f.Wrong("bias", `"none"`)
	}
	if !slices.Contains(plainInits, f.Raw("init_lora_weights")) {
		f.Wrong("init_lora_weights", "true: the base's weights would have to be changed first")
	}
}

// layersPatterns are the values of layers_pattern that name where the layers are.
var layersPatterns = []string{`"layers"`, `["layers"]`}

func isNeutral(raw string) bool {
	return slices.Contains(neutral, strings.Join(strings.Fields(raw), ""))
}
