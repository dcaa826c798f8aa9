package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/finetune/internal/hint"
)

// The names weights have in a model folder.
const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// maxPrefetch is the largest model that is read ahead when it is opened. A larger
// one may not fit beside the rest: pages read ahead would push out pages in use.
const maxPrefetch = 4 << 30

// A Set is the weights of one model: one file, or several with an index.
type Set struct {
	files []*File
	of    map[string]*File // by tensor
}

// OpenDir maps the weights of a model folder: model.safetensors, else the shards of
// model.safetensors.index.json, else shards without an index whose names say that all
// are there. Pickles are refused.
func OpenDir(dir string) (*Set, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a folder", dir)
	}
	f, err := Open(filepath.Join(dir, singleName))
	if err == nil {
		s := &Set{of: map[string]*File{}}
		s.add(f)
		s.prefetch()
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	open := openShards
	if !isThere(filepath.Join(dir, indexName)) {
		open = openUnindexed
	}
	s, err := open(dir)
	if err != nil {
		return nil, err
	}
	s.prefetch()
	return s, nil
}

// isThere also sees a link that leads nowhere.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// noWeights says what there is instead.
func noWeights(dir string) error {
	err := fmt.Errorf("%s: neither %s nor %s", dir, singleName, indexName)
	if found, _ := filepath.Glob(filepath.Join(escape(dir), "*.safetensors")); len(found) > 0 {
		return otherNames(err, found)
	}
	for _, x := range []struct{ pattern, what string }{
		{"*.bin", "is a pickle, which can run any code when it is read"},
		{"*.pth", "is a pickle, which can run any code when it is read"},
		{"*.pt", "is a pickle, which can run any code when it is read"},
		{"*.bin.index.json", "is the index of pickles, which can run any code when they are read"},
	} {
		if found, _ := filepath.Glob(filepath.Join(escape(dir), x.pattern)); len(found) > 0 {
			return hint.New(fmt.Errorf("%w; %s %s", err, filepath.Base(found[0]), x.what), pickleHint)
		}
	}
	return err
}

// otherNames says what to do with files whose names are not those of a model's weights.
func otherNames(err error, found []string) error {
	name := filepath.Base(found[0])
	if len(found) > 1 {
		return hint.Newf(fmt.Errorf("%w, but %s and %d more", err, name, len(found)-1),
			"rename the one that holds the weights to %s; shards are called model-00001-of-%05d.safetensors and so on", singleName, len(found))
	}
	f, e := Open(found[0])
	if e != nil {
		return fmt.Errorf("%w, but %w", err, e)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Names(), func(n string) bool { return strings.Contains(n, "lora_") }) {
		return hint.New(fmt.Errorf("%w; %s holds an adapter", err, name), "--model names the folder of a base model, --adapter that of an adapter to go with it")
	}
	return hint.Newf(fmt.Errorf("%w, but %s", err, name), "rename it to %s if it holds the model's weights", singleName)
}

// escape makes a folder's name a pattern that matches only itself.
func escape(dir string) string {
	var b []byte
	for _, c := range []byte(dir) {
		if c == '*' || c == '?' || c == '[' || c == '\\' && os.PathSeparator != '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}

func (s *Set) add(f *File) {
	s.files = append(s.files, f)
	for _, n := range f.Names() {
		s.of[n] = f
	}
}

func (s *Set) prefetch() {
	if s.Bytes() > maxPrefetch {
		return
	}
	for _, f := range s.files {
		f.Prefetch()
	}
}

// Names returns the names of all tensors, sorted.
func (s *Set) Names() []string {
	names := make([]string, 0, len(s.of))
	for n := range s.of {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Info returns the named tensor without its data.
func (s *Set) Info(name string) (Tensor, bool) {
	f, ok := s.of[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Info(name)
}

// Tensor returns the named tensor; see [File.Tensor].
func (s *Set) Tensor(name string) (Tensor, bool) {
	f, ok := s.of[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Tensor(name)
}

// Files returns the paths of the mapped files.
func (s *Set) Files() []string {
	paths := make([]string, len(s.files))
	for i, f := range s.files {
		paths[i] = f.path
	}
	return paths
}

// Shards returns the mapped files, in the order of their paths.
func (s *Set) Shards() []*File { return s.files }

// Bytes returns the size of all maps together.
func (s *Set) Bytes() int64 {
	var n int64
	for _, f := range s.files {
		n += f.Bytes()
	}
	return n
}

// At returns the path of the file that is mapped at an address, "" for none.
func (s *Set) At(address uintptr) string {
	for _, f := range s.files {
		if path := f.at(address); path != "" {
			return path
		}
	}
	return ""
}

// Guard calls g and turns a fault in its reading of these files into an error, as it
// does a change of a file meanwhile.
func (s *Set) Guard(g func() error) error { return s.GuardAs(s.At, g) }

// GuardAs is Guard, and name says for an error what is mapped at an address: "" for
// what is not of these files.
func (s *Set) GuardAs(name func(address uintptr) string, g func() error) error {
	err := guard(name, g)
	if changed := s.Unchanged(); changed != nil {
		return errors.Join(err, changed)
	}
	return err
}

// Unchanged returns an error for every file that was written to since it was opened,
// which not every fault shows: behind the end of a shortened file, a page's rest
// reads as zeros. Another file that took the name is no change: the map keeps the
// old one.
func (s *Set) Unchanged() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.unchanged())
	}
	return errors.Join(errs...)
}

// Close unmaps all files.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	s.files, s.of = nil, nil
	return errors.Join(errs...)
}
