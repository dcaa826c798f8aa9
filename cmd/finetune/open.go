package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/finetune/internal/hint"
	"example.com/finetune/loraone"
	"example.com/finetune/loraone/peft"
	"example.com/finetune/model"
	"example.com/finetune/model/hub"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// modelFlags are the flags of the commands that only read a model.
type modelFlags struct {
	Model   string `short:"m" aliases:"model-name-or-path" placeholder:"DIR" help:"Folder of the model, or the id of one in the Hub cache (default: the adapter's base)."`
	Adapter string `aliases:"adapter-path" placeholder:"DIR" help:"Folder of an adapter; without it the model is used alone."`
	Compute string `placeholder:"WORD" default:"f32" help:"f32, or bf16 for products of bfloat16 numbers where the CPU has them (default f32)."`
	Threads int    `placeholder:"N" help:"Threads (0: all cores). The result does not depend on it."`
}

// A reading is a model opened for reading, with what its adapter says about the
// way it was trained.
type reading struct {
	dir      string
	config   *model.Config
	tok      *tokenizer.Tokenizer
	pool     *simd.Pool
	model    *model.Model
	compute  simd.Compute
	adapters *loraone.Adapters  // nil without an adapter
	origin   *rundir.Provenance // nil without an adapter, or for one of another program
	recipe   recipe.Recipe      // the adapter's, else the defaults
}

// open reads the model and the adapter.
func (f *modelFlags) open() (*reading, error) {
	r, err := f.openSmall()
	if err != nil {
		return nil, err
	}
	r.pool = simd.NewPool(f.Threads)
	if r.model, err = model.Load(r.dir, r.config); err != nil {
		r.close()
		return nil, err
	}
	if f.Adapter != "" {
		if r.adapters, err = peft.Load(f.Adapter, r.config); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// openSmall reads all but the weights.
func (f *modelFlags) openSmall() (*reading, error) {
	switch {
	case f.Model == "" && f.Adapter == "":
		return nil, hint.New(hint.Usagef("no model"), "--model names a folder, or --adapter one whose base is known")
	case f.Threads < 0:
		return nil, hint.Usagef("--threads is %d, want a count, or 0 for all cores", f.Threads)
	}
	r := &reading{recipe: recipe.Default().Recipe}
	var err error
	if r.compute, err = simd.ParseCompute(f.Compute); err != nil {
		return nil, hint.New(hint.Usagef("%v", err), "--compute f32 runs everywhere")
	}
	if err := r.findBase(f); err != nil {
		return nil, err
	}
	if r.config, err = model.ReadConfig(r.dir); err != nil {
		return nil, err
	}
	r.tok, err = tokenizer.Load(r.dir)
	return r, err
}

// findBase sets the model's folder: the one given, else the adapter's base.
func (r *reading) findBase(f *modelFlags) (err error) {
	base := ""
	if f.Adapter != "" {
		c, err := peft.ReadConfig(f.Adapter)
		if err != nil {
			return err
		}
		base = c.BaseModel
		if r.origin, err = rundir.ReadProvenance(f.Adapter); errors.Is(err, fs.ErrNotExist) {
			r.origin = nil
		} else if err != nil {
			return err
		} else {
			r.recipe = r.origin.Recipe
		}
	}
	if f.Model != "" {
		r.dir, _, err = hub.Resolve(f.Model)
		return err
	}
	if r.origin != nil {
		if _, err := os.Stat(r.origin.Base.Dir); err == nil {
			r.dir = r.origin.Base.Dir
			return nil
		}
		base = r.origin.Base.Name
	}
	if r.dir, _, err = hub.Resolve(base); err != nil {
		return hint.New(fmt.Errorf("%s: its base model is not where it was: %w", filepath.Clean(f.Adapter), err), "--model names the folder of the base")
	}
	return nil
}

// engine returns an engine on the model, with the adapter if there is one.
func (r *reading) engine() *model.Engine {
	e := model.NewEngine(r.model, r.pool)
	e.SetCompute(r.compute)
	if r.adapters != nil {
		r.adapters.Attach(e)
	}
	return e
}

// template loads the chat template that the adapter was trained with; without an
// adapter, or one of another program, the model's own. It is nil for none.
func (r *reading) template() (*chat.Template, error) {
	return loadTemplate(r.dir, r.recipe.ChatTemplate, r.recipe.Date, r.tok)
}

func (r *reading) close() {
	if r.pool != nil {
		r.pool.Close()
	}
	if r.model != nil {
		_ = r.model.Close() // read only: nothing can be lost
	}
}
