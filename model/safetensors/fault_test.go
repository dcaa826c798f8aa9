//go:build unix

package safetensors

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// shrunk maps a file of two tensors of 64 KiB and then cuts it short.
func shrunk(t *testing.T) *File {
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
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	return f
}

// touch reads every byte.
func touch(data []byte) {
	if bytes.Count(data, []byte{1}) < 0 {
		panic("never")
	}
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

func TestGuardLeavesOtherThingsAlone(t *testing.T) {
	f, other := shrunk(t), shrunk(t)
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
