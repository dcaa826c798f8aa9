package tokenizer

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestOffsets: whatever the components, the ranges of the tokens begin and end in
// order, within the text and on characters, and together they cover it where
// nothing is taken away.
func TestOffsets(t *testing.T) {
	toks := map[string]*Tokenizer{"stories260k": loadStories(t), "smollm2": loadSmolLM2(t)}
	covers := map[string]bool{"stories260k": true}
	var variants []variant
	readJSON(t, "variants.json", &variants)
	for _, v := range variants {
		tok, err := parse(patched(t, v.Base, v.Set, v.Model), &config{})
		if err != nil {
			t.Fatal(err)
		}
		toks[v.Name] = tok
		raw, err := json.Marshal(v.Set)
		if err != nil {
			t.Fatal(err)
		}
		// A composed character has the range of its first, as in Hugging Face, and Strip takes text away. The byte-level vocabulary lacks some bytes.
		covers[v.Name] = v.Base == "stories260k" && !strings.Contains(string(raw), `"NF`) && !strings.Contains(string(raw), `"Strip","strip_left"`)
	}
	parts := rapid.SampledFrom([]string{
		"a", "Z", "é", "e\u0301", "ﬁ", "中", "👍", "가", " ", "  ", "\n", "\t", "▁", "_", "1", "23", ".", "-", "'s", "\xff", "\xe4\xb8", "\u212b", "İ",
		"<s>", "</s>", "<|im_end|>", "<|tool|>", "word", "Hello", "\u0323\u0307", "q\u0307\u0323", "\u0344", "once upon a time",
	})
	text := rapid.Map(rapid.SliceOfN(parts, 0, 12), func(s []string) string { return strings.Join(s, "") })
	n := 0
	for _, c := range covers {
		if c {
			n++
		}
	}
	if n < 5 {
		t.Fatalf("%d tokenizers cover their text, want at least 5", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(text, rapid.String()).Draw(t, "text")
		for name, tok := range toks {
			e := tok.Encode(s, false)
			checkEncoding(t, tok, s, e)
			end := 0
			for i, o := range e.Offsets {
				if o[1] < end {
					t.Fatalf("%s: %q: token %d ends at %d, one before at %d", name, s, i, o[1], end)
				}
				if covers[name] && o[0] > end {
					t.Fatalf("%s: %q: bytes %d to %d are in no token", name, s, end, o[0])
				}
				end = o[1]
			}
			if covers[name] && end != len(s) {
				t.Fatalf("%s: %q: bytes from %d on are in no token", name, s, end)
			}
		}
	})
}
