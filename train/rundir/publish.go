package rundir

import (
	"encoding/json"
	"os"
	"slices"

	"example.com/finetune/internal/files"
)

// A Page is a file that describes an adapter.
type Page struct {
	Name string
	Text []byte
}

// Publish puts the pages into their places and then calls place, which does so with an
// adapter that lies elsewhere, verified. Until all pages are written nothing has
// changed, and until place an adapter that stands there is whole.
func (d *Dir) Publish(pages []Page, place func() error) error {
	var drafts []*files.Draft
	defer func() {
		for _, f := range drafts {
			f.Abort()
		}
	}()
	for _, page := range pages {
		f, err := files.Create(d.Path(page.Name))
		if err != nil {
			return err
		}
		drafts = append(drafts, f)
		if _, err := f.Write(page.Text); err != nil {
			return err
		}
		if err := f.Sync(); err != nil { // a full disk shows here, not in Commit
			return err
		}
	}
	for _, f := range drafts {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(pages, func(p Page) bool { return p.Name == HeldOutFile }) {
		if err := d.remove(HeldOutFile); err != nil { // of the run before
			return err
		}
	}
	if err := place(); err != nil {
		return err
	}
	return d.published()
}

// published takes away the mark of an earlier run's adapter.
func (d *Dir) published() error {
	if !has(d.path, unfinishedFile) {
		return nil
	}
	if err := os.Remove(d.Path(unfinishedFile)); err != nil {
		return err
	}
	return files.SyncDir(d.path)
}

// EncodeJSON is how JSON files of the folder are written.
func EncodeJSON(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}
