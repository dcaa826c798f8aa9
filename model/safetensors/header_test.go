package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	st "github.com/nlpodyssey/safetensors"
)

// a4 is the entry of a tensor of 4 bytes.
const a4 = `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`

func TestHeadersTaken(t *testing.T) {
	for what, test := range map[string]struct {
		header string
		data   int
		shape  string
	}{
		"plain":                {`{` + a4 + `}`, 4, "[1]"},
		"padded":               {`{` + a4 + `}   `, 4, "[1]"},
		"space inside":         {"{ \n" + a4 + "\t}", 4, "[1]"},
		"keys in any order":    {`{"a":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"}}`, 4, "[1]"},
		"scalar":               {`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4, "[]"},
		"zero-size":            {`{"a":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]}}`, 0, "[3 0]"},
		"zero-size, twice":     {`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, "[0]"},
		"other types":          {`{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]}}`, 11, "[1]"},
		"offsets in any order": {`{"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},` + a4 + `}`, 5, "[1]"},
		"metadata":             {`{"__metadata__":{"x":"y"},` + a4 + `}`, 4, "[1]"},
		"escaped name":         {`{"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, "[1]"},
	} {
		f, err := open(t, bytesOf(test.header, test.data))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if x, ok := f.Tensor("a"); !ok || fmt.Sprint(x.Shape) != test.shape {
			t.Errorf("%s: shape %v, want %s", what, x.Shape, test.shape)
		}
	}
}

func TestHeadersRefused(t *testing.T) {
	entry := func(s string) string { return `{"t.x":` + s + `}` }
	for _, test := range []struct {
		want, header string
		data         int
	}{
		{`begins with " ", want {`, ` {` + a4 + `}`, 4},
		{`begins with "[", want {`, `[]`, 0},
		{`begins with "", want {`, ``, 0},
		{`the header: line 1, byte 54: the text ends`, `{` + a4, 4},
		{`the header: line 1, byte 55: more text`, `{` + a4 + `}}`, 4},
		{`the header: line 1, byte 55: found "}", want a key`, `{` + a4 + ",}", 4},
		{`the header: line 1, byte 55: more text`, `{` + a4 + "}\x00\x00", 4},
		{`the header: line 1, byte 4: invalid UTF-8`, "{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4},
		{`the header: line 1, byte 55: duplicate key "a"`, `{` + a4 + `,` + a4 + `}`, 4},
		{`the header: line 1, byte 55: duplicate key "a"`, `{` + a4 + `,"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8},
		{`duplicate key "__metadata__"`, `{"__metadata__":{},"__metadata__":{}}`, 0},
		{`cannot be a tensor's name`, `{"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4},
		{`cannot be a tensor's name`, `{"a\u001b[1m":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4},
		{`the name has 2000 bytes`, `{"` + strings.Repeat("a", 2000) + `":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4},
		{`tensor t.x: null, want an object`, entry(`null`), 0},
		{`tensor t.x: a list, want an object`, entry(`[1]`), 0},
		{`tensor t.x: no dtype`, entry(`{"shape":[1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: no shape`, entry(`{"dtype":"F32","data_offsets":[0,4]}`), 4},
		{`tensor t.x: no data_offsets`, entry(`{"dtype":"F32","shape":[1]}`), 4},
		{`tensor t.x: unknown key "Shape"`, entry(`{"dtype":"F32","Shape":[1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: unknown key "x"`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}`), 4},
		{`duplicate key "shape"`, entry(`{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: dtype "F8_E4M3" is not supported`, entry(`{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: dtype "f32" is not supported`, entry(`{"dtype":"f32","shape":[1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: dtype: 3, want a string`, entry(`{"dtype":3,"shape":[1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: dtype: a list, want a string`, entry(`{"dtype":[1,2],"shape":[1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: dtype: an object, want a string`, entry(`{"dtype":{"shape":[1]},"shape":[1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: null, want a list`, entry(`{"dtype":"F32","shape":null,"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: 1.0, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: 1e0, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: -0, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}`), 0},
		{`tensor t.x: shape: -1, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: a string, want an integer of at least 0`, entry(`{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: a list, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: 18446744073709551615, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: shape: 17 entries, want at most 16`, entry(`{"dtype":"F32","shape":[` + strings.Repeat("1,", 16) + `1],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: data_offsets are [0]`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[0]}`), 4},
		{`tensor t.x: data_offsets are [0 4 8]`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}`), 4},
		{`tensor t.x: data_offsets are [4 0]`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[4,0]}`), 4},
		{`tensor t.x: 4 bytes for shape [2] of F32`, entry(`{"dtype":"F32","shape":[2],"data_offsets":[0,4]}`), 4},
		{`for shape [9223372036854775807 9223372036854775807 0] of F32`, entry(`{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]}`), 0},
		{`tensor t.x: shape: 9223372036854775808, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: data_offsets: 18446744073709551615, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}`), 4},
		{`tensor t.x: 9223372036854775803 bytes for shape [1]`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[4,9223372036854775807]}`), 4},
		{`tensor t.x: data_offsets: -4, want an integer of at least 0`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}`), 4},
		{`tensor t.x: dtype "F8_E5M2" is not supported`, entry(`{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: dtype "F4" is not supported`, entry(`{"dtype":"F4","shape":[8],"data_offsets":[0,4]}`), 4},
		{`tensor t.x: dtype "" is not supported`, entry(`{"dtype":"","shape":[1],"data_offsets":[0,4]}`), 4},
		{`the header: line 1, byte 10005: more than 10000 lists`, `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 0},
		{`the header: line 1, byte 30: found "01", want a number`, `{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}`, 4},
		{`begins with "\xef"`, "\ufeff{" + a4 + "}", 4},
		{`for shape [4611686018427387904 4] of F32`, entry(`{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}`), 0},
		{`tensor t.x ends at 8, but there are 4 bytes of data`, entry(`{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`), 4},
		{`tensor t.x begins at 4, want 0: a hole behind the header`, entry(`{"dtype":"F32","shape":[1],"data_offsets":[4,8]}`), 8},
		{`tensor b begins at 8, want 4: a hole behind a`, `{` + a4 + `,"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12},
		{`tensor b begins at 2, inside a, which ends at 4`, `{` + a4 + `,"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}`, 6},
		{`tensor b begins at 0, inside a, which ends at 4`, `{` + a4 + `,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4},
		{`8 bytes of data, but the tensors end at 4`, `{` + a4 + `}`, 8},
		{`1 bytes of data, but the tensors end at 0`, `{}`, 1},
		{`__metadata__: null, want an object`, `{"__metadata__":null,` + a4 + `}`, 4},
		{`__metadata__: a list, want an object`, `{"__metadata__":[],` + a4 + `}`, 4},
		{`__metadata__: "x": 1, want a string`, `{"__metadata__":{"x":1},` + a4 + `}`, 4},
		{`__metadata__: "x": an object, want a string`, `{"__metadata__":{"x":{"y":"z"}},` + a4 + `}`, 4},
		{`duplicate key "x"`, `{"__metadata__":{"x":"1","x":"2"},` + a4 + `}`, 4},
	} {
		t.Run(test.want, func(t *testing.T) {
			_, err := open(t, bytesOf(test.header, test.data))
			wantError(t, test.header, err, test.want, "x.safetensors: ")
		})
	}
}

func TestHeaderLengthIsNotBelieved(t *testing.T) {
	for length, want := range map[uint64]string{
		1 << 63:     "want at most 100000000",
		1<<64 - 1:   "want at most 100000000",
		1<<64 - 8:   "want at most 100000000",
		100_000_001: "want at most 100000000",
		100_000_000: "cut short",
		5:           "cut short",
		1<<32 | 4:   "want at most 100000000",
	} {
		var before, after runtime.MemStats
		data := append(binary.LittleEndian.AppendUint64(nil, length), "{}  "...)
		runtime.ReadMemStats(&before)
		_, err := open(t, data)
		runtime.ReadMemStats(&after)
		wantError(t, fmt.Sprint(length), err, want)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("length %d: %d bytes allocated for a file of %d", length, n, len(data))
		}
	}
}

// TestHeaderMemory: what the header makes the reader allocate stays a small multiple
// of the file, also where it is made to cost much.
func TestHeaderMemory(t *testing.T) {
	var many, wide, notes strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&many, `,"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
		fmt.Fprintf(&wide, `,"%d":{"dtype":"U8","shape":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"data_offsets":[0,0]}`, i)
	}
	for i := range 10_000 {
		fmt.Fprintf(&notes, `,"%d":""`, i)
	}
	for what, header := range map[string]string{
		"many tensors": "{" + many.String()[1:] + "}",
		"many axes":    "{" + wide.String()[1:] + "}",
		"metadata":     `{"__metadata__":{` + notes.String()[1:] + "}}",
	} {
		data := bytesOf(header, 0)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if _, err := open(t, data); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		runtime.ReadMemStats(&after)
		if got := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(data)); got > 100 {
			t.Errorf("%s: %.0f bytes allocated for each of the file's %d", what, got, len(data))
		}
	}
	header := `{"__metadata__":{` + notes.String()[1:] + `,"one more":""}}`
	_, err := open(t, bytesOf(header, 0))
	wantError(t, "metadata", err, "more than 10000 entries")
	header = `{"a":[` + strings.Repeat("0,", maxValues) + "0]}"
	_, err = open(t, bytesOf(header, 0))
	wantError(t, "numbers", err, "values and keys")
}

// fuzzSeeds are headers, good and bad, for 4 bytes of data.
func fuzzSeeds() []string {
	return []string{
		`{}`, `{` + a4 + `}`, `{"__metadata__":{"format":"pt"},` + a4 + `}  `,
		`{"a":{"dtype":"BF16","shape":[2,0],"data_offsets":[0,0]}}`,
		`{"a":{"dtype":{"shape":[1]},"shape":[1],"data_offsets":[0,4]}}`,
		`{"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"a":1}`,
		`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[],"data_offsets":[3,4]}}`,
		`{"a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,4]}}`,
	}
}

// FuzzHeader: what is taken, the library takes as well, and it fills the data.
func FuzzHeader(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add([]byte(s), uint16(4))
	}
	f.Fuzz(func(t *testing.T, header []byte, size uint16) {
		if _, err := checkHeader(header, uint64(size)); err != nil {
			return
		}
		file, err := st.Deserialize(bytesOf(string(header), int(size)))
		if err != nil {
			t.Fatalf("taken, but: %v", err)
		}
		var total uint64
		for _, x := range file.Tensors() {
			total += x.TensorView.DataLen()
		}
		if total != uint64(size) {
			t.Fatalf("tensors of %d bytes in %d", total, size)
		}
	})
}

// touch reads every byte.
func touch(data []byte) {
	if bytes.Count(data, []byte{1}) < 0 {
		panic("never")
	}
}

// FuzzOpen: a whole file is refused, or every byte of it can be read.
func FuzzOpen(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(bytesOf(s, 4))
		f.Add(bytesOf(s, 3))
	}
	f.Add([]byte("PK\x03\x04 and more"))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\n"))
	path := filepath.Join(f.TempDir(), "x.safetensors")
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(write(t, path, data))
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Fatalf("%v: no file named", err)
			}
			return
		}
		defer file.Close()
		total := 0
		for _, n := range file.Names() {
			x, ok := file.Tensor(n)
			if !ok || x.Name != n || cap(x.Data) > (len(x.Data)+7)/8*8 {
				t.Fatalf("%q: %v, %+v", n, ok, x)
			}
			touch(x.Data)
			total += len(x.Data)
		}
		if header := binary.LittleEndian.Uint64(data); uint64(total)+8+header != uint64(len(data)) {
			t.Fatalf("tensors of %d bytes in a file of %d", total, len(data))
		}
	})
}
