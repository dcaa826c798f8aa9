package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxRow is the longest JSON text of a row in bytes. More is no row of text.
const maxRow = 64 << 20

// A File is an open Parquet file.
type File struct {
	name    string
	in      io.ReaderAt
	footer  *footer
	root    *node
	unpack  unpacker
	text    []byte // of the present row
	mistake error  // the first one of the present row
}

// A Column is one of a file's columns, with all that is nested in it.
type Column struct {
	Name   string
	Type   string // such as "list<struct<role: string, content: string>>"
	Binary bool   // bytes that are no text are in it, and not read
}

// A Row is a row of a file.
type Row struct {
	Number int64  // from 1
	Text   []byte // a JSON object, valid until the next row is asked for; nil with an Err
	Err    error  // what keeps it from being JSON, with the column's path
}

// Open reads what a file of size bytes says about itself. The name is for errors, all of
// which begin with it. The File is of use as long as r is.
func Open(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, in: r}
	var err error
	if f.footer, err = readFooter(r, size); err == nil {
		f.root, _, err = buildSchema(f.footer.elements)
	}
	if err == nil && len(f.root.read) == 0 {
		err = errors.New("none of its columns is text or numbers")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// NumRows returns the number of rows.
func (f *File) NumRows() int64 { return f.footer.rows }

// Columns returns the columns in the order of their keys in a row.
func (f *File) Columns() []Column {
	columns := make([]Column, len(f.root.children))
	for i, n := range f.root.children {
		columns[i] = Column{Name: n.name, Type: typeOf(n), Binary: hasBinary(n)}
	}
	return columns
}

// Rows yields the rows in their order. A mistake in a row is in the [Row], and the next
// ones follow; a file that cannot be read further is an error, the last thing yielded.
// There can be one loop over the rows at a time.
func (f *File) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		number := int64(0)
		for i, g := range f.footer.groups {
			if err := f.begin(g); err != nil {
				yield(Row{}, fmt.Errorf("%s: row group %d, %w", f.name, i, err))
				return
			}
			for range g.rows {
				number++
				row, err := f.row(number)
				if err != nil {
					yield(Row{}, fmt.Errorf("%s: row group %d, row %d, %w", f.name, i, number, err))
					return
				}
				if !yield(row, nil) {
					return
				}
			}
			if err := f.end(); err != nil {
				yield(Row{}, fmt.Errorf("%s: row group %d, %w", f.name, i, err))
				return
			}
		}
	}
}

// within names the column of an error.
func within(c *column, err error) error { return fmt.Errorf("column %q: %w", c.path, err) }

// begin opens the columns of a row group.
func (f *File) begin(g rowGroup) error {
	for _, c := range f.root.read {
		if err := c.open(f.in, g.chunks[c.index], f.footer.start); err != nil {
			return within(c, err)
		}
	}
	return nil
}

func (f *File) end() error {
	for _, c := range f.root.read {
		if err := c.end(&f.unpack); err != nil {
			return within(c, err)
		}
	}
	return nil
}

// row puts the next row together.
func (f *File) row(number int64) (Row, error) {
	if cap(f.text) > maxRow/16 { // a long row's text is not kept
		f.text = nil
	}
	f.text, f.mistake = f.text[:0], nil
	if err := f.node(f.root, 0, 0); err != nil {
		return Row{}, err
	}
	if f.mistake != nil {
		return Row{Number: number, Err: f.mistake}, nil
	}
	return Row{Number: number, Text: f.text}, nil
}

// node appends the next value of n. Its columns must go on with the repetition level
// rep, and with a definition level of at least def, that of the node around it.
func (f *File) node(n *node, rep, def int) error {
	if n.text != nil {
		return f.add(n, n.text...)
	}
	if n.shape == leafShape {
		return f.leaf(n.column, rep, def)
	}
	c := n.read[0]
	if err := f.load(c, rep, def); err != nil {
		return err
	}
	switch {
	case c.def < n.def:
		return f.absent(n, rep, c.def, "null")
	case n.shape == structShape:
		return f.object(n, rep)
	case c.def > n.def:
		return f.elements(n, rep)
	case n.shape == listShape:
		return f.absent(n, rep, c.def, "[]")
	}
	return f.absent(n, rep, c.def, "{}")
}

