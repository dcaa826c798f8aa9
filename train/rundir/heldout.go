package rundir

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A HeldOutRow is a validation row and the loss that the saved adapter has on it: a line
// of heldout.jsonl. Two runs are compared row by row where they measured the same ones.
type HeldOutRow struct {
	File   string  `json:"file"` // its name, without folders
	Line   int     `json:"line"`
	Tokens int     `json:"tokens"` // trained ones
	Nats   float64 `json:"nats"`   // of all of them together

	Answers *Verdict `json:"answers,omitempty"` // nil where the row was not asked
}

// A Verdict says whose answer to a row was right.
type Verdict struct {
	Base    bool `json:"base"`
	Adapter bool `json:"adapter"`
}

// EncodeHeldOut returns the content of heldout.jsonl.
func EncodeHeldOut(rows []HeldOutRow) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, row := range rows {
		if err := e.Encode(row); err != nil {
			return nil, fmt.Errorf("%s: %w", HeldOutFile, err)
		}
	}
	return b.Bytes(), nil
}

// ReadHeldOut reads heldout.jsonl of a run's folder; none where there is no such file.
func ReadHeldOut(dir string) (rows []HeldOutRow, err error) {
	path := filepath.Join(dir, HeldOutFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for line := 1; in.Scan(); line++ {
		var row HeldOutRow
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		rows = append(rows, row)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}
