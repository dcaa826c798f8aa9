package data

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A File is a file of rows that was read.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of its bytes
	Rows   int    `json:"rows"`
	Format Format `json:"-"`
}

// ReadFile reads the rows of a .jsonl file, or of a .json file that holds a list
// or lines. Rows that cannot be used are all reported, as *[Mistakes].
func ReadFile(path string, columns Columns) ([]Row, File, error) {
	if err := columns.Check(); err != nil {
		return nil, File{}, err
	}
	if err := checkExtension(path); err != nil {
		return nil, File{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, File{}, fmt.Errorf("opening the data: %w", err)
	}
	defer f.Close()
	return read(path, f, columns)
}

func checkExtension(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".jsonl", ".json", ".ndjson":
		return nil
	case ".csv", ".tsv", ".txt", ".parquet", ".gz", ".zst":
		return hint(fmt.Errorf("%s: %s files are not supported", path, ext), "write one JSON object a line to a .jsonl file")
	default:
		return fmt.Errorf("%s: unknown kind of file %q, want .jsonl or .json", path, ext)
	}
}

// read reads all rows of r; name says where they stand.
func read(name string, r io.Reader, columns Columns) ([]Row, File, error) {
	rd := &reader{name: name, columns: columns, hash: sha256.New(), mistakes: Mistakes{file: name}}
	in := bufio.NewReaderSize(io.TeeReader(r, rd.hash), 1<<20)
	err := rd.start(in)
	if err == nil && rd.isList(in) {
		err = rd.list(in)
	} else if err == nil {
		err = rd.lines(in)
	}
	if err != nil {
		return nil, File{}, err
	}
	if err := rd.mistakes.err(); err != nil {
		return nil, File{}, err
	}
	if len(rd.rows) == 0 {
		return nil, File{}, fmt.Errorf("%s: no rows", name)
	}
	return rd.rows, File{Path: name, SHA256: hex.EncodeToString(rd.hash.Sum(nil)), Rows: len(rd.rows), Format: rd.rows[0].Format}, nil
}

// A reader collects the rows and the mistakes of one file.
type reader struct {
	name     string
	columns  Columns
	hash     hash.Hash
	rows     []Row
	mistakes Mistakes
}

// start skips a byte order mark.
func (rd *reader) start(in *bufio.Reader) error {
	head, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the data: %w", err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, err = in.Discard(3)
		return err
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return fmt.Errorf("%s: the file is UTF-16, want UTF-8", rd.name)
	}
	return nil
}

// isList reports whether a .json file holds a list rather than lines.
func (rd *reader) isList(in *bufio.Reader) bool {
	if strings.ToLower(filepath.Ext(rd.name)) != ".json" {
		return false
	}
	for n := 1; ; n++ {
		head, err := in.Peek(n)
		if err != nil {
			return false
		}
		if c := head[n-1]; !strings.ContainsRune(" \t\r\n", rune(c)) {
			return c == '['
		}
	}
}

// lines reads one row a line. Blank lines are passed over.
func (rd *reader) lines(in *bufio.Reader) error {
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s:%d: %w", rd.name, line, err)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			rd.row(text, line)
		}
		if err != nil {
			return nil
		}
	}
}

// list reads the elements of one JSON list.
func (rd *reader) list(in *bufio.Reader) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("%s: %w", rd.name, err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%s: %w", rd.name, err)
	}
	line, counted := 1, 0
	lineAt := func(offset int) int {
		line += bytes.Count(text[counted:offset], []byte("\n"))
		counted = offset
		return line
	}
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return rd.syntax(err, text)
		}
		rd.row(raw, lineAt(int(dec.InputOffset())-len(raw)))
	}
	if _, err := dec.Token(); err != nil {
		return rd.syntax(err, text)
	}
	if rest := bytes.TrimSpace(text[dec.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("%s:%d: more text after the list", rd.name, lineAt(len(text)-len(rest)))
	}
	return nil
}

// syntax places a JSON error on its line.
func (rd *reader) syntax(err error, text []byte) error {
	at := len(text)
	var s *json.SyntaxError
	if errors.As(err, &s) {
		at = min(int(s.Offset), len(text))
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("unexpected end of the list")
	}
	return fmt.Errorf("%s:%d: not valid JSON: %w", rd.name, 1+bytes.Count(text[:at], []byte("\n")), err)
}

// row adds one row, or its mistake.
func (rd *reader) row(text []byte, line int) {
	row, err := parseRow(text, Origin{rd.name, line}, rd.columns)
	if err == nil && len(rd.rows) > 0 && row.Format != rd.rows[0].Format {
		err = fmt.Errorf("a row of %v; the file's first is of %v (line %d)", row.Format, rd.rows[0].Format, rd.rows[0].Line)
	}
	if err != nil {
		rd.mistakes.add(fmt.Errorf("%s:%d: %w", rd.name, line, err))
		return
	}
	rd.rows = append(rd.rows, row)
}
