package tokenizer

import (
	"os"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestInvalidUTF8IsReplacedByteByByte(t *testing.T) {
	tok := loadSmolLM2(t)
	got := tok.Encode("a\xff\xe2\x82b", false)
	want := tok.Encode("a\uFFFD\uFFFD\uFFFDb", false)
	if d := cmp.Diff(want.IDs, got.IDs); d != "" {
		t.Errorf("ids (-want +got):\n%s", d)
	}
	if last := got.Offsets[len(got.Offsets)-1]; last != [2]int{4, 5} {
		t.Errorf("the last token has offsets %v, want [4 5]", last)
	}
	for i, o := range got.Offsets {
		if o[1] > 5 {
			t.Errorf("token %d: offsets %v are beyond the text", i, o)
		}
	}
}

func TestEncodeFromSeveralGoroutines(t *testing.T) {
	for _, tok := range []*Tokenizer{loadStories(t), loadSmolLM2(t)} {
		text := strings.Repeat("Once upon a time, Zoë's 12 cats said <s> héllo 你好!\n", 20)
		want := tok.Encode(text, true)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if d := cmp.Diff(want, tok.Encode(text, true)); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
		wg.Wait()
	}
}

// checkEncoding verifies what holds for every text: ids exist, offsets lie in the
// text in order.
func checkEncoding(t interface {
	Helper()
	Fatalf(string, ...any)
}, tok *Tokenizer, text string, e Encoding,
) {
	t.Helper()
	if len(e.IDs) != len(e.Offsets) {
		t.Fatalf("%q: %d ids, %d offsets", text, len(e.IDs), len(e.Offsets))
	}
	last := 0
	for i, id := range e.IDs {
		o := e.Offsets[i]
		if _, ok := tok.Token(id); !ok {
			t.Fatalf("%q: token %d: id %d is no token", text, i, id)
		}
		if o[0] < last || o[1] < o[0] || o[1] > len(text) {
			t.Fatalf("%q: token %d: offsets %v after %d in %d bytes", text, i, o, last, len(text))
		}
		last = o[0]
	}
}

// knownBytes is text without the bytes that a vocabulary does not have: they are
// dropped, in Hugging Face tokenizers too. SmolLM2's lacks some.
func knownBytes(tok *Tokenizer, text string) string {
	var b []byte
	for i := range len(text) {
		if tok.model.raw[text[i]] >= 0 {
			b = append(b, text[i])
		}
	}
	s, _ := decodeUTF8(b, true)
	return s
}

func TestRoundTrip(t *testing.T) {
	stories, smol := loadStories(t), loadSmolLM2(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		for _, tok := range []*Tokenizer{stories, smol} {
			e := tok.Encode(text, false)
			checkEncoding(t, tok, text, e)
			want := strings.ReplaceAll(text, metaRune, " ") // it means a space there
			if tok == smol {
				want = knownBytes(tok, text)
			}
			if got := tok.Decode(e.IDs, false); got != want {
				t.Fatalf("%q comes back as %q", text, got)
			}
		}
	})
}

// TestScannersAreTheirPatterns holds the hand-written scanners against the regular
// expressions they stand for.
func TestScannersAreTheirPatterns(t *testing.T) {
	parts := []string{
		"a", "Z", "é", "中", "1", "½", "٣", " ", "  ", "\n", "\r", "\t", "\u00a0", "\u3000", "'", "'s", "'LL", "'Re",
		"'d", "'x", ".", "!?", "👍", "\u0301", "_", "\u200d", "B", "/", "ǅ", "ʰ", "ĿĽ", "ß", "\r\n",
		"ſ", "'ſ", "\u1c8a", "\U00010d50", "\U0002ebf0", "\u0897", "\U00010d41",
		"\x00", "\u0378", "\ue000", "$", "€", "`", "{", "龥", "龦", "ぁ", "゠", "ヿ", "。", "\u1b4e", "\u2427", "\u0085",
	}
	gen := rapid.Map(rapid.SliceOf(rapid.SampledFrom(parts)), func(s []string) string { return strings.Join(s, "") })
	for _, p := range []string{patternGPT2, patternLlama3, patternQwen2, patternGPT4o, patternTekken, patternNumbers, patternHanKana, patternDeepSeek} {
		sc, ok := knownPattern(p)
		if !ok {
			t.Fatalf("no scanner for %s", p)
		}
		re, err := compileExpression(p)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.OneOf(gen, rapid.String()).Draw(t, "text")
			var got, want [][2]int
			sc.find(text, func(i, j int) { got = append(got, [2]int{i, j}) })
			re.find(text, func(i, j int) { want = append(want, [2]int{i, j}) })
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%q, %s (-want +got):\n%s", text, p, d)
			}
		})
	}
	if _, ok := knownPattern(patternQwen2 + "x"); ok {
		t.Error("a scanner for a pattern that is not known")
	}
}

