package data

import (
	"errors"
	"fmt"

	"example.com/finetune/model"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

// Options say how rows become sequences.
type Options struct {
	Template  *tokenizer.Template // nil: the model has none, or it is not wanted
	TrainOn   string              // assistant, last or all
	MaxLength int                 // tokens
	Overlong  string              // truncate, drop or error
}

// A Set is tokenised rows, in their order. Sequence i stands at Origins[i].
type Set struct {
	Sequences []model.Sequence
	Origins   []Origin
	Stats     Stats

	MaxID   int32 // the largest token id, and a row that has it
	MaxIDAt Origin
}

// An encoded row, before it is kept or dropped.
type encoded struct {
	model.Sequence
	err             error
	joined, skipped int
	overlong        int // tokens before the cut, 0 for none
}

// Encode tokenises rows and masks what is not trained, on the pool's threads;
// the result does not depend on their number. Rows that cannot be rendered, and
// overlong ones where they are an error, are all reported, as *[Mistakes].
func Encode(rows []Row, t *tokenizer.Tokenizer, o Options, p *simd.Pool) (*Set, error) {
	list := make([]encoded, len(rows))
	p.Run(len(rows), func(_, i int) { list[i] = encodeRow(&rows[i], t, o) })
	set := &Set{MaxID: -1}
	var mistakes Mistakes
	for i := range list {
		e := &list[i]
		if e.err == nil && e.overlong > 0 && o.Overlong == "error" {
			e.err = hint(fmt.Errorf("%d tokens, max_length is %d", e.overlong, o.MaxLength), "--overlong truncate or drop, or a larger --max-length")
		}
		if e.err != nil {
			mistakes.file = rows[i].File
			mistakes.add(fmt.Errorf("%v: %w", rows[i].Origin, e.err))
			continue
		}
		set.add(e, rows[i].Origin, o)
	}
	if err := mistakes.err(); err != nil {
		return nil, err
	}
	return set, set.check()
}

// add counts a row and keeps it where it can be trained.
func (s *Set) add(e *encoded, at Origin, o Options) {
	st := &s.Stats
	st.Rows++
	st.Joined += e.joined
	st.SkippedTurns += e.skipped
	if e.overlong > 0 {
		if o.Overlong == "drop" {
			st.Dropped++
			return
		}
		st.Cut++
	}
	trained := e.Targets()
	if trained == 0 {
		if st.Untrained++; st.UntrainedAt == (Origin{}) {
			st.UntrainedAt = at
		}
		return
	}
	st.Kept++
	st.Tokens += len(e.IDs)
	st.Trained += trained
	st.Longest = max(st.Longest, len(e.IDs))
	for _, id := range e.IDs {
		if id > s.MaxID {
			s.MaxID, s.MaxIDAt = id, at
		}
	}
	s.Sequences = append(s.Sequences, e.Sequence)
	s.Origins = append(s.Origins, at)
}

// check refuses a set that most rows were lost from.
func (s *Set) check() error {
	st := s.Stats
	if 2*st.Untrained > st.Rows {
		return hint(fmt.Errorf("%d of %d rows have no token to train on, the first at %v", st.Untrained, st.Rows, st.UntrainedAt),
			"the prompt may fill max_length, or the chat template may not show where an answer stands: --chat-template names another")
	}
	if st.Kept == 0 {
		return errors.New("no row is left to train on: all were longer than max_length")
	}
	return nil
}

// errNoTemplate is for rows that only a chat template can render.
var errNoTemplate = hint(errors.New("messages, but the model has no chat template"), "--chat-template FILE names one; a model without one takes prompt and completion, or text")

func encodeRow(r *Row, t *tokenizer.Tokenizer, o Options) encoded {
	var e encoded
	text, spans, end := "", []span(nil), true
	switch {
	case r.Format == Text:
		text, spans = r.Text, []span{{0, len(r.Text)}}
	case r.Format == PromptCompletion && o.Template == nil:
		text = r.Prompt + r.Text
		spans = []span{{len(r.Prompt), len(text)}}
	case o.Template == nil:
		e.err = errNoTemplate
		return e
	default:
		rendered, err := o.Template.RenderSpans(r.conversation())
		if err != nil {
			e.err = err
			return e
		}
		text, spans, end = rendered.Text, turns(r, rendered.Spans, o.TrainOn), false
		e.skipped = rendered.Skipped
	}
	if o.TrainOn == "all" {
		spans = []span{{0, len(text)}}
	}
	enc := t.Encode(text, end) // a template writes its special tokens itself
	e.IDs = enc.IDs
	e.Learn, e.joined = mask(enc.Offsets, spans)
	if end {
		e.end(t)
	}
	e.oneBOS(t)
	if len(e.IDs) > o.MaxLength {
		e.overlong = len(e.IDs)
		e.IDs, e.Learn = e.IDs[:o.MaxLength:o.MaxLength], e.Learn[:o.MaxLength:o.MaxLength]
	}
	return e
}

// end makes the end token the last one, and trained.
func (e *encoded) end(t *tokenizer.Tokenizer) {
	eos, ok := t.EOS()
	if !ok {
		return
	}
	if n := len(e.IDs); n > 0 && e.IDs[n-1] == eos { // the tokenizer's post-processor put it there, or the text
		e.Learn[n-1] = true
		return
	}
	e.IDs, e.Learn = append(e.IDs, eos), append(e.Learn, true)
}

// oneBOS drops the first of two BOS: a text that brings its own, and the
// tokenizer's.
func (e *encoded) oneBOS(t *tokenizer.Tokenizer) {
	bos, ok := t.BOS()
	for ok && len(e.IDs) > 1 && e.IDs[0] == bos && e.IDs[1] == bos {
		e.IDs, e.Learn = e.IDs[1:], e.Learn[1:]
	}
}

// A span is a trained range of bytes.
type span struct{ start, end int }

// turns picks the spans that trainOn asks for.
func turns(r *Row, all []tokenizer.Span, trainOn string) []span {
	first := r.First
	if trainOn == "last" {
		for i, m := range r.Chat.Messages {
			if isAssistant(m) {
				first = i
			}
		}
	}
	var list []span
	for _, s := range all {
		if s.Turn >= first {
			list = append(list, span{s.Start, s.End})
		}
	}
	return list
}

// mask says which tokens are trained: those with a byte in a span. It also counts
// those that begin before theirs. Spans are ascending and do not overlap; a token
// without bytes is not trained.
func mask(offsets [][2]int, spans []span) (learn []bool, joined int) {
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
