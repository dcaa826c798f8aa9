package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/ardanlabs/jinja"
)

// Span is a stretch of a rendered conversation that is trained.
type Span struct {
	Start, End int // bytes
	Turn       int // index of the message
}

// Rendered is a conversation with the spans of its assistant turns, in order.
type Rendered struct {
	Text    string
	Spans   []Span
	Skipped int // assistant turns whose place in the text could not be told: not trained
}

// RenderSpans renders a conversation and finds what the assistant says in it,
// the end-of-turn token included. Three ways, each where the one before fails:
//
//   - the template's own {% generation %} blocks;
//   - marks inside the white space around each content: with the marks removed
//     the rendering must be the plain one, and the turn must be its content alone;
//   - the prefix rule: the text up to the turn and the text up to its end must
//     both be prefixes of the whole.
func (tpl *Template) RenderSpans(c Conversation) (Rendered, error) {
	messages, err := tpl.messages(c)
	if err != nil {
		return Rendered{}, err
	}
	r, err := tpl.renderer(c)
	if err != nil {
		return Rendered{}, err
	}
	text, err := r.render(messages, false)
	if err != nil {
		return Rendered{}, err
	}
	if strings.ContainsAny(text, marks) {
		return Rendered{}, fmt.Errorf("%s: chat template: its text %w", tpl.source, errMarks)
	}
	s := &spanner{renderer: r, messages: messages, text: text}
	for i, m := range messages {
		if role, _ := m.AsDict().Get("role"); role.IsString() && role.AsString() == "assistant" {
			s.turns = append(s.turns, i)
		}
	}
	out := Rendered{Text: text, Spans: s.generation()}
	if out.Spans == nil {
		out.Spans = s.find()
	}
	if r.stopped != nil {
		return Rendered{}, r.stopped
	}
	trained := map[int]bool{}
	for _, span := range out.Spans {
		trained[span.Turn] = true
	}
	for _, turn := range s.turns {
		if !trained[turn] {
			out.Skipped++
		}
	}
	return out, nil
}

// spanner finds the assistant's part of one rendered conversation.
type spanner struct {
	*renderer
	messages []jinja.Value
	text     string // the plain rendering
	turns    []int  // assistant messages
}

// generation gives the spans of {% generation %} blocks, or nil.
func (s *spanner) generation() []Span {
	if s.compiled.marked == nil {
		return nil
	}
	marked, err := s.execute(s.compiled.marked, s.messages, false)
	if err != nil {
		return nil
	}
	spans, ok := unmark(marked, s.text)
	if !ok || len(spans) == 0 {
		return nil
	}
	if len(spans) == len(s.turns) {
		for k := range spans {
			spans[k].Turn = s.turns[k]
		}
	} else {
		s.assignTurns(spans)
	}
	return slices.DeleteFunc(spans, func(sp Span) bool { return sp.Start == sp.End })
}