// TestLongSFoldsToS: (?i:'s) of Oniguruma takes U+017F too.
func TestLongSFoldsToS(t *testing.T) {
	if got := scanLlama("'ſx", 0, 3); got != len("'ſ") {
		t.Errorf("match of %d bytes, want %d", got, len("'ſ"))
	}
	if got := scanGPT2("'ſx", 0); got != len("'") {
		t.Errorf("match of %d bytes, want 1: GPT-2's pattern minds case", got)
	}
}

// mergeNaive is BPE by its definition: the pair of lowest rank, leftmost first.
func mergeNaive(ids []int32, merges mergeTable) []int32 {
	for {
		at, lowest, merged := -1, int32(0), int32(0)
		for i := 0; i+1 < len(ids); i++ {
			rank, id, ok := merges.get(ids[i], ids[i+1])
			if ok && (at < 0 || rank < lowest) {
				at, lowest, merged = i, rank, id
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = merged
		ids = append(ids[:at+1], ids[at+2:]...)
	}
}

func TestMergeIsTheNaiveMerge(t *testing.T) {
	m := loadSmolLM2(t).model
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOf(rapid.SampledFrom([]rune("aeiothensr é.'0"))).Draw(t, "word")
		var ids, got []int32
		for i := range len(word) {
			ids = append(ids, m.raw[word[i]])
		}
		at := int32(0)
		for _, w := range m.encode(word) {
			if w.start != at {
				t.Fatalf("%q: a token starts at %d, want %d", word, w.start, at)
			}
			at = w.end
			got = append(got, w.id)
		}
		if d := cmp.Diff(mergeNaive(ids, m.merges), got); d != "" || int(at) != len(word) {
			t.Fatalf("%q: (-want +got):\n%s", word, d)
		}
	})
}

// TestCuttingAtSpacesChangesNothing: words are merged apart where no merge reaches
// across the "▁" between them, as stories260k has none and ">▁</" of Gemma 3 does.
func TestCuttingAtSpacesChangesNothing(t *testing.T) {
	glued := `{"normalizer":{"type":"Replace","pattern":{"String":" "},"content":"▁"},
		"model":{"type":"BPE","unk_token":"?","fuse_unk":true,"vocab":{"▁":0,"a":1,"e":2,"h":3,"?":4,"▁▁":5,"▁a":6,"a▁":7,"▁▁a▁":8,
		"ea":9,"h▁":10,"▁▁a":11,"eh":12,"▁h":13,"eh▁▁a":14},
		"merges":["h ▁","a ▁","▁ ▁","e a","e h","▁ h","▁ a","▁▁ a▁","▁▁ a","eh ▁▁a"]}}`
	load := func(t *testing.T) *Tokenizer {
		tok, err := parse([]byte(glued), &config{})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	for _, pair := range [][2]*Tokenizer{{loadStories(t), loadStories(t)}, {load(t), load(t)}} {
		cut, whole := pair[0], pair[1]
		if !cut.model.meta {
			t.Fatal("texts should be cut into words")
		}
		whole.model.meta = false
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringOf(rapid.SampledFrom([]rune("  aehlnotw▁é\n"))).Draw(t, "text")
			if d := cmp.Diff(whole.Encode(text, false), cut.Encode(text, false)); d != "" {
				t.Fatalf("%q: (-want +got):\n%s", text, d)
			}
		})
	}
}

