package rundir

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestMetricsGoOnWhereACheckpointWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	open := func(size int64) (*metrics, bool) {
		t.Helper()
		m, short, err := openMetrics(path, size)
		if err != nil {
			t.Fatal(err)
		}
		return m, short
	}
	add := func(m *metrics, step int) {
		t.Helper()
		loss := float64(step) + 0.1
		if err := m.add(Metric{Step: step, Loss: &loss}); err != nil {
			t.Fatal(err)
		}
	}
	m, _ := open(0)
	add(m, 1)
	known := m.size
	add(m, 2)
	add(m, 3)
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	m, short := open(known)
	if short {
		t.Error("the file is said to be short")
	}
	add(m, 2)
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	if err := appendText(path, `{"step": 9`); err != nil { // a run that was killed while it wrote
		t.Fatal(err)
	}
	lines, err := ReadMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	one, two := 1.1, 2.1
	if want := []Metric{{Step: 1, Loss: &one}, {Step: 2, Loss: &two}}; !reflect.DeepEqual(lines, want) {
		t.Errorf("got %+v", lines)
	}
}

func TestMetricsThatAreDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	put(t, path, "{\"step\": 1}\noops\n")
	m, short, err := openMetrics(path, 1<<20)
	if err != nil || !short {
		t.Errorf("a file that is too short is not noticed: %v, %v", short, err)
	}
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	_, err = ReadMetrics(path)
	expect(t, "not JSON", err, "metrics.jsonl:2: ", "")
}

// A file that is read on from where it was names its own lines.
func TestMetricsReadFromAnOffsetNameTheirLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	start := "{\"step\": 1}\n{\"step\": 2}\n"
	put(t, path, start+"{\"step\": 3}\noops\n")
	_, _, err := ReadMetricsFrom(path, int64(len(start)))
	expect(t, "not JSON", err, "metrics.jsonl:4: ", "")
}

func appendText(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Close()
}