// add appends text that stands in n's place.
func (f *File) add(n *node, text ...byte) error {
	f.text = append(f.text, text...)
	if len(f.text) > maxRow {
		return fmt.Errorf("column %q: the row is longer than %d MB", n.name, maxRow>>20)
	}
	return nil
}

// load loads the next levels of a column and verifies them.
func (f *File) load(c *column, rep, def int) error {
	if err := c.load(&f.unpack); err != nil {
		return within(c, err)
	}
	switch {
	case c.rep < 0:
		return within(c, errors.New("fewer values than rows"))
	case c.rep != rep || c.def < def:
		return within(c, fmt.Errorf("levels %d and %d, want %d and at least %d: the columns of a list or struct disagree", c.rep, c.def, rep, def))
	}
	return nil
}

// absent appends text for a node that is null or empty, for which each column under it
// has one value without anything but its levels.
func (f *File) absent(n *node, rep, def int, text string) error {
	for _, c := range n.read {
		if err := f.load(c, rep, def); err != nil {
			return err
		}
		if c.def != def {
			return within(c, fmt.Errorf("level %d, want %d: the columns of a list or struct disagree", c.def, def))
		}
		c.loaded = false
	}
	return f.add(n, []byte(text)...)
}

func (f *File) object(n *node, rep int) error {
	f.text = append(f.text, '{')
	for i, child := range n.children {
		if i > 0 {
			f.text = append(f.text, ',')
		}
		f.text = append(appendString(f.text, child.name), ':')
		if err := f.node(child, rep, n.def); err != nil {
			return err
		}
	}
	return f.add(n, '}')
}

// elements appends those of a list or a map, of which there is at least one.
func (f *File) elements(n *node, rep int) error {
	open, end := byte('['), byte(']')
	if n.shape == mapShape {
		open, end = '{', '}'
	}
	f.text = append(f.text, open)
	c := n.read[0]
	for {
		if n.shape == mapShape {
			if err := f.key(n, rep); err != nil {
				return err
			}
		}
		if err := f.node(n.children[len(n.children)-1], rep, n.def+1); err != nil {
			return err
		}
		if err := c.load(&f.unpack); err != nil {
			return within(c, err)
		}
		if c.rep < n.rep {
			return f.add(n, end)
		}
		rep = n.rep
		if err := f.add(n, ','); err != nil {
			return err
		}
	}
}

// key appends the key of a map's next element, quoted whatever its type is.
func (f *File) key(n *node, rep int) error {
	start := len(f.text)
	if err := f.node(n.children[0], rep, n.def+1); err != nil {
		return err
	}
	switch key := string(f.text[start:]); {
	case key == "null":
		f.mistaken(n.children[0].column, errors.New("a key is null"))
	case key != "" && key[0] != '"':
		f.text = appendString(f.text[:start], key)
	}
	f.text = append(f.text, ':')
	return nil
}

// leaf appends the next value of a column.
func (f *File) leaf(c *column, rep, def int) error {
	if err := f.load(c, rep, def); err != nil {
		return err
	}
	c.loaded = false
	if c.def < c.maxDef {
		f.text = append(f.text, "null"...)
	} else {
		v, err := c.decoder.next()
		if err != nil {
			return within(c, err)
		}
		if len(v.bytes) > maxRow {
			return within(c, fmt.Errorf("a value of %d bytes: the row is longer than %d MB", len(v.bytes), maxRow>>20))
		}
		if text, err := c.append(f.text, v); err != nil {
			f.mistaken(c, err)
		} else {
			f.text = text
		}
	}
	if len(f.text) > maxRow {
		return within(c, fmt.Errorf("the row is longer than %d MB", maxRow>>20))
	}
	return nil
}

// mistaken keeps the first mistake of a row.
func (f *File) mistaken(c *column, err error) {
	if f.mistake == nil {
		f.mistake = within(c, err)
	}
}

const (
	cutHint   = "copy or download the file again"
	againHint = `write the file again in Python: import pandas; pandas.read_parquet("in.parquet").to_parquet("out.parquet")`
)