func TestMergeAcrossSpacesIsKept(t *testing.T) {
	tok, err := parse([]byte(`{"added_tokens":[],"normalizer":{"type":"Replace","pattern":{"String":" "},"content":"▁"},
		"model":{"type":"BPE","vocab":{"▁":0,"a":1,"a▁":2},"merges":["a ▁"]}}`), &config{})
	if err != nil {
		t.Fatal(err)
	}
	if tok.model.cutsAfter("a") || !tok.model.cutsAfter("b") {
		t.Error(`a merge joins "a" with the space behind it, and nothing else`)
	}
	want := Encoding{[]int32{2, 1}, [][2]int{{0, 2}, {2, 3}}}
	if d := cmp.Diff(want, tok.Encode("a a", false)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestNamedSpecialTokensAreFound(t *testing.T) {
	tok, err := parse([]byte(`{"model":{"vocab":{"<":0,"e":1,">":2,"<e>":3},"merges":[]}}`),
		&config{special: map[string]string{"eos_token": "<e>", "bos_token": "<nowhere>"}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int32{1, 3, 2}, tok.Encode("e<e>>", false).IDs); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if id, ok := tok.EOS(); !ok || id != 3 || !tok.IsSpecial(3) || tok.IsSpecial(1) {
		t.Errorf("EOS is %d, %v", id, ok)
	}
	if _, ok := tok.BOS(); ok {
		t.Error("BOS is not in the vocabulary")
	}
	if tok.MaxID() != 3 {
		t.Errorf("MaxID is %d, want 3", tok.MaxID())
	}
}

// TestStrippedTokensMeet: the white space between two added tokens goes to the
// first; a token that is all of it is gone (tokenizers panics on the longer one).
func TestStrippedTokensMeet(t *testing.T) {
	tok, err := parse([]byte(`{"added_tokens":[{"id":1,"content":"A","rstrip":true},{"id":2,"content":"\n","lstrip":true}],
		"model":{"vocab":{"x":0},"merges":[]}}`), &config{})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Encoding{
		"A\nx":     {[]int32{1, 0}, [][2]int{{0, 2}, {2, 3}}},
		"A \n\n x": {[]int32{1, 0}, [][2]int{{0, 5}, {5, 6}}},
		"x \nA":    {[]int32{0, 2, 1}, [][2]int{{0, 1}, {1, 3}, {3, 4}}},
	} {
		if d := cmp.Diff(want, tok.Encode(text, false)); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
}

// TestTokensThatNormalizationMakesTheSame: special before others, then the first, as in
// tokenizers before 0.23, which takes any of them.
func TestTokensThatNormalizationMakesTheSame(t *testing.T) {
	tok, err := parse([]byte(`{"normalizer":{"type":"Lowercase"},"added_tokens":[
		{"id":3,"content":"AB","normalized":true},{"id":4,"content":"Ab","normalized":true},
		{"id":5,"content":"xy","normalized":true},{"id":6,"content":"XY","normalized":true,"special":true},{"id":7,"content":"Xy","normalized":true,"special":true}],
		"model":{"vocab":{"a":0,"x":1," ":2},"merges":[]}}`), &config{})
	if err != nil {
		t.Fatal(err)
	}
	want := Encoding{[]int32{3, 2, 3, 6, 0}, [][2]int{{0, 2}, {2, 3}, {3, 5}, {5, 7}, {7, 8}}}
	if d := cmp.Diff(want, tok.Encode("aB ABXya", false)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestUnknownSymbolIsDroppedWithoutUnk(t *testing.T) {
	tok, err := parse([]byte(`{"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`), &config{})
	if err != nil {
		t.Fatal(err)
	}
	want := Encoding{[]int32{1, 2}, [][2]int{{0, 1}, {3, 5}}}
	if d := cmp.Diff(want, tok.Encode("b\u00e9ab", false)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func FuzzEncode(f *testing.F) {
	stories, smol := loadStories(f), loadSmolLM2(f)
	for _, s := range []string{"", "Once upon a time", "<s></s>", "\xff\xfe", "a\u0301<|im_end|> \n", "▁▁", "'ſ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range []*Tokenizer{stories, smol} {
			e := tok.Encode(text, true)
			checkEncoding(t, tok, text, e)
			if d := tok.Decode(e.IDs, false); !utf8.ValidString(d) {
				t.Fatalf("%q comes back as invalid UTF-8: %q", text, d)
			}
		}
	})
}

// BenchmarkEncode is the speed on English prose of the given file, or on a short
// text repeated.
func BenchmarkEncode(b *testing.B) {
	text := strings.Repeat("Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.\n", 4000)
	if path := os.Getenv("TOKENIZER_BENCH_TEXT"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		text = string(data)
	}
	for name, tok := range map[string]*Tokenizer{"stories260k": loadStories(b), "smollm2": loadSmolLM2(b)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				tok.Encode(text, false)
			}
		})
	}
}
