package data

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
		string(b.o.TrainOn), fmt.Sprint(b.o.MaxLength), string(b.o.Overlong), fmt.Sprint(b.o.Ends),
	})
	return indexKey(h.Sum(nil)), nil
}

// An identity is the digest of a file, and the key of its index.
type identity struct {
	data string
	key  indexKey
}

// build reads the file and leaves its index in st. The file must be the one that id
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
	rows := newReader(b.columns, b.t, b.o, b.pool, b.progress, func(r *Row, e *encoded) error {
		w.add(r, e, stats.add(e.tally, r.Line, b.o))
		return w.err
	})
	file, mistakes, err := rows.read(b.path, f)
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
	if err := w.finish(id.key, file.Format, rows.unread); err != nil {
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
	s, err := newSet(x, file, b.o, b.o.manner(b.t, file.Format), st)
	if err != nil {
		_ = st.close()
		return nil, err
	}
	return s, nil
}

// hashProgram identifies this program: another build may tokenise otherwise.
func hashProgram() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return files.SHA256(path)
}

// A storage is where an index is written, and read from when it is finished: a file
// in the cache folder, a temporary file, or memory.
type storage struct {
	name string // for errors
	in   io.ReaderAt
	size int64

	out    io.Writer
	ready  func() error // makes what was written ready to be read; nil when it is
	drop   func()       // throws away what is not ready
	file   *os.File     // to be closed; nil for memory
	remove bool         // the file, when it is closed
}

// A storageError is of a disk, not of the data.
type storageError struct{ error }

func (e *storageError) Unwrap() error { return e.error }

func (s *storage) Write(b []byte) (int, error) {
	n, err := s.out.Write(b)
	s.size += int64(n)
	if err != nil {
		err = &storageError{err}
	}
	return n, err
}

func (s *storage) finish() error {
	if err := s.ready(); err != nil {
		return &storageError{err}
	}
	s.ready = nil
	return nil
}

// abort throws away what was not finished.
func (s *storage) abort() {
	if s.ready != nil && s.drop != nil {
		s.drop()
	}
}

// close may be called more than once.
func (s *storage) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.remove {
		_ = os.Remove(s.file.Name()) // often gone already
	}
	s.file = nil
	return err
}

func newMemory() *storage {
	s, buf := &storage{name: "in memory"}, new(bytes.Buffer)
	s.out = buf
	s.ready = func() error {
		s.in = bytes.NewReader(buf.Bytes())
		return nil
	}
	return s
}

func newTemporary() (*storage, error) {
	f, err := os.CreateTemp("", "finetune-*"+indexExtension)
	if err != nil {
		return nil, &storageError{err}
	}
	_ = os.Remove(f.Name()) // where a system allows it, nothing is left whatever happens
	s := &storage{name: f.Name(), out: f, file: f, remove: true}
	s.ready = func() error {
		s.in = f
		return nil
	}
	s.drop = func() { _ = s.close() }
	return s, nil
}

// The names in the cache folder begin with the layout and end with this.
const indexExtension = ".tokens"

// unusedFor is how long an index stays in the cache folder after its last use.
const unusedFor = 30 * 24 * time.Hour

// cacheBytes is what all indexes of the cache folder may take: the tokens of some ten
// gigabytes of text. The one that was just made stays whatever its size.
var cacheBytes int64 = 10 << 30 // a toggle of tests

// cacheFolder returns the folder of indexes: FINETUNE_CACHE_DIR/tokens, else
// finetune/tokens in the user's cache folder. Only the user can read it.
func cacheFolder() (string, error) {
	dir := os.Getenv("FINETUNE_CACHE_DIR")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "finetune")
	}
	dir = filepath.Join(dir, "tokens")
	return dir, os.MkdirAll(dir, 0o700)
}

func indexPath(folder string, key indexKey) string {
	return filepath.Join(folder, fmt.Sprintf("%s-%x%s", strings.ToLower(indexMagic), key[:16], indexExtension))
}

// openCached opens an index of the cache folder and notes that it was used.
func openCached(folder string, key indexKey) (*storage, error) {
	f, err := os.Open(indexPath(folder, key))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(f.Name(), now, now) // a cache that cannot be written is of use too
	return &storage{name: f.Name(), in: f, size: info.Size(), file: f}, nil
}

// newCached begins an index in the cache folder. It takes its name when it is whole,
// so that whoever opens it sees all of it or nothing.
func newCached(folder string, key indexKey) (*storage, error) {
	path := indexPath(folder, key)
	f, err := files.Create(path)
	if err != nil {
		return nil, err
	}
	s := &storage{name: path, out: f, drop: f.Abort}
	s.ready = func() error {
		if err := f.Commit(); err != nil {
			return err
		}
		sweep(folder, path)
		s.file, err = os.Open(path)
		s.in = s.file
		return err
	}
	return s, nil
}

// sweep removes indexes that have not been used for long, those of another layout, what
// interrupted runs left behind, and the oldest where all together are too large. What
// cannot be removed stays, as does made, the index that was just made.
func sweep(folder, made string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	var current []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		age := time.Since(info.ModTime())
		ours := strings.HasSuffix(e.Name(), indexExtension)
		half := strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), indexExtension+".tmp-")
		switch {
		case ours && (!strings.HasPrefix(e.Name(), strings.ToLower(indexMagic)+"-") || age > unusedFor) || half && age > 24*time.Hour:
			_ = os.Remove(filepath.Join(folder, e.Name()))
		case ours:
			current = append(current, info)
		}
	}
	slices.SortFunc(current, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var total int64
	for _, info := range current { // the newest first
		if total += info.Size(); total > cacheBytes && info.Name() != filepath.Base(made) {
			_ = os.Remove(filepath.Join(folder, info.Name()))
			total -= info.Size()
		}
	}
}
