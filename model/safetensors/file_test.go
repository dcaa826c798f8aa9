package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// bytesOf returns a file of a header and n bytes of data: 0, 1, 2…
func bytesOf(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, data []byte) (*File, error) {
	t.Helper()
	f, err := Open(write(t, filepath.Join(t.TempDir(), "x.safetensors"), data))
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

func wantError(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: error %q, want %q in it", what, err, w)
		}
	}
}

func TestWriteThenOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	entries := []Entry{
		{"b", []int{2, 3}, []float32{1, -2, float32(math.Copysign(0, -1)), float32(math.Inf(1)), 1e-45, 3}},
		{"a <&> ü", []int{1}, []float32{7}},
		{"scalar", []int{}, []float32{5}},
		{"nil shape", nil, []float32{6}},
		{"empty", []int{0, 4}, nil},
	}
	if err := Write(path, entries, map[string]string{"step": "3"}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, want := f.Names(), []string{"a <&> ü", "b", "empty", "nil shape", "scalar"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if m := f.Metadata(); len(m) != 2 || m["format"] != "pt" || m["step"] != "3" {
		t.Errorf("metadata %v", m)
	}
	for _, e := range entries {
		x, ok := f.Tensor(e.Name)
		if !ok || x.DType != "F32" || !slices.Equal(x.Shape, append([]int{}, e.Shape...)) || x.Shape == nil {
			t.Errorf("%s: %+v", e.Name, x)
		}
		for i, want := range e.Data {
			if got := binary.LittleEndian.Uint32(x.Data[4*i:]); got != math.Float32bits(want) {
				t.Errorf("%s[%d]: %08x, want %08x", e.Name, i, got, math.Float32bits(want))
			}
		}
		if len(x.Data) != 4*len(e.Data) || cap(x.Data) != len(x.Data) {
			t.Errorf("%s: %d bytes with room for %d, want %d", e.Name, len(x.Data), cap(x.Data), 4*len(e.Data))
		}
	}
	if _, ok := f.Tensor("none"); ok {
		t.Error("a tensor that is not there")
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	dir := t.TempDir()
	a := Entry{"a", []int{2}, []float32{1, 2}}
	b := Entry{"b", []int{1}, []float32{3}}
	var files [][]byte
	for range 10 {
		path := filepath.Join(dir, "x.safetensors")
		if err := Write(path, []Entry{b, a}, map[string]string{"x": "1", "y": "2", "z": "3"}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
		a, b = b, a
	}
	for _, f := range files[1:] {
		if !bytes.Equal(f, files[0]) {
			t.Fatalf("two files differ:\n%q\n%q", f, files[0])
		}
	}
	if n := binary.LittleEndian.Uint64(files[0]); n%8 != 0 {
		t.Errorf("header of %d bytes: data not aligned to 8", n)
	}
}

func TestWriteErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	for _, test := range []struct {
		want    string
		entries []Entry
	}{
		{"3 values for shape [2]", []Entry{{"a", []int{2}, make([]float32, 3)}}},
		{"shape [-1]", []Entry{{"a", []int{-1}, nil}}},
		{"is too large", []Entry{{"a", []int{math.MaxInt, 4}, nil}}},
		{"given twice", []Entry{{"a", nil, []float32{1}}, {"a", nil, []float32{1}}}},
		{"cannot be a tensor's name", []Entry{{"__metadata__", nil, []float32{1}}}},
		{"cannot be a tensor's name", []Entry{{"", nil, []float32{1}}}},
		{"cannot be a tensor's name", []Entry{{"a\xff", nil, []float32{1}}}},
	} {
		wantError(t, test.want, Write(path, test.entries, nil), test.want, path)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestMisaligned: old writers did not pad the header, so data may begin anywhere.
func TestMisaligned(t *testing.T) {
	const header = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]},"c":{"dtype":"F64","shape":[1],"data_offsets":[10,18]}}`
	for pad := range 8 {
		f, err := open(t, bytesOf(header+strings.Repeat(" ", pad), 18))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]struct {
			first byte
			size  uintptr
		}{"a": {0, 4}, "b": {8, 2}, "c": {10, 8}} {
			x, _ := f.Tensor(name)
			if uintptr(unsafe.Pointer(&x.Data[0]))%want.size != 0 {
				t.Errorf("pad %d: %s lies at an odd address", pad, name)
			}
			if x.Data[0] != want.first || cap(x.Data) != len(x.Data) {
				t.Errorf("pad %d: %s begins with %d, want %d; capacity %d of %d", pad, name, x.Data[0], want.first, cap(x.Data), len(x.Data))
			}
		}
	}
}

// TestMisalignedAndHuge: four terabytes that are a hole in the disk are not copied,
// nor looked at.
func TestMisalignedAndHuge(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("no such address space")
	}
	const header = `{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}`
	for pad, want := range map[string]string{" ": "4398046511104 bytes lie at odd addresses", "  ": ""} { // 79 bytes, 80
		data := bytesOf(header+pad, 0)
		path := write(t, filepath.Join(t.TempDir(), "x.safetensors"), data)
		if err := os.Truncate(path, int64(len(data))+4<<40); err != nil {
			t.Skip(err)
		}
		f, err := Open(path)
		if want != "" {
			wantError(t, header, err, path, want)
			continue
		}
		if err != nil {
			t.Skip(err) // no such address space
		}
		if x, ok := f.Info("a"); !ok || int64(x.Shape[0]) != int64(1)<<40 || x.Data != nil {
			t.Errorf("%+v", x)
		}
		f.Close()
	}
}

func TestTruncatedAnywhere(t *testing.T) {
	whole := bytesOf(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
	if _, err := open(t, whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		path := write(t, filepath.Join(t.TempDir(), "x.safetensors"), whole[:n])
		_, err := Open(path)
		wantError(t, "cut short", err, path)
	}
	_, err := open(t, append(whole, 0))
	wantError(t, "one byte more", err, "9 bytes of data, but the tensors end at 8")
}

func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	wantError(t, "folder", err, dir, "a folder, want a file")
	_, err = Open(filepath.Join(dir, "none"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	_, err = open(t, nil)
	wantError(t, "empty", err, "the file is empty")
	for name, test := range map[string]struct{ start, want, hint string }{
		"zip pickle": {"PK\x03\x04 and more of it", "PyTorch pickle", "save_pretrained"},
		"old pickle": {"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j", "PyTorch pickle", "save_pretrained"},
		"lfs":        {"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", "git lfs pull"},
		"gguf":       {"GGUF\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", "GGUF", ""},
		"text":       {"<!DOCTYPE html><html>", "not a safetensors file", ""},
	} {
		_, err := open(t, []byte(test.start))
		wantError(t, name, err, test.want)
		var hint interface{ Hint() string }
		if errors.As(err, &hint) != (test.hint != "") || test.hint != "" && !strings.Contains(hint.Hint(), test.hint) {
			t.Errorf("%s: hint of %v, want %q", name, err, test.hint)
		}
	}
}

func TestCloseTwice(t *testing.T) {
	f, err := open(t, bytesOf(`{}`, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
	if _, ok := f.Tensor("a"); ok || f.Bytes() != 0 {
		t.Error("a closed file still has tensors")
	}
}

// TestNoHeapForWeights: the map costs no Go memory, whatever the file's size.
func TestNoHeapForWeights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	header := bytesOf(`{"a":{"dtype":"BF16","shape":[134217728],"data_offsets":[0,268435456]}} `, 0)
	write(t, path, header)
	if err := os.Truncate(path, int64(len(header))+1<<28); err != nil { // a hole: no disk either
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, _ := f.Tensor("a")
	runtime.ReadMemStats(&after)
	if len(x.Data) != 1<<28 {
		t.Errorf("%d bytes", len(x.Data))
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<16 {
		t.Errorf("%d bytes of heap for a file of %d", n, f.Bytes())
	}
}
