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
	rows := []HeldOutRow{{File: "valid.jsonl", Line: 3, Tokens: 12, Nats: 0.1, Answers: &Verdict{Adapter: true}}, {File: "a b.jsonl", Line: 4, Tokens: 1, Nats: 1e-300}}
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
