package rundir

import (
	"path/filepath"
	"testing"
)

// A finetune.json that says nothing of a run, or says it in the wrong form, is no result.
func TestProvenanceThatIsDamaged(t *testing.T) {
	const advice = "bring the file back from a copy; moved away, the adapter is read as that of another program"
	dir := t.TempDir()
	for text, want := range map[string]string{
		"{":                 "finetune.json: unexpected end of JSON input",
		"{}":                "finetune.json: it tells of no run: it has no steps",
		"[]":                "finetune.json: all of it is of the kind array, which it cannot be",
		`{"version": 3}`:    "finetune.json: version is of the kind number, which it cannot be",
		`{"steps": "many"}`: "steps is of the kind string, which it cannot be",
	} {
		put(t, filepath.Join(dir, ProvenanceFile), text)
		_, err := ReadProvenance(dir)
		expect(t, text, err, want, advice)
	}
	put(t, filepath.Join(dir, ProvenanceFile), `{"steps": 3}`)
	if p, err := ReadProvenance(dir); err != nil || p.Steps != 3 {
		t.Errorf("a whole one: %+v, %v", p, err)
	}
}
