package safetensors

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// mixed are tensors of several types in an order that no sorting gives.
var mixed = []Tensor{
	{Name: "w", DType: "BF16", Shape: []int{2, 3}},
	{Name: "a<b", DType: "F32", Shape: []int{}},
	{Name: "n", DType: "I64", Shape: []int{0, 4}},
	{Name: "i", DType: "U8", Shape: []int{5}},
}

func TestWriterKeepsTheOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	w, err := Create(path, mixed, map[string]string{"step": "3"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	data := []byte("twelve bytes" + "four" + "five5")
	for part := range slices.Chunk(data, 7) { // not at the tensors' borders
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := f.Layout()
	for i, want := range []string{"w", "a<b", "i"} {
		at := slices.IndexFunc(got, func(g Tensor) bool { return g.Name == want })
		info, _ := f.Info(want)
		j := slices.IndexFunc(mixed, func(g Tensor) bool { return g.Name == want })
		if info.DType != mixed[j].DType || !slices.Equal(info.Shape, mixed[j].Shape) {
			t.Errorf("%s is %s %v", want, info.DType, info.Shape)
		}
		if at != i+1 { // the one without data lies first
			t.Errorf("%s is number %d of the layout", want, at)
		}
	}
	w1, _ := f.Tensor("w")
	i1, _ := f.Tensor("i")
	if !bytes.Equal(w1.Data, data[:12]) || !bytes.Equal(i1.Data, data[16:]) {
		t.Errorf("data %q and %q", w1.Data, i1.Data)
	}
	if m := f.Metadata(); m["format"] != "pt" || m["step"] != "3" {
		t.Errorf("metadata %v", m)
	}
}

func TestWriterNeedsAllData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	for _, n := range []int{0, 20, 22} {
		w, err := Create(path, mixed, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, n))
		if n < 21 {
			err = w.Commit()
		}
		w.Abort()
		if err == nil {
			t.Errorf("%d of 21 bytes: no error", n)
		}
		if list, _ := os.ReadDir(filepath.Dir(path)); len(list) > 0 {
			t.Errorf("%d of 21 bytes: left %v", n, list)
		}
	}
	_, err := Create(path, []Tensor{{Name: "a", DType: "F3", Shape: []int{1}}}, nil)
	wantError(t, "a type", err, `tensor a: dtype "F3" is not supported`)
	_, err = Create(path, []Tensor{mixed[0], mixed[0]}, nil)
	wantError(t, "twice", err, "tensor w: given twice")
}
