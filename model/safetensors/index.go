package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"example.com/finetune/internal/hint"
	"example.com/finetune/internal/jsontree"
	"example.com/finetune/internal/mistakes"
)

// maxShards bounds the files of one model; the largest there are have some hundred.
const maxShards = 4096

// readIndex returns the weight_map of an index: which shard holds which tensor.
func readIndex(path string) (map[string]string, error) {
	f, err := jsontree.ReadFields(path)
	if err != nil {
		return nil, err
	}
	return weightMap(f)
}

func weightMap(f *jsontree.Fields) (map[string]string, error) {
	f.Need("weight_map")
	m := f.Nested("weight_map")
	if m == nil {
		return nil, f.Err()
	}
	shardOf := map[string]string{}
	shards := map[string]bool{}
	for _, tensor := range m.Keys() {
		shard := m.Text(tensor, "")
		if !bareName(shard) {
			m.Wrong(tensor, "the bare name of a .safetensors file in the same folder")
			continue
		}
		shardOf[tensor] = shard
		shards[shard] = true
	}
	if len(shardOf) == 0 {
		f.Mistake("weight_map is empty")
	}
	if len(shards) > maxShards {
		f.Mistake("%d shards, want at most %d", len(shards), maxShards)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	return shardOf, nil
}

// bareName reports whether a shard's name stays in its folder, on every system.
func bareName(name string) bool {
	return strings.HasSuffix(name, ".safetensors") && len(name) > len(".safetensors") && len(name) <= 255 &&
		!strings.ContainsAny(name, `/\:`) && !strings.ContainsFunc(name, unicode.IsControl)
}

// openShards maps the shards of an index. Each tensor must be in the shard that the
// index names for it, and nowhere else.
func openShards(dir string) (*Set, error) {
	index := filepath.Join(dir, indexName)
	shardOf, err := readIndex(index)
	if err != nil {
		return nil, err
	}
	var shards []string
	for _, s := range shardOf {
		shards = append(shards, s)
	}
	slices.Sort(shards)
	s := &Set{of: map[string]*File{}}
	for _, shard := range slices.Compact(shards) {
		f, err := Open(filepath.Join(dir, shard))
		if err != nil {
			s.Close()
			if errors.Is(err, fs.ErrNotExist) {
				return nil, hint.New(fmt.Errorf("%s names %s: %w", index, shard, err), "the download is not complete")
			}
			return nil, err
		}
		s.files = append(s.files, f)
	}
	if err := s.match(index, shardOf); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// shardName is the name of a shard without an index: its number, from 1, of how many.
var shardName = regexp.MustCompile(`^(.+)-([0-9]{5})-of-([0-9]{5})\.safetensors$`)

// openUnindexed maps shards whose index is missing. Their names must say that each is
// there, and no tensor may lie in two.
func openUnindexed(dir string) (*Set, error) {
	found, err := filepath.Glob(filepath.Join(escape(dir), "*-of-*.safetensors"))
	if err != nil || len(found) == 0 {
		return nil, noWeights(dir)
	}
	s := &Set{of: map[string]*File{}}
	for i, path := range found { // in the order of their numbers
		parts := shardName.FindStringSubmatch(filepath.Base(path))
		if want := fmt.Sprintf("%05d", i+1); parts == nil || parts[2] != want || parts[3] != fmt.Sprintf("%05d", len(found)) {
			s.Close()
			return nil, hint.New(fmt.Errorf("%s: no %s, and the shards do not count from 1 to their number: %s is file %d of %d", dir, indexName, filepath.Base(path), i+1, len(found)), "the download is not complete")
		}
		f, err := Open(path)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.files = append(s.files, f)
	}
	var wrong mistakes.List
	for _, f := range s.files {
		for _, n := range f.Names() {
			if s.of[n] != nil {
				wrong.Addf("tensor %s lies in %s and in %s", n, filepath.Base(s.of[n].path), filepath.Base(f.path))
			}
			s.of[n] = f
		}
	}
	if err := wrong.Err(dir); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// match compares the index with the shards and fills s.of.
func (s *Set) match(index string, shardOf map[string]string) error {
	var wrong mistakes.List
	for _, f := range s.files {
		shard := filepath.Base(f.path)
		for _, n := range f.Names() {
			switch want, known := shardOf[n]; {
			case !known:
				wrong.Addf("tensor %s of %s is not in the index", n, shard)
			case want != shard:
				wrong.Addf("tensor %s lies in %s, the index says %s", n, shard, want)
			default:
				s.of[n] = f
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(shardOf)) {
		if s.of[n] == nil {
			wrong.Addf("tensor %s is not in %s", n, shardOf[n])
		}
	}
	return wrong.Err(index)
}
