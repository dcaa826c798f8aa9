package chat

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode"

	"example.com/finetune/tokenizer/jinja"
)

// Span is a stretch of a rendered conversation that is trained.
type Span struct {
	Start, End int // bytes
	Turn       int // index of the message
}

// Rendered is a conversation with the spans of its assistant messages, in order.
type Rendered struct {
	Text    string
	Spans   []Span
	Skipped []int // assistant messages whose part of the text cannot be told: not trained
	Empty   []int // those in whose spans is nothing but what the template says
}

// RenderSpans renders a conversation and finds what the model has to write in it, as
// the package's documentation defines it. Messages that are Untrained have no spans.
//
// An answer costs a rendering of what is before it. So until, which may be nil, is told the
// text once and says how many bytes of it are wanted: behind the first answer that starts
// there or later, none is looked for.
func (tpl *Template) RenderSpans(c Conversation, until func(text string) int) (Rendered, error) {
	r, err := tpl.renderer(c)
	if err != nil {
		return Rendered{}, err
	}
	whole, err := r.render(len(r.messages), false)
	if err != nil {
		return Rendered{}, err
	}
	s := newSpanner(r, whole)
	out := Rendered{Text: whole.String}
	for i, m := range c.Messages {
		if m.Role == "assistant" || m.Role == "" && r.role(i) == "assistant" {
			s.turns = append(s.turns, i)
		}
	}
	r.budget.Steps = s.steps(jinja.DefaultSteps - r.budget.Steps)
	wanted := len(out.Text)
	if until != nil {
		wanted = until(out.Text)
	}
	untrained := func(i int) bool { return c.Messages[i].Untrained }
	blocks := s.blocks()
	out.Spans = slices.DeleteFunc(blocks, func(sp Span) bool { return untrained(sp.Turn) })
	s.turns = slices.DeleteFunc(s.turns, untrained)
	if blocks == nil {
		out.Spans = apart(s.all(wanted))
	}
	if s.err != nil {
		return Rendered{}, s.err
	}
	for _, i := range s.turns {
		of := func(sp Span) bool { return sp.Turn == i }
		switch {
		case !slices.ContainsFunc(out.Spans, of):
			out.Skipped = append(out.Skipped, i)
		case !slices.ContainsFunc(out.Spans, func(sp Span) bool { return of(sp) && s.says(i, sp) }):
			out.Empty = append(out.Empty, i)
		}
	}
	return out, nil
}

// mostSteps is what all renderings of parts of one conversation may take together: some
// eight seconds of work, for thousands of messages.
var mostSteps = 4 * jinja.DefaultSteps // a toggle of tests

// steps is the budget of those renderings, where the whole took so many: as a rule there are
// two for each answer, and none takes more than the whole.
func (s *spanner) steps(whole int) int {
	const some = jinja.DefaultSteps / 16
	return min(some+2*len(s.turns)*whole, mostSteps)
}

// all is the spans of the answers in the first so many bytes, and of one more where there
// is one. The answers behind that are taken out of turns.
func (s *spanner) all(bytes int) (list []Span) {
	for k, i := range s.turns {
		spans := s.turn(i)
		list = append(list, spans...)
		if len(spans) > 0 && spans[0].Start >= bytes {
			s.turns = s.turns[:k+1]
			break
		}
	}
	return list
}

// role is what the message itself says.
func (r *renderer) role(i int) string {
	v, _ := r.messages[i].(*jinja.Dict).Get("role")
	s, ok := v.(*jinja.Str)
	if !ok {
		return ""
	}
	return s.String()
}

// apart drops spans that overlap another: two messages cannot have the same text.
func apart(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(a.Start-b.Start, a.End-b.End) })
	end := 0
	return slices.DeleteFunc(spans, func(sp Span) bool {
		overlaps := sp.Start < end
		end = max(end, sp.End)
		return overlaps
	})
}

// spanner finds the assistant's part of one rendered conversation.
type spanner struct {
	*renderer
	whole  jinja.Text
	turns  []int // assistant messages
	passes []pass
	err    error // a rendering went over a limit
}

