package rundir

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestHeldOut(t *testing.T) {
	dir := t.TempDir()
	if rows, err := ReadHeldOut(dir); rows != nil || err != nil {
		t.Fatalf("no file: %v, %v", rows, err)
	}
	rows := []HeldOutRow{{"valid.jsonl", 3, 12, 0.1}, {"a b.jsonl", 4, 1, 1e-300}}
	text, err := EncodeHeldOut(rows)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, HeldOutFile)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if back, err := ReadHeldOut(dir); err != nil || !reflect.DeepEqual(back, rows) {
		t.Errorf("read back %v, %v", back, err)
	}
	if err := os.WriteFile(path, append(text, "no row\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHeldOut(dir); err == nil || !strings.Contains(err.Error(), "heldout.jsonl:3: ") {
		t.Errorf("a broken line: %v", err)
	}
}
