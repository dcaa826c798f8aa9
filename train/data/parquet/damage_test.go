package parquet

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// firstError opens data and reads it to its first error that is not one of a row alone.
func firstError(data []byte) error {
	f, err := Open("x.parquet", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, err := range f.Rows() {
		if err != nil {
			return err
		}
	}
	return nil
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want it to contain %q", err, part)
		}
	}
}

func wantHint(t *testing.T, err error, part string) {
	t.Helper()
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), part) {
		t.Errorf("%v has no hint with %q", err, part)
	}
}

// TestRefused: files that another program wrote and this one does not read.
func TestRefused(t *testing.T) {
	for name, want := range map[string][]string{
		"bad-encrypted.parquet":         {"x.parquet: the file is encrypted"},
		"bad-encrypted-columns.parquet": {"x.parquet: the file is encrypted"},
		"bad-only-binary.parquet":       {"x.parquet: none of its columns is text or numbers"},
		"bad-brotli.parquet":            {`x.parquet: row group 0, column "id": compression BROTLI is not supported, want none, SNAPPY`},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			err = firstError(data)
			wantError(t, err, want...)
			if strings.Contains(name, "brotli") {
				wantHint(t, err, "to_parquet")
			}
		})
	}
}

// TestMistakes: a row that cannot be JSON is named with its column, and the others come.
func TestMistakes(t *testing.T) {
	f, err := openFile(t, "bad-rows.parquet")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`{"text":"a","score":0.5,"list":[1.0]}`, `column "text": not valid UTF-8`, `column "score": NaN, want a finite number`}
	for row, err := range f.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		got := string(row.Text)
		if row.Err != nil {
			got += row.Err.Error()
		}
		if got != want[row.Number-1] {
			t.Errorf("row %d: %s, want %s", row.Number, got, want[row.Number-1])
		}
	}
}

// TestNoParquet: what else lies where Parquet files are looked for.
func TestNoParquet(t *testing.T) {
	for data, want := range map[string]string{
		"":                             "the file is empty",
		"P":                            `not a Parquet file: it begins with "P"`,
		`{"text": "a"}`:                `not a Parquet file: it begins with "{\"te", want "PAR1"`,
		"version https://git-lfs..":    "a Git LFS pointer",
		"PAR1":                         "the file is cut short: 4 bytes",
		"PAR1 and more of it":          "begins as Parquet and does not end so",
		"PARE\x00\x00\x00\x00PARE":     "encrypted",
		"PAR1\x00\x00\x00\x00PAR1":     "the footer: ends within its description",
		"PAR1\xff\x00\x00\x00PAR1":     "a footer of 255 bytes in a file of 12",
		"PAR1\x00\x01\x00\x00\x00PAR1": "no schema",
	} {
		wantError(t, firstError([]byte(data)), "x.parquet: ", want)
	}
	wantHint(t, firstError([]byte("version https://git-lfs")), "git lfs pull")
	wantHint(t, firstError([]byte("PAR1 and more of it")), "again")
}

// TestCut: no beginning of a file is taken for the file.
func TestCut(t *testing.T) {
	data, err := os.ReadFile("testdata/stories.none-v1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		wantError(t, firstError(data[:n]), "x.parquet: ")
	}
}

// TestDamage changes each byte of some files, which gives an error or rows that are JSON.
func TestDamage(t *testing.T) {
	files := []string{"stories.none-v1", "stories.none-v2", "stories.zstd-v2", "stories.lz4-v1", "table.duckdb"}
	if testing.Short() {
		files = files[:2]
	}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			change := []byte{0x01, 0x80, 0xff}[i%3]
			data[i] ^= change
			readAll(t, data)
			data[i] ^= change
		}
	}
}

// TestChecksum: a page with a checksum that was changed is known as damaged.
func TestChecksum(t *testing.T) {
	data, err := os.ReadFile("testdata/pages.v1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := 100; i < 3000; i += 13 {
		data[i] ^= 1
		if err := firstError(data); err != nil && strings.Contains(err.Error(), "checksum is wrong: the file is damaged") {
			found++
		}
		data[i] ^= 1
	}
	if found < 50 {
		t.Errorf("%d of the changes were known by a checksum", found)
	}
}

// ints are two plain INT32: 1, 2.
const ints = "\x01\x00\x00\x00\x02\x00\x00\x00"

