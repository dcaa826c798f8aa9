package mlx

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

const (
	weightsName = "adapters.safetensors"
	configName  = "adapter_config.json"
)

// Write writes a into a new folder. It is read back before it takes its name.
func Write(dir string, a *loraone.Adapters) error {
	draft, err := files.CreateFolder(dir)
	if err != nil {
		return err
	}
	defer draft.Abort()
	a = a.Uniform()
	tensors, rank, keys := entries(a)
	path := filepath.Join(draft.Dir, weightsName)
	if err := safetensors.Write(path, tensors, map[string]string{"format": "mlx"}); err != nil {
		return err
	}
	if err := safetensors.Verify(path, tensors); err != nil {
		return err
	}
	var config bytes.Buffer
	enc := json.NewEncoder(&config)
	enc.SetIndent("", "    ")
	err = enc.Encode(map[string]any{
		"fine_tune_type": "lora",
		"num_layers":     a.Model.NumHiddenLayers,
		"lora_parameters": map[string]any{
			"rank": rank, "scale": json.RawMessage("1.0"), "dropout": json.RawMessage("0.0"), "keys": keys,
		},
	})
	if err != nil {
		return err
	}
	if err := files.Write(filepath.Join(draft.Dir, configName), config.Bytes()); err != nil {
		return err
	}
	return draft.Commit(configName)
}

// entries returns the tensors, the rank, and which modules of a block have them.
func entries(a *loraone.Adapters) (tensors []safetensors.Entry, rank int, keys []string) {
	byName := map[string]loraone.LowRank{}
	for _, m := range a.Modules {
		l := m.LowRank()
		byName[l.Name], rank = l, l.R
		if key := within(l.Projection); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, at := range a.Model.Linears() {
		if !slices.Contains(keys, within(at)) {
			continue
		}
		lora := [2]safetensors.Entry{
			{Name: at.Stored + ".lora_a", Shape: []int{at.In, rank}, Data: make([]float32, at.In*rank)},
			{Name: at.Stored + ".lora_b", Shape: []int{rank, at.Out}, Data: make([]float32, rank*at.Out)},
		}
		if l, ok := byName[at.Name]; ok {
			simd.Transpose(simd.Dense(lora[0].Data, at.In, rank), simd.Dense(l.A, rank, at.In))
			simd.Transpose(simd.Dense(lora[1].Data, rank, at.Out), simd.Dense(l.B, at.Out, rank))
		}
		tensors = append(tensors, lora[:]...)
	}
	slices.Sort(keys)
	return tensors, rank, keys
}

// within returns the path of a projection in its block: self_attn.q_proj.
func within(at model.Projection) string {
	_, rest, _ := strings.Cut(at.Stored, ".layers.")
	_, path, _ := strings.Cut(rest, ".")
	return path
}
