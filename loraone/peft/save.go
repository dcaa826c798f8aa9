package peft

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"example.com/finetune/loraone"
	"example.com/finetune/model/atomicfile"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// pending is put around a file's name until it is verified: hidden, and no
// *.safetensors, which TGI would load.
func pending(name string) string { return "." + name + ".new" }

// Save writes the adapters into dir, which is made where it is not there, and
// replaces an adapter that is there; see the package's comment for the order. A
// value that is not finite is an error, and nothing is written.
func Save(dir string, a *loraone.Adapters) error {
	tensors, err := fold(a)
	if err != nil {
		return err
	}
	config, err := configJSON(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(dir, pending(weightsName))) // there only after an error
	defer os.Remove(filepath.Join(dir, pending(configName)))
	if err := prepare(dir, tensors, config); err != nil {
		return err
	}
	for _, step := range publish(dir, config) {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// prepare writes the pending files and reads them back.
func prepare(dir string, tensors []safetensors.Entry, config []byte) error {
	path := filepath.Join(dir, pending(weightsName))
	if err := safetensors.Write(path, tensors, nil); err != nil {
		return err
	}
	if err := verify(path, tensors); err != nil {
		return err
	}
	path = filepath.Join(dir, pending(configName))
	if err := atomicfile.WriteFile(path, config); err != nil {
		return err
	}
	if back, err := os.ReadFile(path); err != nil || !bytes.Equal(back, config) {
		return fmt.Errorf("%s: read back, it is not what was written (%v)", path, err)
	}
	return nil
}

// publish returns the steps that give the pending files their names, weights first,
// configuration last. After any of them the folder holds the old adapter, the new
// one, or none.
func publish(dir string, config []byte) []func() error {
	configPath := filepath.Join(dir, configName)
	rename := func(name string) func() error {
		return func() error { return os.Rename(filepath.Join(dir, pending(name)), filepath.Join(dir, name)) }
	}
	flush := func() error { return atomicfile.SyncDir(dir) }
	steps := []func() error{rename(weightsName), flush, rename(configName), flush}
	if old, err := os.ReadFile(configPath); err == nil && bytes.Equal(old, config) {
		return steps
	}
	remove := func() error {
		if err := os.Remove(configPath); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return append([]func() error{remove, flush}, steps...)
}

// fold returns the tensors of the file: A as it is, and B' = Scale·B, the product
// exact in float64 and rounded once.
func fold(a *loraone.Adapters) ([]safetensors.Entry, error) {
	if len(a.Layers) == 0 {
		return nil, errors.New("no adapters to save")
	}
	var list []safetensors.Entry
	for _, l := range a.Layers {
		if l.R != a.Config.R {
			return nil, fmt.Errorf("adapter %s has rank %d, the others %d: one file holds one rank", l.Name, l.R, a.Config.R)
		}
		b := l.B()
		for i, v := range b {
			b[i] = float32(float64(l.Scale) * float64(v))
		}
		if i := slices.IndexFunc(l.A, notFinite); i >= 0 {
			return nil, fmt.Errorf("adapter %s: lora_A holds %v: not saved", l.Name, l.A[i])
		}
		if i := slices.IndexFunc(b, notFinite); i >= 0 {
			return nil, fmt.Errorf("adapter %s: lora_B, scaled by %v, holds %v: not saved", l.Name, l.Scale, b[i])
		}
		list = append(list,
			safetensors.Entry{Name: keyA(l.Name), Shape: []int{l.R, l.In}, Data: l.A},
			safetensors.Entry{Name: keyB(l.Name), Shape: []int{l.Out, l.R}, Data: b})
	}
	return list, nil
}

func notFinite(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }

// configJSON returns adapter_config.json, the keys sorted. lora_alpha = r is s = 1.
func configJSON(a *loraone.Adapters) ([]byte, error) {
	var base any
	if name := publicName(a.Config.BaseModel); name != "" {
		base = name
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(map[string]any{
		"alpha_pattern":           map[string]any{},
		"base_model_name_or_path": base,
		"bias":                    "none",
		"fan_in_fan_out":          false,
		"inference_mode":          true,
		"init_lora_weights":       true,
		"layers_pattern":          nil,
		"layers_to_transform":     nil,
		"lora_alpha":              a.Config.R,
		"lora_dropout":            json.RawMessage("0.0"),
		"modules_to_save":         nil,
		"peft_type":               "LORA",
		"r":                       a.Config.R,
		"rank_pattern":            map[string]any{},
		"revision":                nil,
		"target_modules":          leaves(a.Layers),
		"task_type":               "CAUSAL_LM",
	})
	return b.Bytes(), err
}

// verify reads a weight file back and compares every bit.
func verify(path string, tensors []safetensors.Entry) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	defer f.Close()
	return f.Guard(func() error {
		if n := len(f.Names()); n != len(tensors) {
			return fmt.Errorf("%s: read back, it holds %d tensors, want %d", path, n, len(tensors))
		}
		for _, want := range tensors {
			got, ok := f.Tensor(want.Name)
			if !ok || got.DType != "F32" || !slices.Equal(got.Shape, want.Shape) || !sameBits(got.Data, want.Data) {
				return fmt.Errorf("%s: read back, tensor %s is not what was written", path, want.Name)
			}
		}
		return nil
	})
}

func sameBits(data []byte, want []float32) bool {
	if len(data) != 4*len(want) {
		return false
	}
	got := make([]float32, len(want))
	simd.Convert(got, data, simd.F32)
	return slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
}