// pass is a stretch that one message's pass through the template's loop wrote.
type pass struct{ start, end, message int }

func newSpanner(r *renderer, whole jinja.Text) *spanner {
	return &spanner{renderer: r, whole: whole, passes: passes(whole)}
}

func passes(t jinja.Text) []pass {
	var all []pass
	for _, p := range t.Pieces {
		if p.Item == 0 {
			continue
		}
		if n := len(all); n > 0 && all[n-1].message == p.Item-1 && all[n-1].end == p.Start {
			all[n-1].end = p.End
			continue
		}
		all = append(all, pass{p.Start, p.End, p.Item - 1})
	}
	return all
}

// blocks gives the spans of {% generation %} blocks, or nil where none wrote anything.
// A block is of the message in whose pass it was written, or whose text it holds.
func (s *spanner) blocks() []Span {
	var spans []Span
	last, held := 0, 0 // the last piece's block; messages told by their text
	for _, p := range s.whole.Pieces {
		if p.Block == 0 {
			continue
		}
		of := -1
		if p.Item != 0 {
			of = p.Item - 1
		} else if p.Origin != 0 {
			of = p.Origin - 1
		}
		if n := len(spans); n > 0 && last == p.Block && spans[n-1].End == p.Start {
			spans[n-1].End = p.End
			if spans[n-1].Turn < 0 {
				spans[n-1].Turn = of
			}
		} else {
			spans = append(spans, Span{p.Start, p.End, of})
		}
		last = p.Block
	}
	for k := range spans {
		if spans[k].Turn >= 0 {
			held = spans[k].Turn
		} else if len(spans) == len(s.turns) {
			spans[k].Turn = s.turns[k]
		} else {
			spans[k].Turn = held
		}
	}
	return spans
}

// turn is the spans of an assistant message: one, or where the template writes results of
// tools into the message, those before and behind them. None if its part of the text
// cannot be told.
func (s *spanner) turn(i int) []Span {
	within := s.passOf(i)
	own, hasOwn := s.own(i, within)
	start, ok := s.start(i, own, hasOwn)
	if !ok {
		return nil
	}
	limit, ok := s.limit(i, within, start)
	if !ok || hasOwn && limit < own.end {
		return nil
	}
	_, holds := s.messages[i].(*jinja.Dict).Get(toolResponses)
	if within == nil || !holds && !s.foreign(i, start, limit) {
		return s.trimmed(i, start, limit)
	}
	end, ok := s.beforeResults(i)
	if !ok {
		return nil
	}
	return append(s.trimmed(i, start, min(end, limit)), s.behindResults(i, end, limit)...)
}

// trimmed is a stretch without the white space behind it; none where nothing is left, or
// text of another message is in it.
func (s *spanner) trimmed(i, start, end int) []Span {
	if end <= start {
		return nil
	}
	end = start + len(strings.TrimRightFunc(s.whole.String[start:end], unicode.IsSpace))
	if end <= start || s.foreign(i, start, end) {
		return nil
	}
	return []Span{{start, end, i}}
}

// beforeResults is where the results of tools begin in a message's text: where the
// rendering that ends with the message, without any, ends or goes on with other text of it.
func (s *spanner) beforeResults(i int) (int, bool) {
	message, bare := s.messages[i], jinja.NewDict()
	for _, key := range message.(*jinja.Dict).Keys() {
		if v, _ := message.(*jinja.Dict).Get(key); key != toolResponses {
			bare.Set(key, v)
		}
	}
	s.messages[i] = bare.Item(i + 1)
	text, err := s.render(i+1, false)
	s.messages[i] = message
	if err != nil {
		return 0, false
	}
	n := commonPrefix(text.String, s.whole.String)
	if n >= len(strings.TrimRightFunc(text.String, unicode.IsSpace)) {
		return n, true
	}
	for _, p := range text.Pieces {
		if p.Origin != 0 && p.Start <= n && n < p.End {
			return p.Start, true
		}
	}
	return 0, false
}