// TestLies: counts, lengths, codecs and encodings that cannot be.
func TestLies(t *testing.T) {
	one := func(values, codec int64, pages ...[]byte) []byte {
		return crafted{2, []raw{leaf("a", 1, 0)}, []craftedColumn{{values, codec, pages}}}.bytes(1)
	}
	listed := func(pageA, pageB []byte, a, b int64) []byte { // a: list<struct<x, y>>, by their levels
		return crafted{1, []raw{group("l", 2, 2), leaf("x", 1, 0), leaf("y", 1, 0)}, []craftedColumn{{a, 0, [][]byte{pageA}}, {b, 0, [][]byte{pageB}}}}.bytes(1)
	}
	// Two elements in a row: repetition 0, 1; definition 1, 1.
	two := "\x02\x00\x00\x00\x03\x02" + "\x02\x00\x00\x00\x04\x01" + ints
	other := "\x02\x00\x00\x00\x03\x02" + "\x02\x00\x00\x00\x03\x01" + ints // definition 1, 0
	single := "\x02\x00\x00\x00\x02\x00" + "\x02\x00\x00\x00\x02\x01" + ints[:4]
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"good":               {one(2, 0, page(2, 0, ints)), nil},
		"good list":          {listed(page(2, 0, two), page(2, 0, two), 2, 2), nil},
		"few values":         {one(1, 0, page(1, 0, ints)), []string{`row group 0, row 2, column "a": fewer values than rows`}},
		"many values":        {one(3, 0, page(3, 0, ints+ints)), []string{`column "a": more values than rows`}},
		"page too long":      {one(2, 0, page(3, 0, ints+ints)), []string{"page at byte 4: 3 values, where the column has 2 left"}},
		"column ends":        {one(2, 0, page(1, 0, ints)), []string{"page at byte ", "the column ends 1 values early"}},
		"values end":         {one(2, 0, page(2, 0, ints[:6])), []string{`row 2, column "a": the page ends before its values do`}},
		"negative values":    {one(2, 0, page(-1, 0, ints)), []string{"-1 values"}},
		"negative chunk":     {one(-2, 0, page(2, 0, ints)), []string{"-2 values in"}},
		"huge page":          {one(2, 2, header(0, 1<<40, 8, 2, 0, ints)), []string{"1099511627776 bytes, packed 8, want at most 1073741824"}},
		"large page":         {one(2, 2, header(0, 1<<30, 8, 2, 0, ints)), []string{"not valid gzip data"}},
		"large zstd":         {one(2, 6, header(0, 1<<30, 8, 2, 0, ints)), []string{"not valid zstd data"}},
		"long zstd":          {one(2, 6, header(0, 1<<30, 13, 2, 0, "\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x40\x03\x00\x00a")), []string{"zstd data"}},
		"wrong zstd":         {one(2, 6, header(0, 8, 13, 2, 0, "\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x40\x03\x00\x00a")), []string{"zstd data for 1073741824 bytes, want 8"}},
		"zstd window":        {one(2, 6, header(0, 1<<30, 10, 2, 0, "\x28\xb5\x2f\xfd\x00\x98\x03\x00\x00a")), []string{"bytes of zstd data, want 1073741824"}},
		"large snappy":       {one(2, 1, header(0, 1<<30, 8, 2, 0, "\x80\x80\x80\x80\x04\x00\x00\x00")), []string{"8 bytes of Snappy data for 1073741824"}},
		"large lz4":          {one(2, 7, header(0, 1<<30, 8, 2, 0, ints)), []string{"not an LZ4 block of 1073741824 bytes"}},
		"packed too long":    {one(2, 1, header(0, 8, 1<<20, 2, 0, ints)), []string{"1048576 bytes, where the column has 8 left"}},
		"not packed":         {one(2, 0, header(0, 9, 8, 2, 0, ints)), []string{"8 bytes, want 9: it is not packed"}},
		"unknown codec":      {one(2, 9, page(2, 0, ints)), []string{"compression number 9 is not supported"}},
		"old codec":          {one(2, 3, page(2, 0, ints)), []string{"compression LZO is not supported"}},
		"unknown encoding":   {one(2, 0, page(2, 11, ints)), []string{"encoding 11 is not supported for its type"}},
		"wrong encoding":     {one(2, 0, page(2, 6, ints)), []string{"encoding 6 is not supported for its type"}},
		"no dictionary":      {one(2, 0, page(2, 8, "\x01\x03\x00")), []string{"a page of dictionary indexes without a dictionary"}},
		"unknown page":       {one(2, 0, header(7, 8, 8, 2, 0, ints)), []string{"page at byte 4: of unknown kind 7"}},
		"levels disagree":    {listed(page(2, 0, two), page(2, 0, other), 2, 2), []string{`column "l[].y": levels 1 and 0, want 1 and at least 1: the columns of a list or struct disagree`}},
		"lists disagree":     {listed(page(2, 0, two), page(1, 0, single), 2, 1), []string{`column "l[].y": fewer values than rows`}},
		"lists disagree too": {listed(page(1, 0, single), page(2, 0, two), 1, 2), []string{`column "l[].y": more values than rows`}},
		"depth":              {crafted{1, deep(70), []craftedColumn{{}}}.bytes(1), []string{"nested more than 64 deep"}},
		"same names":         {crafted{1, []raw{leaf("a", 1, 0), leaf("a", 1, 0)}, []craftedColumn{{}, {}}}.bytes(2), []string{`two columns are named "a"`}},
		"no chunks":          {crafted{1, []raw{leaf("a", 1, 0)}, nil}.bytes(1), []string{"the footer: a row group without columns"}},
		"few chunks":         {crafted{1, []raw{leaf("a", 1, 0), leaf("b", 1, 0)}, []craftedColumn{{}}}.bytes(2), []string{"row group 0 has 1 columns, the schema has 2"}},
		"children":           {crafted{1, []raw{leaf("a", 1, 0)}, []craftedColumn{{}}}.bytes(1 << 40), []string{"a group of 1099511627776 columns"}},
		"lines":              {crafted{1, []raw{leaf("a", 1, 0), leaf("b", 1, 0)}, []craftedColumn{{}, {}}}.bytes(1), []string{"the schema has 1 lines too many"}},
		"repetition":         {crafted{1, []raw{leaf("a", 1, 3)}, []craftedColumn{{}}}.bytes(1), []string{`column "a": repetition 3 is not supported`}},
		"type":               {crafted{1, []raw{leaf("a", 9, 0)}, []craftedColumn{{}}}.bytes(1), []string{`column "a": physical type 9 is not supported`}},
		"huge list":          {withFooter([]byte("PAR1"), record(2, listOf(1<<40))), []string{"the footer: a length of 1099511627776 where"}},
		"huge name":          {withFooter([]byte("PAR1"), record(2, list(record(4, raw{thriftBinary, []byte("\xff\xff\xff\xff\x0f")})))), []string{"a length of 4294967295 where"}},
		"rows":               {crafted{-1, []raw{leaf("a", 1, 0)}, []craftedColumn{{}}}.bytes(1), []string{"row group 0 has -1 rows"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			err := firstError(c.data)
			if n := allocated() - before; n > 32<<20 {
				t.Errorf("%d MB of memory for %d bytes", n>>20, len(c.data))
			}
			if c.want != nil {
				wantError(t, err, c.want...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// deep is a schema of n groups in each other.
func deep(n int) []raw {
	var s []raw
	for range n {
		s = append(s, group("g", 1, 1))
	}
	return append(s, leaf("a", 1, 0))
}

// TestLongRow: a page of few bytes may stand for a list that no memory holds.
func TestLongRow(t *testing.T) {
	// 2^31-1 nulls: repetition 0, then 1; definition 1 of 2.
	n := int64(1<<31 - 1)
	levels := "\x08\x00\x00\x00" + "\x02\x00" + "\xfc\xff\xff\xff\x0f\x01" + "\x06\x00\x00\x00" + "\xfe\xff\xff\xff\x0f\x01"
	data := crafted{
		1,
		[]raw{note(group("a", 0, 1), 3), group("list", 2, 1), leaf("element", 1, 1)},
		[]craftedColumn{{n, 0, [][]byte{page(n, 0, levels)}}},
	}.bytes(1)
	wantError(t, firstError(data), `row group 0, row 1, column "a[]": the row is longer than 64 MB`)
}

// TestOlderLists: the shapes that lists had before the format had a rule for them.
func TestOlderLists(t *testing.T) {
	element := page(2, 0, "\x02\x00\x00\x00\x03\x02"+"\x02\x00\x00\x00\x04\x01"+ints)
	for name, c := range map[string]struct {
		schema []raw
		want   string
	}{
		"bare":           {[]raw{leaf("a", 1, 2)}, `{"a":[1,2]}`},
		"two levels":     {[]raw{note(group("a", 0, 1), 3), leaf("element", 1, 2)}, `{"a":[1,2]}`},
		"array":          {[]raw{note(group("a", 0, 1), 3), group("array", 2, 1), leaf("x", 1, 0)}, `{"a":[{"x":1},{"x":2}]}`},
		"tuple":          {[]raw{note(group("a", 0, 1), 3), group("a_tuple", 2, 1), leaf("x", 1, 0)}, `{"a":[{"x":1},{"x":2}]}`},
		"three levels":   {[]raw{note(group("a", 0, 1), 3), group("bag", 2, 1), leaf("x", 1, 0)}, `{"a":[1,2]}`},
		"repeated group": {[]raw{group("a", 2, 1), leaf("x", 1, 0)}, `{"a":[{"x":1},{"x":2}]}`},
	} {
		data := crafted{1, c.schema, []craftedColumn{{2, 0, [][]byte{element}}}}.bytes(1)
		f, err := Open(name, bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Error(err)
			continue
		}
		for row, err := range f.Rows() {
			if err != nil || string(row.Text) != c.want {
				t.Errorf("%s: %s, %v, want %s", name, row.Text, err, c.want)
			}
		}
	}
}

// TestBadValues: values that a type does not have are mistakes of their row.
func TestBadValues(t *testing.T) {
	one := func(l raw, data string) []byte {
		return crafted{1, []raw{l}, []craftedColumn{{1, 0, [][]byte{page(1, 0, data)}}}}.bytes(1)
	}
	nullKey := crafted{
		1,
		[]raw{note(group("a", 0, 1), 1), group("key_value", 2, 2), leaf("key", 1, 1), leaf("value", 1, 0)},
		[]craftedColumn{
			{1, 0, [][]byte{page(1, 0, "\x02\x00\x00\x00\x02\x00"+"\x02\x00\x00\x00\x02\x01")}},
			{1, 0, [][]byte{page(1, 0, "\x02\x00\x00\x00\x02\x00"+"\x02\x00\x00\x00\x02\x01"+ints[:4])}},
		},
	}
	for want, data := range map[string][]byte{
		`column "a.key": a key is null`:                          nullKey.bytes(1),
		`column "a": a date in the year 5881580, want 1 to 9999`: one(note(leaf("a", 1, 0), 6), "\xff\xff\xff\x7f"),
		`column "a": a time of day of 86400000/1000 seconds`:     one(note(leaf("a", 1, 0), 7), "\x00\x5c\x26\x05"),
		`column "a": a time of day of -1 nanoseconds`:            one(leaf("a", 3, 0), "\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"),
		`column "a": not valid JSON, which its type promises`:    one(note(leaf("a", 6, 0), 19), "\x01\x00\x00\x00{"),
		`column "a": a decimal of 1001 bytes, want at most 1000`: one(note(leaf("a", 6, 0), 5), "\xe9\x03\x00\x00"+strings.Repeat("x", 1001)),
		`column "a": -Inf, want a finite number`:                 one(leaf("a", 5, 0), "\x00\x00\x00\x00\x00\x00\xf0\xff"),
	} {
		f, err := Open("x.parquet", bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Error(want, err)
			continue
		}
		for row, err := range f.Rows() {
			if err != nil || row.Err == nil || row.Err.Error() != want {
				t.Errorf("%v, %v, want %s", err, row.Err, want)
			}
		}
	}
}

// TestColumns: what a file says of its columns.
func TestColumns(t *testing.T) {
	for name, want := range map[string][]Column{
		"json.datasets.parquet": {{"tools", "list<json>", false}, {"text", "string", false}},
		"binary.parquet": {
			{"text", "string", false},
			{"image", "struct<bytes: binary, path: string>", true},
			{"raw", "binary", true},
			{"parts", "list<struct<bytes: binary, path: string>>", true},
		},
	} {
		f, err := openFile(t, name)
		if err != nil {
			t.Fatal(err)
		}
		got := f.Columns()
		if len(got) != len(want) {
			t.Fatalf("%s: %v, want %v", name, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", name, got[i], want[i])
			}
		}
	}
}
