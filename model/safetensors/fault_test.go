//go:build unix

package safetensors

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapped maps a new file of two tensors of 64 KiB.
func mapped(t *testing.T) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(path, []Entry{{"a", []int{1 << 14}, make([]float32, 1<<14)}, {"b", []int{1 << 14}, make([]float32, 1<<14)}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// shrunk maps a file and then cuts it short.
func shrunk(t *testing.T) *File {
	t.Helper()
	f := mapped(t)
	if err := os.Truncate(f.Path(), 1000); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGuardTurnsAFaultIntoAnError(t *testing.T) {
	f := shrunk(t)
	b, _ := f.Tensor("b")
	s := &Set{files: []*File{f}}
	for _, guard := range []func(func() error) error{f.Guard, s.Guard} {
		err := guard(func() error { touch(b.Data); return nil })
		wantError(t, "shrunk", err, f.Path(), "cut short")
	}
}

func TestGuardNamesTheShard(t *testing.T) {
	dir := t.TempDir()
	of := map[string]string{}
	for _, n := range []string{"a", "b", "c"} {
		of[n] = n + ".safetensors"
		if err := Write(filepath.Join(dir, of[n]), []Entry{{n, []int{1 << 14}, make([]float32, 1<<14)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	writeIndex(t, dir, of)
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Truncate(filepath.Join(dir, of["b"]), 1000); err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Names() {
		x, _ := s.Tensor(n)
		err := s.Guard(func() error { touch(x.Data); return nil })
		wantError(t, n, err, of["b"]+": had 65") // also where another shard is read
		if n == "b" {
			wantError(t, n, err, of["b"]+": cannot be read any more")
		}
		if path := s.At(uintptr(unsafe.Pointer(&x.Data[0]))); path != filepath.Join(dir, of[n]) {
			t.Errorf("%s lies in %s", n, path)
		}
	}
}

func TestGuardLeavesOtherThingsAlone(t *testing.T) {
	f, other := mapped(t), shrunk(t)
	want := errors.New("mine")
	if err := f.Guard(func() error { return want }); err != want {
		t.Errorf("error %v, want %v", err, want)
	}
	x, _ := other.Tensor("b")
	for what, g := range map[string]func(){
		"a panic":                func() { panic("mine") },
		"a nil pointer":          func() { var p *File; _ = p.path },
		"a fault in other's map": func() { touch(x.Data) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: swallowed", what)
				}
			}()
			_ = f.Guard(func() error { g(); return nil })
		}()
	}
}

// TestChangesWithoutAFault: reading goes on, but no longer what was opened.
func TestChangesWithoutAFault(t *testing.T) {
	for want, change := range map[string]func(path string) error{
		"it was changed while in use":  func(path string) error { return os.Truncate(path, 131000) }, // in its last page
		"was written to while in use":  func(path string) error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Second)) },
		"has 131241 now: it was chang": func(path string) error { return appendTo(path) },
	} {
		f := mapped(t)
		b, _ := f.Tensor("b")
		err := f.Guard(func() error { touch(b.Data); return nil })
		if err != nil {
			t.Errorf("before: %v", err)
		}
		err = f.Guard(func() error { touch(b.Data); return change(f.Path()) })
		wantError(t, want, err, f.Path(), want)
		mine := errors.New("mine")
		if err = f.Guard(func() error { return mine }); !errors.Is(err, mine) {
			t.Errorf("the error of the guarded function is lost: %v", err)
		}
		wantError(t, "both", err, want)
	}
	// A file renamed to the name, or none, is no change of the mapped one.
	f := mapped(t)
	if err := os.Rename(write(t, f.Path()+".new", nil), f.Path()); err != nil {
		t.Fatal(err)
	}
	err := f.Guard(func() error { return nil })
	if err := errors.Join(err, os.Remove(f.Path()), f.Guard(func() error { return nil })); err != nil {
		t.Error(err)
	}
}

func appendTo(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte{0})
	return errors.Join(err, f.Close())
}

// TestPipeForWeights: what is no file does not block.
func TestPipeForWeights(t *testing.T) {
	for _, name := range []string{singleName, indexName, "s2.safetensors"} {
		dir, _ := sharded(t)
		path := filepath.Join(dir, name)
		os.Remove(path)
		if err := unix.Mkfifo(path, 0o644); err != nil {
			t.Skip(err)
		}
		_, err := OpenDir(dir)
		wantError(t, name, err, path, "not a regular file")
	}
}
