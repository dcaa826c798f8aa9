package peft

import (
	"os"
	"path/filepath"
	"slices"

	"example.com/finetune/loraone"
	"example.com/finetune/model/hub"
)

// keyPrefix stands before a module's name: "base_model." is the PeftModel, "model."
// the LoraModel inside it.
const keyPrefix = "base_model.model."

func keyA(module string) string { return keyPrefix + module + ".lora_A.weight" }
func keyB(module string) string { return keyPrefix + module + ".lora_B.weight" }

// targetNames returns target_modules for some modules of a model of so many layers,
// sorted: the leaf name where all layers have a module, else whole names.
func targetNames(modules []loraone.LowRank, layers int) []string {
	byLeaf := map[string][]string{}
	for _, m := range modules {
		byLeaf[m.Leaf] = append(byLeaf[m.Leaf], m.Name)
	}
	var list []string
	for leaf, names := range byLeaf {
		if len(names) == layers {
			names = []string{leaf}
		}
		list = append(list, names...)
	}
	slices.Sort(list)
	return list
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
