package report

import (
	"strings"
	"testing"

	"example.com/finetune/train/data"
	"example.com/finetune/train/recipe"
	"example.com/finetune/train/rundir"
)

// TestCardIsAPageWhateverTheNames: names of files and settings end neither their line
// nor the block around them.
func TestCardIsAPageWhateverTheNames(t *testing.T) {
	c := recipe.Default()
	c.Map = recipe.Columns{"prompt": "a\n```\n<script>"}
	p := &rundir.Provenance{Version: "test"}
	p.Base.Name = "folder/of/ba`se\n<img src=x>"
	p.Data.Files = []data.File{{Path: "rows/tra`in\n# heading <script>.jsonl", Rows: 3, SHA256: "0123"}}
	page := string(Card(&c, p, false, nil))
	for _, bad := range []string{"<img", "`in", "\n# heading", "base_model:"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q in the page:\n%s", bad, page)
		}
	}
	if n := strings.Count(page, "```"); n != 6 { // three blocks
		t.Errorf("%d fences:\n%s", n, page)
	}
	p.Base.Name = "owner/name"
	if page := string(Card(&c, p, false, nil)); !strings.Contains(page, "\nbase_model: owner/name\n") {
		t.Errorf("no base model:\n%s", page)
	}
}
