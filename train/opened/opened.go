package opened

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

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

// Options say what to open.
type Options struct {
	Model   string // folder, or id on the Hub; "": the adapter's base
	Adapter string // folder; "" for none
	Threads int    // 0: all cores

	// Adjust changes the recipe that rows and prompts are read by: that of the adapter,
	// else the default one. origin is the adapter's, or nil. It may be nil itself.
	Adjust func(c *recipe.Config, origin *rundir.Provenance) error
}

// A Model is a model that was opened, with its adapter if there is one.
type Model struct {
	hub.Ref
	Config    *model.Config
	Tokenizer *tokenizer.Tokenizer
	Template  *chat.Template // nil for none
	Recipe    recipe.Recipe
	Origin    *rundir.Provenance // the adapter's; nil without one, or for another program's
	Pool      *simd.Pool

	Weights  *model.Model      // nil before Load
	Adapters *loraone.Adapters // likewise; nil without an adapter

	adapter string // its folder
	named   string // the base that its configuration names
}

// Open reads all but the weights. The model is to be closed.
func Open(o Options) (*Model, error) {
	m := &Model{adapter: o.Adapter}
	c := recipe.Default()
	var err error
	if o.Adapter != "" {
		if m.named, err = m.readOrigin(); err != nil {
			return nil, err
		}
		if m.Origin != nil {
			c.Recipe = m.Origin.Recipe
		}
	}
	if o.Adjust != nil {
		if err := o.Adjust(&c, m.Origin); err != nil {
			return nil, err
		}
	}
	m.Recipe = c.Recipe
	if m.Ref, err = m.find(o.Model); err != nil {
		return nil, err
	}
	if m.Config, err = model.ReadConfig(m.Dir); err != nil {
		return nil, err
	}
	if m.Tokenizer, err = tokenizer.Load(m.Dir); err != nil {
		return nil, err
	}
	day := time.Now()
	if m.Recipe.Date != "" {
		if day, err = time.Parse(time.DateOnly, m.Recipe.Date); err != nil {
			return nil, err
		}
	}
	if m.Template, err = chat.Load(m.Dir, m.Recipe.ChatTemplate, day, m.Tokenizer); err != nil {
		return nil, err
	}
	m.Pool = simd.NewPool(o.Threads)
	return m, nil
}

// readOrigin reads what the adapter's folder says of its making, and returns the name
// of its base.
func (m *Model) readOrigin() (base string, err error) {
	c, err := peft.ReadConfig(m.adapter)
	if _, e := os.Lstat(m.adapter); errors.Is(e, fs.ErrNotExist) && hub.IsID(m.adapter) && strings.Contains(m.adapter, "/") {
		err = hint.New(err, "for one on the Hub give the folder that this prints: finetune download "+m.adapter)
	}
	if err != nil {
		return "", err
	}
	m.Origin, err = rundir.ReadProvenance(m.adapter)
	if errors.Is(err, fs.ErrNotExist) {
		m.Origin, err = nil, nil
	}
	return c.BaseModel, err
}

// find returns the model that was asked for, else the adapter's base: where it was when
// the adapter was trained, or by its name.
func (m *Model) find(asked string) (hub.Ref, error) {
	if asked != "" {
		return hub.Resolve(asked)
	}
	base := m.named
	if m.Origin != nil {
		ref := m.Origin.BaseRef()
		if _, err := os.Stat(m.Origin.Base.Dir); err == nil {
			return hub.Ref{Arg: ref.Arg, Dir: m.Origin.Base.Dir, ID: ref.ID}, nil
		}
		base = ref.Arg
	}
	ref, err := hub.Resolve(base)
	if err != nil {
		advice := "--model names the folder of the base"
		if missing := new(hub.MissingError); errors.As(err, &missing) && strings.Contains(missing.ID, "/") {
			advice += ", or " + missing.Hint()
		}
		return ref, hint.New(fmt.Errorf("%s: its base model is not where it was: %w", filepath.Clean(m.adapter), err), advice)
	}
	return ref, nil
}

// Load maps the weights and reads the adapter.
func (m *Model) Load() (err error) {
	if m.Weights, err = model.Load(m.Dir, m.Config); err == nil && m.adapter != "" {
		m.Adapters, err = peft.Load(m.adapter, m.Config)
	}
	return err
}

// Engine returns an engine on the model, with the adapter if there is one.
func (m *Model) Engine() *model.Engine {
	e := model.NewEngine(m.Weights, m.Pool)
	e.SetCompute(simd.Compute(m.Recipe.Compute))
	if m.Adapters != nil {
		m.Adapters.Attach(e)
	}
	return e
}

// Close gives everything back.
func (m *Model) Close() {
	m.Pool.Close()
	if m.Weights != nil {
		_ = m.Weights.Close() // read only: nothing can be lost
	}
}
