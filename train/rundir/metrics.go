package rundir

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/finetune/internal/files"
)

// A Metric is one line of metrics.jsonl: of a training step (Loss) or of an
// evaluation (EvalLoss). Losses are nats per trained token.
type Metric struct {
	Step            int      `json:"step"`
	Epoch           float64  `json:"epoch"`
	Loss            *float64 `json:"loss,omitempty"`
	EvalLoss        *float64 `json:"eval_loss,omitempty"`
	BaseEvalLoss    *float64 `json:"base_eval_loss,omitempty"` // of the model without adapters, on the line of step 0
	LearningRate    *float64 `json:"learning_rate,omitempty"`
	GradNorm        *float64 `json:"grad_norm,omitempty"`
	Tokens          int      `json:"tokens"` // seen so far
	TokensPerSecond float64  `json:"tokens_per_second,omitempty"`
	Seconds         float64  `json:"seconds"`
	Samples         []Sample `json:"samples,omitempty"` // of an evaluation
}

// A Sample is a prompt and what the adapter of the step answers.
type Sample struct {
	Prompt string `json:"prompt"`
	Answer string `json:"answer"`
}

// metrics appends to metrics.jsonl.
type metrics struct {
	f    *os.File
	size int64
}

// openMetrics opens the folder's figures behind the bytes that a state knows of.
func (d *Dir) openMetrics(size int64) (short bool, err error) {
	if d.metrics, short, err = openMetrics(d.Path(MetricsFile), size); err != nil {
		return false, err
	}
	return short, files.SyncDir(d.path)
}

// Record appends a line to the figures.
func (d *Dir) Record(line Metric) error {
	if err := d.metrics.add(line); err != nil {
		return err
	}
	return d.addEvents(&line)
}

// Flush makes the figures so far durable and returns their size in bytes.
func (d *Dir) Flush() (int64, error) { return d.metrics.size, d.metrics.sync() }

// openMetrics cuts the file at path to the size bytes that a checkpoint knows of
// and appends behind them. short reports that there were fewer: then it appends
// behind the last whole line.
func openMetrics(path string, size int64) (m *metrics, short bool, err error) {
	if err := removeUnlessFile(path); err != nil {
		return nil, false, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, false, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		short = true
		size, err = wholeLines(f)
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return &metrics{f: f, size: size}, short, nil
}

// linesBefore returns how many lines end in the first size bytes of f, as far as it can be
// read.
func linesBefore(f io.ReaderAt, size int64) (n int) {
	for in := bufio.NewReader(io.NewSectionReader(f, 0, size)); ; n++ {
		if _, err := in.ReadBytes('\n'); err != nil {
			return n
		}
	}
}

// wholeLines returns how many bytes of f are lines with their end.
func wholeLines(f *os.File) (size int64, err error) {
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return 0, err
		}
		size += int64(len(line))
	}
}

func (m *metrics) add(line Metric) error {
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("metrics.jsonl: %w", err)
	}
	n, err := m.f.Write(append(text, '\n'))
	m.size += int64(n)
	return err
}

// sync makes the lines so far durable.
func (m *metrics) sync() error { return m.f.Sync() }

func (m *metrics) close() error { return m.f.Close() }

// ReadMetrics reads a metrics.jsonl file. A last line without its end, as a run
// that was killed leaves it, is skipped.
func ReadMetrics(path string) ([]Metric, error) {
	list, _, err := ReadMetricsFrom(path, 0)
	return list, err
}

// ReadMetricsFrom reads the lines of a metrics.jsonl file behind so many bytes, and returns how
// many there are with them. A file that has fewer has been cut: nothing is read, and they are 0.
func ReadMetricsFrom(path string, from int64) (list []Metric, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < from {
		return nil, 0, err
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	in := bufio.NewReader(f)
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return list, from, nil
		}
		var m Metric
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s:%d: %w", path, linesBefore(f, from)+1, err)
		}
		list = append(list, m)
		from += int64(len(text))
	}
}