// behindResults is what a message goes on with behind the results of tools, which begin at
// a place.
func (s *spanner) behindResults(i, at, limit int) []Span {
	start := limit
	for _, p := range slices.Backward(s.whole.Pieces) {
		switch {
		case p.Start >= limit || p.Origin == 0:
		case p.Start < at || p.Origin != i+1:
			return s.trimmed(i, start, limit)
		default:
			start = p.Start
		}
	}
	return s.trimmed(i, start, limit)
}

// passOf is the pass that wrote a message's text: of several that with its own content,
// else the last; nil without any.
func (s *spanner) passOf(i int) *pass {
	var found *pass
	for k := range s.passes {
		p := &s.passes[k]
		if p.message != i {
			continue
		}
		if _, ok := s.own(i, p); ok {
			return p
		}
		found = p
	}
	return found
}

// own is the stretch from the first to the last of what came from a message, in a pass
// or, without one, in the whole text.
func (s *spanner) own(i int, within *pass) (own pass, ok bool) {
	for _, p := range s.whole.Pieces {
		if p.Origin != i+1 || within != nil && (p.Start < within.start || p.End > within.end) {
			continue
		}
		if !ok {
			own, ok = pass{p.Start, p.End, i}, true
		}
		own.end = p.End
	}
	return own, ok
}

// says tells whether a message itself says something in a span.
func (s *spanner) says(i int, sp Span) bool {
	return slices.ContainsFunc(s.whole.Pieces, func(p jinja.Piece) bool {
		return p.Origin == i+1 && p.Start < sp.End && p.End > sp.Start && strings.TrimSpace(s.whole.String[p.Start:p.End]) != ""
	})
}

// foreign says whether text of another message is in a stretch.
func (s *spanner) foreign(i, start, end int) bool {
	return slices.ContainsFunc(s.whole.Pieces, func(p jinja.Piece) bool {
		return p.Origin != 0 && p.Origin != i+1 && p.Start < end && p.End > start
	})
}

// partly renders the first n messages; not ok if that is no prefix of the whole.
func (s *spanner) partly(n int, prompt bool) (jinja.Text, bool) {
	text, err := s.render(n, prompt)
	if err != nil {
		if errors.Is(err, ErrEndless) {
			s.err = err
		}
		return text, false // a template may refuse a part of what it takes whole
	}
	return text, strings.HasPrefix(s.whole.String, text.String)
}

// start is where the generation prompt before a message ends, else where the message's
// own text starts.
func (s *spanner) start(i int, own pass, hasOwn bool) (int, bool) {
	prompt, ok := s.partly(i, true)
	n := len(prompt.String)
	if ok && !(hasOwn && s.foreign(i, n, own.start)) { // all that is before the message
		return n, true
	}
	return own.start, hasOwn
}

// limit is where a message's text ends, white space included: at what opens the next
// message, or at a generation prompt that the template always appends.
func (s *spanner) limit(i int, within *pass, start int) (int, bool) {
	if within == nil {
		return s.limitWithoutLoop(i, start)
	}
	for _, p := range s.passes {
		if p.start >= within.end {
			return p.start, true
		}
	}
	if i < len(s.messages)-1 { // what follows is written by no pass
		if through, ok := s.partly(i+1, false); ok && len(through.String) >= within.end {
			return len(through.String), true
		}
		return within.end, true
	}
	whole := s.whole.String
	if tail := whole[within.end:]; strings.TrimSpace(tail) != "" && i > 0 {
		before, ok := s.partly(i, false)
		ran := passes(before)
		inHeader := len(before.String)-len(tail) >= within.start // where the message itself has it
		if ok && inHeader && len(ran) > 0 && before.String[ran[len(ran)-1].end:] == tail {
			return within.end, true // every rendering ends so
		}
	}
	return len(whole), true
}

// limitWithoutLoop is for templates that do not go through the messages one by one.
func (s *spanner) limitWithoutLoop(i, start int) (int, bool) {
	if i == len(s.messages)-1 {
		return len(s.whole.String), true
	}
	through, ok := s.partly(i+1, false)
	if ok && len(through.String) > start {
		return len(through.String), true
	}
	if through.String == "" {
		return 0, false
	}
	n := commonPrefix(through.String, s.whole.String)
	return n, n > start
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
