package data

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tableTemplate writes all that the chats in testdata/parquet have.
const tableTemplate = `{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.name }}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c | tojson }}{% endfor %}<|end|>{% endfor %}`

// A Parquet file of Hugging Face datasets has the tokens of the JSON lines that it was
// made of, though each row in it has a null for every key that another row has.
func TestTablesOfParquetAreTheirTwins(t *testing.T) {
	dir, err := filepath.Abs("testdata/parquet")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	tok, _ := load(t)
	o := Options{Template: templateOf(t, tableTemplate), TrainOn: "assistant", MaxLength: 5000}
	var read int64
	open := func(path string) *Set {
		set, err := Open(path, nil, tok, o, pool(t), func(n int64) { read = n })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = set.Close() })
		return set
	}
	lines, table := open(filepath.Join(dir, "chats.jsonl")), open(filepath.Join(dir, "chats.parquet"))
	if lines.Len() != 3 || table.Len() != 3 || table.File.Format != Messages || table.Origin(2).Line != 3 {
		t.Fatalf("%d and %d rows of %v", lines.Len(), table.Len(), table.File.Format)
	}
	for i := range lines.Len() {
		if a, b := show(t, tok, lines, i), show(t, tok, table, i); a != b {
			t.Errorf("row %d: of a table\n%s\nof lines\n%s", i+1, b, a)
		}
	}
	if text := show(t, tok, table, 1); !strings.Contains(text, "<|assistant|>4<|end|>") || !strings.Contains(text, `[1][.][5]`) {
		t.Errorf("a weight of 0 is trained, or a call is not: %s", text)
	}
	if got := spelled(table.Notes()); len(got) != 1 || got[0] != `not read: nothing reads: column "id" in 1 row from row 3 on` {
		t.Errorf("notes %q", got)
	}
	sum, err := os.ReadFile(table.File.Path)
	if read != int64(len(sum)) {
		t.Errorf("told of %d bytes of %d", read, len(sum))
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(sum)); table.File.SHA256 != want {
		t.Errorf("digest %s, want %s", table.File.SHA256, want)
	}
}

func TestTablesOfParquetNameMistakes(t *testing.T) {
	inFolder(t, "a.parquet", "PAR1")
	tok, _ := load(t)
	_, err := Open("a.parquet", nil, tok, Options{TrainOn: "assistant", MaxLength: 9}, pool(t), nil)
	expect(t, "four bytes", err, "a.parquet: ", "copy or download the file again")
	c, err := GuessColumns("a.parquet")
	if err != nil || len(c) > 0 {
		t.Errorf("columns of four bytes: %v, %v", c, err)
	}
}
