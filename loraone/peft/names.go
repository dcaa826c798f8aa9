package peft

import (
	"slices"
	"strings"

	"example.com/finetune/loraone"
)

// keyPrefix stands before a module's name: "base_model." is the PeftModel, "model."
// the LoraModel inside it.
const keyPrefix = "base_model.model."

func keyA(module string) string { return keyPrefix + module + ".lora_A.weight" }
func keyB(module string) string { return keyPrefix + module + ".lora_B.weight" }

// targetNames returns target_modules for some modules of a model of so many layers,
// sorted: the leaf name where all layers have a module, else whole names. PEFT takes a
// leaf wherever it is: where the layers are a part of a larger model, names stay whole.
func targetNames(modules []loraone.LowRank, layers int) []string {
	byLeaf := map[string][]string{}
	for _, m := range modules {
		byLeaf[m.Leaf] = append(byLeaf[m.Leaf], m.Name)
	}
	var list []string
	for leaf, names := range byLeaf {
		if len(names) == layers && strings.HasPrefix(names[0], "model.layers.") {
			names = []string{leaf}
		}
		list = append(list, names...)
	}
	slices.Sort(list)
	return list
}
