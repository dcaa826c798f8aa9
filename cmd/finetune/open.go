package main

import (
	"example.com/finetune/internal/files"
	"example.com/finetune/internal/hint"
	"example.com/finetune/simd"
	"example.com/finetune/train/opened"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// modelFlags are the flags of the commands that only read a model.
type modelFlags struct {
	Model   path   `short:"m" aliases:"model-name-or-path" placeholder:"DIR" help:"Folder of the model, or its id on the Hub (see --download) (default: the adapter's base)."`
	Adapter path   `aliases:"adapter-path,adapter-name-or-path" placeholder:"DIR" help:"Folder of an adapter; without it the model is used alone."`
	Compute string `placeholder:"WORD" default:"f32" help:"f32, or bf16 or int8 for products of such numbers where the CPU has them (default f32)."`
	Threads int    `placeholder:"N" help:"Threads (0: all cores). The result does not depend on it."`
}

// open opens the model and the adapter, which may say how rows and prompts are read;
// adjust changes that.
func (f *modelFlags) open(u *ui, adjust func(*recipe.Config, *rundir.Provenance) error) (*opened.Model, error) {
	compute, err := simd.ParseCompute(f.Compute)
	switch {
	case err != nil:
		return nil, hint.New(hint.Usagef("%v", err), "--compute f32 runs everywhere")
	case f.Model == "" && f.Adapter == "":
		return nil, hint.New(hint.Usagef("no model"), "--model names a folder, or --adapter one whose base is known")
	case f.Threads < 0:
		return nil, hint.Usagef("--threads is %d, want a count, or 0 for all cores", f.Threads)
	}
	m, err := openModel(u, opened.Options{
		Model: string(f.Model), Adapter: string(f.Adapter), Threads: f.Threads,
		Adjust: func(c *recipe.Config, origin *rundir.Provenance) error {
			c.Compute = recipe.Compute(compute) // it may be trained where more is possible
			return adjust(c, origin)
		},
	})
	if err != nil {
		return nil, err
	}
	if err := loadAll(u, m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// loadAll loads the weights and warns of an adapter that was trained on others.
func loadAll(u *ui, m *opened.Model) error {
	if err := m.Load(); err != nil {
		return err
	}
	other, err := m.OtherBase()
	if other != "" {
		u.warnf("%s", other)
	}
	return err
}

// openFor opens the model of a run's settings, without its weights.
func openFor(u *ui, c *recipe.Resolved) (*opened.Model, error) {
	m, err := openModel(u, opened.Options{Model: c.Model, Threads: c.Threads, Adjust: func(d *recipe.Config, _ *rundir.Provenance) error {
		*d = c.Config
		return nil
	}})
	if err != nil && c.Continues() && hint.Of(err) == "" {
		err = hint.New(err, "--model names the folder of the adapter's base")
	}
	return m, err
}

// A path is a file or a folder as it was typed, ~ being the home folder.
type path string

// UnmarshalText takes what was typed.
func (p *path) UnmarshalText(text []byte) error {
	*p = path(files.Home(string(text)))
	return nil
}
