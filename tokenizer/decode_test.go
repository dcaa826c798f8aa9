package tokenizer

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// streamed is what a stream gives, joined. Every part must be valid UTF-8.
func streamed(t interface{ Fatalf(string, ...any) }, tok *Tokenizer, ids []int32, skip bool) string {
	s := tok.NewStream(skip)
	var b strings.Builder
	for _, id := range ids {
		part := s.Next(id)
		if !utf8.ValidString(part) {
			t.Fatalf("%v: part %q is not UTF-8", ids, part)
		}
		b.WriteString(part)
	}
	b.WriteString(s.Flush())
	return b.String()
}

func TestStreamIsDecode(t *testing.T) {
	for _, tok := range []*Tokenizer{loadStories(t), loadSmolLM2(t)} {
		rapid.Check(t, func(t *rapid.T) {
			ids := rapid.SliceOf(rapid.Int32Range(-1, tok.MaxID()+1)).Draw(t, "ids")
			if rapid.Bool().Draw(t, "text") {
				ids = tok.Encode(rapid.String().Draw(t, "s"), true).IDs
			}
			skip := rapid.Bool().Draw(t, "skip")
			if got, want := streamed(t, tok, ids, skip), tok.Decode(ids, skip); got != want {
				t.Fatalf("%v: streamed %q, decoded %q", ids, got, want)
			}
		})
	}
}

func TestStreamHoldsBackIncompleteCharacters(t *testing.T) {
	tok := loadSmolLM2(t)
	ids := tok.Encode("a𝟘b", false).IDs
	s := tok.NewStream(false)
	var parts []string
	for _, id := range ids {
		parts = append(parts, s.Next(id))
	}
	if len(ids) != 5 {
		t.Fatalf("%d tokens, want 5: three for one character", len(ids))
	}
	if got := strings.Join(parts, "|"); got != "a|||𝟘|b" {
		t.Errorf("parts %q", got)
	}
}

func TestStreamStripsOnlyTheFirstSpace(t *testing.T) {
	tok := loadStories(t)
	s := tok.NewStream(true)
	var parts []string
	for _, id := range tok.Encode("the cat", true).IDs {
		if part := s.Next(id); part != "" {
			parts = append(parts, part)
		}
	}
	if got := strings.Join(parts, "|"); !strings.HasPrefix(got, "the| c") {
		t.Errorf("parts %q: want no space before the first word, one before the second", got)
	}
}

func TestDecodeUTF8(t *testing.T) {
	for _, c := range []struct{ in, text, rest string }{
		{"abc", "abc", ""},
		{"a\xe2\x82", "a", "\xe2\x82"},
		{"a\xe2\x82b", "a\uFFFDb", ""},
		{"\xff\xff", "\uFFFD\uFFFD", ""},
		{"\xf0\x9f\x91\x8d\xf0\x9f", "👍", "\xf0\x9f"},
		{"\xe0\x80a", "\uFFFD\uFFFDa", ""},
		{"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", ""},
		{"\xf0\x90\x80A", "\uFFFDA", ""},
	} {
		text, rest := decodeUTF8([]byte(c.in), false)
		if text != c.text || string(rest) != c.rest {
			t.Errorf("%q: %q and %q, want %q and %q", c.in, text, rest, c.text, c.rest)
		}
		want := c.text
		if c.rest != "" {
			want += "\uFFFD"
		}
		if text, _ := decodeUTF8([]byte(c.in), true); text != want {
			t.Errorf("%q, final: %q, want %q", c.in, text, want)
		}
	}
}

// TestDecoderChains covers what the variants do not: stages that need whole
// tokens after ones that give parts, and strips at both ends.
func TestDecoderChains(t *testing.T) {
	const fuse, byteLevel = `{"type":"Fuse"}`, `{"type":"ByteLevel"}`
	for _, c := range []struct{ decoder, tokens, want string }{
		{`{"type":"Strip","content":"a","start":2,"stop":1}`, "aaab aba a", "abb"},
		{`{"type":"Sequence","decoders":[` + fuse + `,{"type":"Strip","content":"a","start":2,"stop":1}]}`, "a aab ba", "abb"},
		{`{"type":"Sequence","decoders":[` + fuse + `,{"type":"Strip","content":"a","start":2,"stop":0}]}`, "a aab ba", "abba"},
		{`{"type":"Sequence","decoders":[` + byteLevel + `,{"type":"Replace","pattern":{"String":"ab"},"content":"-"}]}`, "a b ab", "--"},
		{`{"type":"Sequence","decoders":[` + fuse + `,{"type":"Metaspace","replacement":"a","prepend_scheme":"always"}]}`, "a b ab", "bb"},
		{`{"type":"Metaspace","replacement":"a","prepend_scheme":"never"}`, "a b ab", " b b"},
		{`{"type":"Sequence","decoders":[]}`, "a b ab", "abab"},
		{`null`, "a b ab", "a b ab"},
	} {
		tok, err := parse([]byte(`{"decoder":`+c.decoder+`,"model":{"vocab":{"a":0,"b":1,"ab":2,"aab":3,"ba":4,"aaab":5,"aba":6},"merges":[]}}`), &config{})
		if err != nil {
			t.Fatal(err)
		}
		var ids []int32
		for _, s := range strings.Fields(c.tokens) {
			id, ok := tok.ID(s)
			if !ok {
				t.Fatalf("no token %q", s)
			}
			ids = append(ids, id)
		}
		if got := tok.Decode(ids, false); got != c.want {
			t.Errorf("%s: %q, want %q", c.decoder, got, c.want)
		}
		if got := streamed(t, tok, ids, false); got != c.want {
			t.Errorf("%s: streamed %q, want %q", c.decoder, got, c.want)
		}
	}
}

// FuzzDecode: whatever the ids, a stream gives the text of the whole, in parts of
// valid UTF-8.
func FuzzDecode(f *testing.F) {
	toks := []*Tokenizer{loadStories(f), loadSmolLM2(f)}
	f.Add([]byte("\x00\x05\x00\x01\x00\x02"), false)
	f.Add([]byte("\x00\xe4\x00\xba\x00\xff\x01\x00"), true) // bytes of a character, not all of them
	f.Add([]byte("\x00\x03\x00\x83\x00\x03"), false)
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		ids := make([]int32, len(data)/2)
		for i := range ids {
			ids[i] = int32(data[2*i])<<8 | int32(data[2*i+1])
		}
		for _, tok := range toks {
			want := tok.Decode(ids, skip)
			if got := streamed(t, tok, ids, skip); got != want {
				t.Fatalf("%v: streamed %q, decoded %q", ids, got, want)
			}
			if !utf8.ValidString(want) {
				t.Fatalf("%v: decoded %q, which is not UTF-8", ids, want)
			}
		}
	})
}
