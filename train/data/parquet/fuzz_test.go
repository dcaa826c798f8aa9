package parquet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// FuzzFile reads any bytes as a file: no panic, no hang, no memory that the bytes do not
// stand for, errors with the file's name, and rows that are JSON.
func FuzzFile(f *testing.F) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		start, before := time.Now(), allocated()
		rows, text := readAll(t, data)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%d bytes took %v", len(data), d)
		}
		// The buffers of a zstd decoder are the largest that are there for any data.
		if n := allocated() - before; n > 64<<20+uint64(len(data)+text)*1000+uint64(rows)*1000 {
			t.Errorf("%d bytes took %d MB of memory", len(data), n>>20)
		}
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// readAll reads the first rows and checks them. It returns how many there were, and
// the bytes of their text.
func readAll(t *testing.T, data []byte) (rows, text int) {
	file, err := Open("x.parquet", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		wantPrefix(t, err, "x.parquet: ")
		return 0, 0
	}
	for row, err := range file.Rows() {
		switch {
		case err != nil:
			wantPrefix(t, err, "x.parquet: row group ")
			return rows, text
		case row.Err != nil:
			wantPrefix(t, row.Err, "column ")
		case !json.Valid(row.Text):
			t.Fatalf("row %d is no JSON: %q", row.Number, row.Text)
		}
		text += len(row.Text)
		if rows++; rows > 10_000 || text > 32<<20 {
			break // a page of nulls can have any number of them
		}
	}
	return rows, text
}

func wantPrefix(t *testing.T, err error, want string) {
	t.Helper()
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want it to begin with %q", err, want)
	}
}

// FuzzPage reads any bytes as an unpacked page of each type and encoding, which few
// inputs of FuzzFile come to.
func FuzzPage(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 'a', 'b', 'c'}, byte(physicalBytes), byte(encodingPlain), byte(0))
	f.Add([]byte{128, 1, 4, 5, 2, 2, 0, 0, 0, 0}, byte(physicalInt64), byte(encodingDelta), byte(0))
	f.Add([]byte{128, 1, 4, 1, 6, 'a', 'b', 'c'}, byte(physicalBytes), byte(encodingDeltaLength), byte(0))
	f.Add([]byte{128, 1, 4, 1, 0, 128, 1, 4, 1, 2, 'a'}, byte(physicalBytes), byte(encodingDeltaBytes), byte(0))
	f.Add([]byte{2, 3, 0xe4, 0xe4}, byte(physicalBytes), byte(encodingDictionary), byte(4))
	f.Add([]byte{2, 0, 0, 0, 6, 1}, byte(physicalBoolean), byte(encodingRLE), byte(0))
	f.Add(bytes.Repeat([]byte{1, 2, 3, 4}, 6), byte(physicalFixed), byte(encodingSplit), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, physical, encoding, entries byte) {
		c := &column{physical: int(physical % 8), length: 3}
		var page []byte
		for i := range entries {
			page = append(binary.LittleEndian.AppendUint32(page, 12), "twelve bytes"[:]...)
			page[len(page)-1] = i
		}
		c.dictionary.page = page
		if err := c.dictionary.index(c.physical, c.length, int(entries)); err != nil {
			c.dictionary.count = -1
		}
		d, err := newDecoder(int(encoding%10), c, data)
		for n := 0; err == nil && n < 10_000; n++ {
			var v value
			if v, err = d.next(); err == nil && len(v.bytes) > len(data)+12 {
				t.Fatalf("a value of %d bytes from %d", len(v.bytes), len(data))
			}
		}
	})
}