// assignTurns tells blocks apart where their number is not that of the turns: a
// block belongs to the first message whose rendering reaches into it.
func (s *spanner) assignTurns(spans []Span) {
	k := 0
	for i := range s.messages {
		upTo, err := s.render(s.messages[:i+1], false)
		if err != nil {
			continue
		}
		reach := commonPrefix(upTo, s.text)
		for k < len(spans) && spans[k].Start < reach {
			spans[k].Turn = i
			k++
		}
	}
	for ; k < len(spans); k++ {
		spans[k].Turn = len(s.messages) - 1
	}
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// find marks the contents of all turns that are nothing else at once, or else one
// by one, and goes by prefixes for the others.
func (s *spanner) find() []Span {
	var contents []int
	for _, turn := range s.turns {
		if s.onlyContent(turn) {
			contents = append(contents, turn)
		}
	}
	all := s.marked(contents)
	for _, turn := range s.turns {
		if slices.ContainsFunc(all, func(sp Span) bool { return sp.Turn == turn }) {
			continue
		}
		var spans []Span
		if slices.Contains(contents, turn) {
			spans = s.marked([]int{turn})
		}
		if spans == nil {
			spans = s.prefix(turn)
		}
		all = append(all, spans...)
	}
	slices.SortFunc(all, func(a, b Span) int { return a.Start - b.Start })
	end := 0
	return slices.DeleteFunc(all, func(sp Span) bool { // two turns cannot have the same text
		overlaps := sp.Start < end
		end = max(end, sp.End)
		return overlaps
	})
}

// onlyContent says whether a turn's text is its content: not so where the template
// writes its tool calls or its reasoning too.
func (s *spanner) onlyContent(turn int) bool {
	m := s.messages[turn].AsDict()
	bare := jinja.NewDict()
	for _, key := range []string{"role", "content"} {
		if v, ok := m.Get(key); ok {
			bare.AsDict().Set(key, v)
		}
	}
	if bare.AsDict().Len() == m.Len() {
		return true
	}
	messages := slices.Clone(s.messages)
	messages[turn] = bare
	text, err := s.render(messages, false)
	return err == nil && text == s.text
}

// marked gives the spans of these turns by marks in their contents; nil if the
// rendering does not keep exactly one pair for each.
func (s *spanner) marked(turns []int) []Span {
	if len(turns) == 0 {
		return nil
	}
	messages := slices.Clone(s.messages)
	tails := make([]string, len(turns)) // white space at the end of each content
	for k, turn := range turns {
		content, _ := messages[turn].AsDict().Get("content")
		if !content.IsString() {
			return nil
		}
		text := content.AsString()
		core := strings.TrimFunc(text, isPythonSpace)
		if core == "" {
			return nil
		}
		tails[k] = text[len(strings.TrimRightFunc(text, isPythonSpace)):]
		head := text[:len(text)-len(core)-len(tails[k])]
		messages[turn] = withContent(messages[turn], head+markStart+core+markEnd+tails[k])
	}
	text, err := s.render(messages, false)
	if err != nil {
		return nil
	}
	spans, ok := unmark(text, s.text)
	if !ok || len(spans) != len(turns) {
		return nil
	}
	for k := range spans {
		spans[k].Turn = turns[k]
		spans[k].End = s.endOfTurn(spans[k].End, tails[k])
	}
	return spans
}

func withContent(m jinja.Value, content string) jinja.Value {
	out := jinja.NewDict()
	for _, key := range m.AsDict().OrderedKeys() {
		v, _ := m.AsDict().Get(key)
		out.AsDict().Set(key, v)
	}
	out.AsDict().Set("content", jinja.NewString(content))
	return out
}

// unmark takes pairs of marks out of a rendering. Not ok if they are not pairs,
// or if what is left is not the plain text.
func unmark(marked, plain string) (spans []Span, ok bool) {
	at := 0 // bytes of plain seen
	open := false
	for marked != "" {
		i := strings.IndexAny(marked, marks)
		if i < 0 {
			i = len(marked)
		}
		if !strings.HasPrefix(plain[at:], marked[:i]) {
			return nil, false
		}
		at += i
		marked = marked[i:]
		switch {
		case marked == "":
		case strings.HasPrefix(marked, markStart) && !open:
			spans, open = append(spans, Span{Start: at}), true
			marked = marked[len(markStart):]
		case strings.HasPrefix(marked, markEnd) && open:
			spans[len(spans)-1].End, open = at, false
			marked = marked[len(markEnd):]
		default:
			return nil, false
		}
	}
	return spans, !open && at == len(plain)
}

// endOfTurn moves the end of a content over the special token directly after it:
// after the content's own white space, or for the EOS token after any white space
// (Llama 2 writes a space before </s>).
func (s *spanner) endOfTurn(end int, tail string) int {
	rest := s.text[end:]
	for _, skip := range []string{"", tail} {
		if after, ok := strings.CutPrefix(rest, skip); ok {
			if n := s.tpl.t.specialAt(after); n > 0 {
				return end + len(skip) + n
			}
		}
	}
	eos := s.tpl.t.config.special["eos_token"]
	after := strings.TrimLeftFunc(rest, unicode.IsSpace)
	if eos != "" && strings.HasPrefix(after, eos) {
		return len(s.text) - len(after) + len(eos)
	}
	return end
}

// prefix is the prefix rule for one turn. White space after its last special token is
// not the assistant's; a special token with more behind it is one of the content.
func (s *spanner) prefix(turn int) []Span {
	before, err := s.render(s.messages[:turn], true)
	if err != nil || !strings.HasPrefix(s.text, before) {
		return nil
	}
	through, err := s.render(s.messages[:turn+1], false)
	if err != nil || !strings.HasPrefix(s.text, through) || len(through) <= len(before) {
		return nil
	}
	end := len(through)
	for i := end - 1; i >= len(before); i-- {
		if n := s.tpl.t.specialAt(through[i:]); n > 0 && strings.TrimSpace(through[i+n:]) == "" {
			end = i + n
			break
		}
	}
	return []Span{{Start: len(before), End: end, Turn: turn}}
}

// specialAt is the length of the special token that text starts with, or 0.
func (t *Tokenizer) specialAt(text string) int {
	longest := 0
	for token := range t.added.special {
		if len(token) > longest && strings.HasPrefix(text, token) {
			longest = len(token)
		}
	}
	return longest
}
