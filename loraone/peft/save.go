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

	"example.com/finetune/internal/files"
	"example.com/finetune/loraone"
	"example.com/finetune/model/safetensors"
)

// pendingDir is where an adapter lies until it is verified: hidden, and in a folder
// of its own, where TGI, which loads every *.safetensors, does not look.
const (
	pendingDir    = ".adapter.new"
	pendingConfig = ".adapter_config.json.new" // for its last step
)

// A Pending adapter is written and read back, and not yet in its place. Exactly one
// of Publish and Discard ends it; Discard after Publish does nothing.
type Pending struct {
	dir    string
	config []byte
}

// Prepare writes the adapters into a hidden folder in dir, which is made where it is not
// there, and compares every bit that it reads back with what is in memory. base is what
// the base model is called, or its folder. A value that is not finite is an error. Nothing
// that stands in dir changes.
func Prepare(dir string, a *loraone.Adapters, base string) (*Pending, error) {
	return prepare(dir, a, base, func(string) {})
}

// prepare calls written between writing and reading back.
func prepare(dir string, a *loraone.Adapters, base string, written func(dir string)) (*Pending, error) {
	modules, err := folded(a)
	if err != nil {
		return nil, err
	}
	tensors := entries(modules)
	p := &Pending{dir: dir}
	if p.config, err = configJSON(modules, a.Model.NumHiddenLayers, base); err != nil {
		return nil, err
	}
	if err = p.write(tensors); err == nil {
		written(p.Dir())
		err = p.verify(tensors)
	}
	if err != nil {
		p.Discard()
		return nil, err
	}
	return p, nil
}

// Dir is the folder that holds the pending adapter, as Load reads it.
func (p *Pending) Dir() string { return filepath.Join(p.dir, pendingDir) }

// Discard removes what is pending.
func (p *Pending) Discard() { _ = os.RemoveAll(p.Dir()) } // what stays is swept by the next Prepare

// Publish puts the pending adapter in the place of the one in dir; see the package's
// comment for the order. After an error the old one is still there, unless the disk
// failed between two renames.
func (p *Pending) Publish() error {
	for _, step := range p.steps() {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pending) write(tensors []safetensors.Entry) error {
	p.Discard() // what an interrupted run has left, or a link that somebody put there
	if err := os.MkdirAll(p.Dir(), 0o777); err != nil {
		return err
	}
	if err := safetensors.Write(filepath.Join(p.Dir(), weightsName), tensors, nil); err != nil {
		return err
	}
	return files.Write(filepath.Join(p.Dir(), configName), p.config)
}

// verify reads the pending files back.
func (p *Pending) verify(tensors []safetensors.Entry) error {
	if err := safetensors.Verify(filepath.Join(p.Dir(), weightsName), tensors); err != nil {
		return err
	}
	path := filepath.Join(p.Dir(), configName)
	back, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if !bytes.Equal(back, p.config) {
		return fmt.Errorf("%s: read back, it is not what was written", path)
	}
	return nil
}

// steps returns what gives the pending files their place, weights first,
// configuration last. After any of them the folder holds the old adapter, the new
// one, or none.
func (p *Pending) steps() []func() error {
	configPath := filepath.Join(p.dir, configName)
	place := func() error {
		return os.Rename(filepath.Join(p.Dir(), weightsName), filepath.Join(p.dir, weightsName))
	}
	flush := func() error { return files.SyncDir(p.dir) }
	// The folder goes before the last step: a whole adapter has no remains beside it.
	staged := filepath.Join(p.dir, pendingConfig)
	stage := func() error {
		if err := os.Rename(filepath.Join(p.Dir(), configName), staged); err != nil {
			return err
		}
		return os.RemoveAll(p.Dir())
	}
	configure := func() error { return os.Rename(staged, configPath) }
	steps := []func() error{place, stage, flush, configure, flush}
	if old, err := os.ReadFile(configPath); err == nil && bytes.Equal(old, p.config) {
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

// folded returns the modules as the file holds them: their scales in B, and padded to
// the largest rank.
func folded(a *loraone.Adapters) ([]loraone.LowRank, error) {
	if len(a.Modules) == 0 {
		return nil, errors.New("no adapters to save")
	}
	var list []loraone.LowRank
	largest := 0
	for _, m := range a.Modules {
		l := m.LowRank()
		largest = max(largest, l.R)
		scale := l.Scale
		l = l.Folded()
		if i := slices.IndexFunc(l.A, notFinite); i >= 0 {
			return nil, fmt.Errorf("adapter %s: lora_A holds %v: not saved", l.Name, l.A[i])
		}
		if i := slices.IndexFunc(l.B, notFinite); i >= 0 {
			return nil, fmt.Errorf("adapter %s: lora_B, scaled by %v, holds %v: not saved", l.Name, scale, l.B[i])
		}
		list = append(list, l)
	}
	for i, l := range list {
		if l.R < largest {
			list[i] = l.Padded(largest)
		}
	}
	return list, nil
}

// entries returns the tensors of the file.
func entries(modules []loraone.LowRank) []safetensors.Entry {
	var list []safetensors.Entry
	for _, m := range modules {
		list = append(list,
			safetensors.Entry{Name: keyA(m.Name), Shape: []int{m.R, m.In}, Data: m.A},
			safetensors.Entry{Name: keyB(m.Name), Shape: []int{m.Out, m.R}, Data: m.B})
	}
	return list
}

func notFinite(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }

// configJSON returns adapter_config.json of modules of one rank, the keys sorted.
// lora_alpha = r is s = 1.
func configJSON(modules []loraone.LowRank, layers int, base string) ([]byte, error) {
	r, none := modules[0].R, map[string]int{}
	var name any
	if base != "" {
		name = base
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(map[string]any{
		"alpha_pattern":           none,
		"base_model_name_or_path": name,
		"bias":                    "none",
		"fan_in_fan_out":          false,
		"inference_mode":          true,
		"init_lora_weights":       true,
		"layers_pattern":          nil,
		"layers_to_transform":     nil,
		"lora_alpha":              r,
		"lora_dropout":            json.RawMessage("0.0"),
		"modules_to_save":         nil,
		"peft_type":               "LORA",
		"r":                       r,
		"rank_pattern":            none,
		"revision":                nil,
		"target_modules":          targetNames(modules, layers),
		"task_type":               "CAUSAL_LM",
	})
	return b.Bytes(), err
}
