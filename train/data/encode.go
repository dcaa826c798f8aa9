package data

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// TrainOn is what of a row is learned.
type TrainOn string

// What may be learned: answers and completions, the last answer, or everything.
const (
	Answers    TrainOn = "assistant"
	LastAnswer TrainOn = "last"
	Everything TrainOn = "all"
)

// Overlong is what becomes of rows with more than MaxLength tokens.
type Overlong string

// What may become of them.
const (
	Truncate Overlong = "truncate"
	Drop     Overlong = "drop"
	Refuse   Overlong = "error"
)

// Options say how rows become sequences.
type Options struct {
	Template  *chat.Template // nil: the model has none, or it is not wanted
	TrainOn   TrainOn
	MaxLength int // tokens
	Overlong  Overlong
	Ends      []int // tokens at which the model stops, by its configuration; the tokenizer and the template may know more
}

// An encoder takes rows through the template and the tokenizer. It may be used by
// several goroutines.
type encoder struct {
	t *tokenizer.Tokenizer
	o Options

	parts   bool    // the template reads contents in parts
	eos     int32   // what ends a text without a template, -1 for nothing
	ends    []int32 // what generation stops at
	markers *markers
}

func newEncoder(t *tokenizer.Tokenizer, o Options) *encoder {
	n := &encoder{t: t, o: o, eos: -1, parts: readsParts(o.Template), ends: EndTokens(t, o.Template, o.Ends), markers: newMarkers(t)}
	if id, ok := t.EOS(); ok {
		n.eos = id
	} else if len(o.Ends) > 0 {
		n.eos = int32(o.Ends[0])
	}
	return n
}

// An encoded row, before it is kept or dropped.
type encoded struct {
	model.Sequence
	tally

	text    string   // what was tokenised
	offsets [][2]int // bytes of text behind each token; none behind an end token that was added
	marker  string   // the first special token that the row's own texts spell out
	open    bool     // a piece of a longer text, which goes on behind it
}

// errNoTemplate is for rows that only a chat template can render.
var errNoTemplate = hint.New(errors.New("messages, but the model has no chat template"),
	"--chat-template FILE names one; a model without one takes prompt and completion, or text")

// row renders and tokenises a row, and masks what is not trained.
func (n *encoder) row(r *Row) (e encoded, err error) {
	switch {
	case r.Format == Text:
		e.take(n, r.Text, []span{{0, len(r.Text)}}, true)
		e.end(n)
	case r.Format == Segments:
		spans := r.spans
		switch n.o.TrainOn {
		case LastAnswer:
			spans = spans[len(spans)-1:]
		case Everything:
			spans = []span{{0, len(r.Text)}}
		}
		e.take(n, r.Text, spans, false)
	case n.o.Template != nil:
		if err := e.render(n, r); err != nil {
			return e, err
		}
	case (r.Format == PromptCompletion || r.Format == Alpaca) && len(r.Messages) == 0 && r.Tools.IsNull():
		e.plain(n, r)
	default:
		return e, errNoTemplate
	}
	if len(e.IDs) > n.o.MaxLength {
		e.overlong = len(e.IDs)
		e.IDs, e.Mask = e.IDs[:n.o.MaxLength:n.o.MaxLength], e.Mask[:n.o.MaxLength:n.o.MaxLength]
	}
	if e.overlong > 0 && n.o.Overlong == Refuse {
		return e, hint.New(fmt.Errorf("%d tokens, max_length is %d", e.overlong, n.o.MaxLength), "--overlong truncate or drop, or a larger --max-length")
	}
	n.finish(&e, r)
	return e, nil
}

// finish counts what the row came to, and looks for what endangers a run.
func (n *encoder) finish(e *encoded, r *Row) {
	e.tokens, e.trained = len(e.IDs), e.Targets()
	e.key = keyOf(e)
	if e.trained > 0 && !e.open && !n.ended(e) {
		e.odd |= noEnd
	}
	for text := range r.texts {
		if e.marker == "" {
			e.marker = n.markers.find(text)
		}
		if strings.ContainsRune(text, utf8.RuneError) {
			e.odd |= brokenText
		}
	}
	if r.Format == Segments { // those bring their special tokens on purpose
		e.marker = ""
	}
	if e.marker != "" {
		e.odd |= marked
	}
	for _, k := range r.given {
		if n.o.Template == nil || !n.o.Template.Mentions(k.name) {
			r.unread = append(r.unread, k)
		}
	}
}

// ended reports whether the last trained token is one that generation stops at, white
// space behind it apart.
func (n *encoder) ended(e *encoded) bool {
	for i := len(e.IDs) - 1; i >= 0; i-- {
		switch {
		case !e.Mask[i]:
			continue
		case slices.Contains(n.ends, e.IDs[i]):
			return true
		case strings.TrimSpace(n.t.Decode(e.IDs[i:i+1], false)) != "":
			return false
		}
	}
	return false
}

// texts yields what the file says in a row, without what a template adds.
func (r *Row) texts(yield func(string) bool) {
	for i := range r.Messages {
		if !yield(r.Messages[i].Content) {
			return
		}
	}
	_ = yield(r.Prompt) && yield(r.Text)
}

