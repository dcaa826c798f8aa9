// Package parquet reads the rows of a Parquet file as JSON text, one object a row with
// its keys in the order of the schema. It knows the file format as pyarrow, datasets,
// pandas, polars and DuckDB write it; it does not know what a row means.
//
// # The way of a row
//
// [Open] reads the footer (thrift.go, footer.go) and makes a tree of the schema's flat
// list (schema.go). For each row group, a column (column.go) reads its pages one after
// the other, unpacks them (codec.go) and yields repetition level, definition level and
// value (encoding.go). [File.Rows] puts the levels of all columns together to nested
// JSON (file.go), its values as text.go writes them.
//
// # Values
//
// Numbers and strings are written as Python's json.dumps(row, ensure_ascii=False)
// writes what pyarrow reads: floats in their shortest form with a point or exponent,
// decimals with all their digits, dates and times as isoformat. A string of the type
// JSON is the value it spells, as datasets has it. A map is an object. NaN, infinities,
// strings that are not UTF-8 and null keys are mistakes of their row.
//
// Bytes that are no text (images, sounds) are never read. In their place stands
// {"binary":"image.bytes"}, with the path of the column; [Column.Binary] tells a caller
// that needs the column. Whether a struct around them is null is known from the columns
// beside them; where there are none, the struct is this placeholder as a whole.
//
// # Decisions
//
// This is code of our own because of its size: parquet-go adds ten megabytes and nine
// modules to a program, this package and klauspost/compress (zstd, Snappy, LZ4) half a
// megabyte and one module. Brotli would add two more megabytes for a codec
// that no library chooses unasked; it is refused by name, with a way out.
//
// Memory is one page and one dictionary a column, as the writer cut them, and one
// compressed page: some twenty megabytes for files of any size by pyarrow, datasets and
// polars, three hundred by DuckDB, whose pages have up to 100 MB. Nothing is believed before bytes stand for it: buffers grow as data
// arrives, and counts are bounded by the bytes that hold them.
//
// Source: the format's parquet.thrift, Encodings.md and LogicalTypes.md
// (github.com/apache/parquet-format).
package parquet
