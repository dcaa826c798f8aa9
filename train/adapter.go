package train

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/model"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// This file holds runs that begin from a finished adapter instead of a method's start.

// ReadAdapter sets what the adapter in a folder decides for a run that trains it on: rank,
// scale, targets, and where the folder knows them the base and the chat template. The scale of an adapter that
// finetune wrote is that of its training, which the file has in B.
func ReadAdapter(c *recipe.Config, dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return hint.New(fmt.Errorf("adapter: %s is a file, want its folder", dir), "--adapter "+filepath.Dir(dir))
	}
	file, err := peft.ReadConfig(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return hint.New(err, "--adapter names the folder that holds "+rundir.AdapterConfig+" and "+rundir.AdapterWeights)
	}
	if err != nil {
		return err
	}
	leaves, err := peft.Leaves(dir)
	if err != nil {
		return err
	}
	origin, err := origin(dir)
	if err != nil {
		return err
	}
	c.Adapter, c.Init = recipe.Folder(dir), recipe.Continued
	c.LoraR, c.LoraAlpha, c.UseRSLoRA = file.R, file.Alpha, recipe.Off
	if file.RSLoRA {
		c.UseRSLoRA = recipe.On
	}
	c.TargetModules, c.ExcludeModules = leaves, nil
	c.Model = file.BaseModel
	if origin != nil {
		c.LoraAlpha, c.Model, c.ChatTemplate = origin.Recipe.LoraAlpha, origin.Base.Name, origin.Recipe.ChatTemplate
		if origin.Recipe.UseRSLoRA != recipe.Off {
			c.UseRSLoRA = recipe.On
		}
		if _, err := os.Stat(origin.Base.Dir); err == nil {
			c.Model = origin.Base.Dir
		}
	}
	if c.LoraAlpha <= 0 { // PEFT takes those; the sign goes into B
		c.LoraAlpha, c.UseRSLoRA = float64(file.R), recipe.Off
	}
	return nil
}

// origin returns the finetune.json of an adapter, nil where another program made it.
func origin(dir string) (*rundir.Provenance, error) {
	p, err := rundir.ReadProvenance(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return p, err
}

// A Beginning is the finished adapter that a run begins from.
type Beginning struct {
	adapters *loraone.Adapters
	files    []string
	origin   *rundir.Provenance // nil where another program made it
	dir      string
}

// Begin returns the adapters' configuration for a model of configuration m, and the
// adapter that the run begins from, nil for a method's start. An error says where the
// settings do not fit the model, or the adapter.
func Begin(c *recipe.Resolved, m *model.Config) (loraone.Config, *Beginning, error) {
	lora := c.Lora()
	if !c.Continues() {
		return lora, nil, lora.Check(m)
	}
	dir := string(c.Adapter)
	if err := agrees(c, dir); err != nil {
		return lora, nil, err
	}
	b := &Beginning{dir: dir, files: []string{filepath.Join(dir, rundir.AdapterConfig), filepath.Join(dir, rundir.AdapterWeights)}}
	var err error
	if b.adapters, err = peft.Load(dir, m); err != nil {
		return lora, nil, err
	}
	if b.origin, err = origin(dir); err != nil {
		return lora, nil, err
	}
	if lora, err = lora.Continuing(b.adapters); err != nil {
		return lora, nil, hint.New(fmt.Errorf("%s: %w", dir, err), "leave target_modules and exclude_modules out: they come from the adapter")
	}
	return lora, b, lora.Check(m)
}

// agrees returns an error for a setting that contradicts the adapter in dir.
func agrees(c *recipe.Resolved, dir string) error {
	var own recipe.Config
	if err := ReadAdapter(&own, dir); err != nil {
		return err
	}
	for _, x := range []struct {
		key         string
		same        bool
		mine, yours any
	}{
		{"lora_r", c.LoraR == own.LoraR, c.LoraR, own.LoraR},
		{"lora_alpha", c.LoraAlpha == own.LoraAlpha, c.LoraAlpha, own.LoraAlpha},
		{"use_rslora", math.Abs(c.Scale()-own.Scale()) <= 1e-12*own.Scale(), c.UseRSLoRA, own.UseRSLoRA},
	} {
		if !x.same {
			return hint.Newf(hint.Usagef("%s is %v, and it is %v in the adapter to train on, %s", x.key, x.mine, x.yours, dir),
				"leave %s out, or set it to %v: it comes from the adapter", x.key, x.yours)
		}
	}
	return nil
}

// sameFolder reports whether two paths are one folder, which need not be there.
func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	if err == nil {
		y, err := os.Stat(b)
		return err == nil && os.SameFile(x, y)
	}
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// apart returns an error where the run would write over the adapter that it begins from, or
// beside the model, where other programs take an adapter for a part of it.
func apart(c *recipe.Resolved) error {
	what := ""
	switch {
	case c.Continues() && sameFolder(c.OutputDir, string(c.Adapter)):
		what = "the adapter to train on and the output folder: it would be written over"
	case sameFolder(c.OutputDir, c.Model):
		what = "the model and the output folder: whoever loads the model would get the adapter with it"
	default:
		return nil
	}
	return hint.Newf(hint.Usagef("%s is %s", c.OutputDir, what), "--output-dir %s keeps both", filepath.Clean(c.OutputDir)+"-2")
}
