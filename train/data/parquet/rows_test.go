package parquet

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// openFile opens a file of testdata.
func openFile(t testing.TB, name string) (*File, error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return Open(name, bytes.NewReader(data), int64(len(data)))
}

// TestTwins: the rows of each file are, byte for byte, the JSON lines of its twin, which
// testdata/generate.py wrote with Python's own readers.
func TestTwins(t *testing.T) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "bad-") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			twin, _, _ := strings.Cut(name, ".")
			want := lines(t, twin+".jsonl")
			f, err := openFile(t, name)
			if err != nil {
				t.Fatal(err)
			}
			if f.NumRows() != int64(len(want)) {
				t.Errorf("%d rows, want %d", f.NumRows(), len(want))
			}
			checkRows(t, f, want)
			checkRows(t, f, want) // a second loop begins again
		})
	}
}

// lines returns the lines of a file of testdata.
func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.SplitAfter(string(text), "\n")
	return all[:len(all)-1]
}

func checkRows(t *testing.T, f *File, want []string) {
	t.Helper()
	n := 0
	for row, err := range f.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		n++
		switch got := string(row.Text) + "\n"; {
		case row.Err != nil:
			t.Errorf("row %d: %v", n, row.Err)
		case row.Number != int64(n):
			t.Errorf("row %d is numbered %d", n, row.Number)
		case n > len(want):
			t.Errorf("row %d is one too many: %s", n, got)
		case got != want[n-1]:
			t.Errorf("row %d:\n%swant\n%s", n, got, want[n-1])
		}
	}
	if n != len(want) {
		t.Errorf("%d rows came, want %d", n, len(want))
	}
}
