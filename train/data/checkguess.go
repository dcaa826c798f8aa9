package data

import (
	"fmt"
	"io"
	"os"
)

// guessBytes is how much of a file is looked at for its columns: the first row of
// any but the strangest.
const guessBytes = 1 << 20

// GuessColumns proposes names of columns for the file at path from its first row. It
// is empty where the names are those of a format, or say nothing.
func GuessColumns(path string) (Columns, error) {
	if err := checkExtension(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	defer f.Close()
	guess, seen := "", false
	_ = scan(path, io.LimitReader(f, guessBytes), func(r raw) { // what ends it is for the real reading to say
		if seen || r.err != nil || r.block != nil {
			return
		}
		if _, err := parseRow(r.text, Origin{path, r.line}, nil); err == nil {
			seen = true
		} else if checkJSON(r.text) != nil {
			return
		} else if o, err := parseObject(r.text); err == nil {
			guess, seen = guessColumns(o), true
		}
	})
	return ParseColumns(guess)
}
