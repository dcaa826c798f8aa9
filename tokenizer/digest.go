package tokenizer

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Digest identifies the files the tokenizer was loaded from, by their bytes.
func (t *Tokenizer) Digest() [sha256.Size]byte { return t.digest }

// Digest identifies what the template makes of a conversation: its sources, and the
// date where one of them shows it.
func (tpl *Template) Digest() [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(tpl.sources)) {
		src := tpl.sources[name]
		fmt.Fprintf(h, "%q %q\n", name, src)
		if strings.Contains(src, "strftime_now") {
			fmt.Fprintf(h, "date %d\n", tpl.date.UnixNano())
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
