package peft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/mistakes"
	"example.com/finetune/loraone"
	"example.com/finetune/model"
	"example.com/finetune/model/safetensors"
	"example.com/finetune/simd"
)

// Load reads an adapter for a model of configuration m. Each module has the rank and the
// scale that the file gives it. Tensors that are missing, unexpected, misshapen, of
// another type or not finite are reported together.
func Load(dir string, m *model.Config) (*loraone.Adapters, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, weightsName)
	f, err := safetensors.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noWeights(dir, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := reader{file: f, config: c, seen: map[string]bool{}}
	err = f.Guard(func() error {
		linears := m.Linears()
		for _, at := range linears {
			r.module(at)
		}
		if names := f.Names(); !r.found && len(names) > 0 {
			return otherNames(path, keyA(linears[0].Name), names[0])
		}
		r.unexpected()
		return r.err()
	})
	if err != nil {
		return nil, err
	}
	for _, m := range r.modules {
		m.Sync()
	}
	return loraone.Of(m, r.modules), nil
}

// Leaves lists the last components of the names of the modules that an adapter has
// tensors for, such as q_proj, sorted.
func Leaves(dir string) ([]string, error) {
	f, err := safetensors.Open(filepath.Join(dir, weightsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noWeights(dir, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []string
	for _, name := range f.Names() {
		if module, ok := strings.CutSuffix(name, ".lora_A.weight"); ok {
			list = append(list, module[strings.LastIndexByte(module, '.')+1:])
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// otherNames is the error of a file in which no tensor has a name that could be meant.
func otherNames(path, want, got string) error {
	return hint.New(fmt.Errorf("%s: no tensor has a name such as %s: the first is %s", path, want, got),
		"save it with PEFT's save_pretrained(folder), which writes such names, or rename its tensors; an adapter of another kind of model needs a base of that kind")
}

func noWeights(dir string, err error) error {
	if _, e := os.Stat(filepath.Join(dir, "adapter_model.bin")); e == nil {
		return hint.New(
			fmt.Errorf("%s: adapter_model.bin is a pickle, which can run any code when it is read: refused", dir),
			"save the adapter as safetensors: save_pretrained(folder, safe_serialization=True) in PEFT",
		)
	}
	return err
}

// A reader takes modules out of an adapter file and notes what is wrong with it.
type reader struct {
	file   *safetensors.File
	config Config
	seen   map[string]bool
	found  bool // a tensor with the name of a projection's

	misshapen, more bool // tensors of other shapes, and others than the projections'
	modules         []loraone.Module
	mistakes        mistakes.List
}

func (r *reader) mistake(format string, args ...any) {
	r.mistakes.Addf(format, args...)
}

// module reads the pair of one projection, if the adapter has one for it.
func (r *reader) module(at model.Projection) {
	nameA, nameB := keyA(at.Name), keyB(at.Name)
	a, okA := r.file.Info(nameA)
	b, okB := r.file.Info(nameB)
	r.found = r.found || okA || okB
	targeted := r.config.Targets(at.Name, at.Layer)
	switch {
	case !okA && !okB && (!targeted || r.config.TargetModules == nil):
		return // a pattern is not interpreted: the tensors say what it meant
	case !targeted:
		r.mistake("tensors of %s, which is not among target_modules", at.Name)
	}
	r.seen[nameA], r.seen[nameB] = true, true
	rank := r.config.Rank(at.Name)
	shapedA := r.shaped(nameA, a, okA, rank, at.In)
	shapedB := r.shaped(nameB, b, okB, at.Out, rank)
	if !shapedA || !shapedB {
		return // nothing is allocated by the word of the configuration
	}
	layer := loraone.NewLayer(at, rank, r.config.Scale(at.Name))
	columns := make([]float32, at.Out*rank)
	r.values(layer.A, a)
	r.values(columns, b)
	simd.Transpose(simd.Dense(layer.Bt, rank, at.Out), simd.Dense(columns, at.Out, rank))
	r.modules = append(r.modules, layer)
}

// err returns the mistakes, with advice for those of a kind.
func (r *reader) err() error {
	err := r.mistakes.Err(r.file.Path())
	switch {
	case r.misshapen && r.config.BaseModel != "":
		return hint.New(err, "it was trained on "+r.config.BaseModel+": an adapter goes with its own base")
	case r.more:
		return hint.New(err, mergeAdvice)
	}
	return err
}

// shaped reports whether a tensor is there as rows×cols.
func (r *reader) shaped(name string, t safetensors.Tensor, ok bool, rows, cols int) bool {
	if !ok {
		r.mistake("tensor %s is missing, want shape [%d %d]", name, rows, cols)
		return false
	}
	if !slices.Equal(t.Shape, []int{rows, cols}) {
		r.mistake("tensor %s has shape %v, want [%d %d]", name, t.Shape, rows, cols)
		r.misshapen = true
		return false
	}
	return true
}

// values converts a tensor to dst.
func (r *reader) values(dst []float32, t safetensors.Tensor) {
	for _, d := range []simd.DType{simd.F32, simd.F16, simd.BF16} {
		if t.DType != d.String() {
			continue
		}
		t, _ = r.file.Tensor(t.Name)
		simd.Convert(dst, t.Data, d)
		if i := slices.IndexFunc(dst, notFinite); i >= 0 {
			r.mistake("tensor %s holds %v", t.Name, dst[i])
		}
		return
	}
	r.mistake("tensor %s is of type %s, want F32, F16 or BF16", t.Name, t.DType)
}

func (r *reader) unexpected() {
	for _, n := range r.file.Names() {
		if !r.seen[n] {
			r.more = true
			r.mistake("tensor %s is unexpected: the model has no such module, or it is no lora_A or lora_B of a projection", n)
		}
	}
	if len(r.modules) == 0 && r.mistakes.Len() == 0 {
		r.mistake("no tensors")
	}
}
