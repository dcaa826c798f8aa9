package data

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/finetune/internal/files"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

// smallFile is the size from which the tokens of a file are kept on disk, so that
// the next run need not make them again. Below it that takes a second or two.
var smallFile int64 = 8 << 20 // a toggle of tests

// An opener makes or finds the index of a file.
type opener struct {
	path     string
	columns  Columns
	t        *tokenizer.Tokenizer
	o        Options
	pool     *simd.Pool
	progress func(bytes int64)
}

// Open tokenises the rows of a file, on the pool's threads; the result does not
// depend on their number. The tokens of a larger file are kept in the user's cache
// folder and taken from there when nothing they depend on has changed: the bytes of
// the file, of the tokenizer, of the template, of this program, and the settings.
// Rows that cannot be used are all reported, as *[Mistakes]. progress is told of the
// bytes that were read; it may be nil.
func Open(path string, columns Columns, t *tokenizer.Tokenizer, o Options, p *simd.Pool, progress func(bytes int64)) (*Set, error) {
	b := &opener{path, columns, t, o, p, progress}
	if err := columns.Check(); err != nil {
		return nil, err
	}
	if err := checkExtension(path); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	if info.Mode().IsRegular() {
		if info.Size() < smallFile {
			return b.build(newMemory(), nil)
		}
		if s, err := b.cached(); !errors.As(err, new(*storageError)) {
			return s, err
		}
	}
	if tmp, err := newTemporary(); err == nil {
		if s, err := b.build(tmp, nil); !errors.As(err, new(*storageError)) {
			return s, err
		}
	}
	return b.build(newMemory(), nil) // no disk takes it
}

// cached finds the index in the cache folder, or builds it there.
func (b *opener) cached() (*Set, error) {
	folder, err := cacheFolder()
	if err != nil {
		return nil, &storageError{err}
	}
	data, err := files.SHA256(b.path)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	key, err := b.key(data)
	if err != nil {
		return nil, &storageError{err}
	}
	if st, err := openCached(folder, key); err == nil {
		if s, err := b.take(st, key, File{Path: b.path, SHA256: data}); !errors.As(err, new(*storageError)) {
			return s, err
		}
	}
	st, err := newCached(folder, key)
	if err != nil {
		return nil, &storageError{err}
	}
	return b.build(st, &identity{data, key})
}

// key identifies what the tokens of a file with this digest depend on.
func (b *opener) key(data string) (key indexKey, err error) {
	program, err := hashProgram()
	if err != nil {
		return key, err
	}
	h := sha256.New()
	template := "none"
	if b.o.Template != nil {
		template = fmt.Sprintf("%x", b.o.Template.Digest())
	}
	fmt.Fprintf(h, "%q", []string{
		indexMagic, program, data, extension(b.path), b.columns.String(), fmt.Sprintf("%x", b.t.Digest()), template,
		b.o.TrainOn, fmt.Sprint(b.o.MaxLength), b.o.Overlong,
	})
	return indexKey(h.Sum(nil)), nil
}

// An identity is the digest of a file, and the key of its index.
type identity struct {
	data string
	key  indexKey
}

// build walks the file and leaves its index in st. The file must be the one that id
// tells of; nil is for any.
func (b *opener) build(st *storage, id *identity) (*Set, error) {
	defer st.abort()
	f, err := os.Open(b.path)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	defer f.Close()
	w := newIndexWriter(st)
	var stats Stats
	walk := newWalker(b.columns, b.t, b.o, b.pool, b.progress, func(r *Row, e *encoded) {
		w.add(r, e, stats.add(e, r.Origin, b.o))
	})
	file, mistakes, err := walk.walk(b.path, until{f, &w.err})
	switch {
	case err != nil:
		return nil, err
	case mistakes != nil:
		return nil, mistakes
	case id == nil:
		id = new(identity)
	case id.data != file.SHA256:
		return nil, fmt.Errorf("%s: changed while it was read", b.path)
	}
	if err := w.finish(id.key, file.Format); err != nil {
		return nil, err
	}
	if err := st.finish(); err != nil {
		return nil, err
	}
	return b.take(st, id.key, file)
}

// take reads an index and owns its storage from then on.
func (b *opener) take(st *storage, key indexKey, file File) (*Set, error) {
	x, err := newIndex(st.in, st.size, key)
	if err != nil {
		_ = st.close()
		return nil, &storageError{err}
	}
	file.Rows, file.Format = x.rows, x.format
	s, err := newSet(x, file, b.o, st)
	if err != nil {
		_ = st.close()
		return nil, err
	}
	return s, nil
}

// An until reads until something else has failed.
type until struct {
	io.Reader
	err *error
}

func (u until) Read(p []byte) (int, error) {
	if *u.err != nil {
		return 0, *u.err
	}
	return u.Reader.Read(p)
}

// hashProgram identifies this program: another build may tokenise otherwise.
func hashProgram() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return files.SHA256(path)
}