// keyOf identifies the tokens and the mask of a row. Eight bytes tell ten million rows
// apart: two different ones are alike once in 10⁵ such files.
func keyOf(e *encoded) uint64 {
	buf := make([]byte, 0, 4*len(e.IDs))
	for i, id := range e.IDs {
		v := uint32(id)
		if e.Mask[i] {
			v |= trainedFlag
		}
		buf = binary.LittleEndian.AppendUint32(buf, v)
	}
	sum := sha256.Sum256(buf)
	return binary.LittleEndian.Uint64(sum[:])
}

// plain joins a prompt and its completion without a template. The instruction of an
// Alpaca row does not say where it ends: a blank line does.
func (e *encoded) plain(n *encoder, r *Row) {
	prompt := r.Prompt
	if r.Format == Alpaca {
		prompt += "\n\n"
	}
	text := prompt + r.Text
	spans := []span{{len(prompt), len(text)}}
	if n.o.TrainOn == Everything {
		spans[0].start = 0
	}
	e.take(n, text, spans, true)
	e.end(n)
}

// take tokenises text, of which spans are trained. special says whether the tokenizer puts
// its own tokens around.
func (e *encoded) take(n *encoder, text string, spans []span, special bool) {
	e.tokenise(n, text, special)
	e.mask(n, spans)
}

func (e *encoded) tokenise(n *encoder, text string, special bool) {
	enc := n.t.Encode(text, special)
	e.text, e.IDs, e.offsets = text, enc.IDs, enc.Offsets
	e.oneBOS(n.t)
}

func (e *encoded) mask(n *encoder, spans []span) {
	e.Mask, e.joined = lossMask(e.ownRanges(n.t), spans)
}

// ownRanges returns the bytes of each token. White space that a marker takes from beside it
// (lstrip, rstrip) is not its own: where it begins an answer, the marker before it is none of
// what is trained.
func (e *encoded) ownRanges(t *tokenizer.Tokenizer) [][2]int {
	ranges := e.offsets
	for i, o := range e.offsets {
		if !t.IsSpecial(e.IDs[i]) {
			continue
		}
		s, _ := t.Token(e.IDs[i])
		if at := strings.Index(e.text[o[0]:o[1]], s); at >= 0 && o[1]-o[0] > len(s) {
			if &ranges[0] == &e.offsets[0] {
				ranges = slices.Clone(ranges)
			}
			ranges[i] = [2]int{o[0] + at, o[0] + at + len(s)}
		}
	}
	return ranges
}

// end makes the end token the last one, and trained.
func (e *encoded) end(n *encoder) {
	if n.eos < 0 {
		return
	}
	if k := len(e.IDs); k > 0 && e.IDs[k-1] == n.eos { // the tokenizer's post-processor put it there, or the text
		e.Mask[k-1] = true
		return
	}
	e.IDs, e.Mask = append(e.IDs, n.eos), append(e.Mask, true)
}

// oneBOS drops the first of two BOS: a text that brings its own, and the
// tokenizer's.
func (e *encoded) oneBOS(t *tokenizer.Tokenizer) {
	bos, ok := t.BOS()
	for ok && len(e.IDs) > 1 && e.IDs[0] == bos && e.IDs[1] == bos {
		e.IDs, e.offsets = e.IDs[1:], e.offsets[1:]
	}
}

// textAt returns where in the text token i begins.
func (e *encoded) textAt(i int) int {
	for ; i < len(e.offsets); i++ {
		if o := e.offsets[i]; o[0] < o[1] {
			return o[0]
		}
	}
	return len(e.text)
}

// A span is a trained range of bytes of a text.
type span struct{ start, end int }

// lossMask says which tokens are trained: those with a byte in a span. It also counts
// those that begin before theirs. Spans are ascending and do not overlap; a token
// without bytes is not trained.
func lossMask(offsets [][2]int, spans []span) (learn []bool, joined int) {
	learn = make([]bool, len(offsets), len(offsets)+1)
	k := 0
	for i, o := range offsets { // ascending, but for the {0,0} of added tokens
		for k < len(spans) && spans[k].end <= o[0] {
			k++
		}
		if k < len(spans) && o[0] < o[1] && o[1] > spans[k].start {
			learn[i] = true
			if o[0] < spans[k].start {
				joined++
			}
		}
	}
	return learn, joined
}

// markers finds the spellings of special tokens in a text.
type markers struct {
	first string            // the characters they begin with
	by    map[rune][]string // by the first, the longest first
}

func newMarkers(t *tokenizer.Tokenizer) *markers {
	m := &markers{by: map[rune][]string{}}
	for id := range t.MaxID() + 1 {
		if s, ok := t.Token(id); ok && s != "" && t.IsSpecial(id) {
			r, _ := utf8.DecodeRuneInString(s)
			m.by[r] = append(m.by[r], s)
		}
	}
	for r, list := range m.by {
		m.first += string(r)
		slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	}
	return m
}

// find returns the first special token that text spells, or "".
func (m *markers) find(text string) string {
	for m.first != "" {
		i := strings.IndexAny(text, m.first)
		if i < 0 {
			break
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		for _, s := range m.by[r] {
			if strings.HasPrefix(text[i:], s) {
				return s
			}
		}
		text = text[i+size:]
	}
	return ""
}
