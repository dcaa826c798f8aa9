package peft

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/loraone"
	"example.com/finetune/model/hub"
)

// keyPrefix stands before a module's name: "base_model." is the PeftModel, "model."
// the LoraModel inside it.
const keyPrefix = "base_model.model."

func keyA(module string) string { return keyPrefix + module + ".lora_A.weight" }
func keyB(module string) string { return keyPrefix + module + ".lora_B.weight" }

// leaf returns q_proj for model.layers.0.self_attn.q_proj.
func leaf(module string) string { return module[strings.LastIndexByte(module, '.')+1:] }

// leaves returns the leaf names of the layers, sorted, each once.
func leaves(layers []*loraone.Layer) []string {
	var list []string
	for _, l := range layers {
		list = append(list, leaf(l.Name))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// publicName returns what is written as base_model_name_or_path: a Hub id where it
// is known, else the name of the folder, which says enough and hides where it lies.
func publicName(base string) string {
	if base == "" {
		return ""
	}
	if id := hub.ID(base); id != "" {
		return id
	}
	if _, err := os.Stat(base); err != nil && hub.IsID(base) {
		return base
	}
	if abs, err := filepath.Abs(base); err == nil {
		base = abs // ".": the folder has a name
	}
	return filepath.Base(base)
}
