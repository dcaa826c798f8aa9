package data

import (
	"errors"
	"fmt"

	"example.com/finetune/internal/hint"
	"example.com/finetune/model"
	"example.com/finetune/tokenizer"
	"example.com/finetune/tokenizer/chat"
)

// Options say how rows become sequences.
type Options struct {
	Template  *chat.Template // nil: the model has none, or it is not wanted
	TrainOn   string         // assistant, last or all
	MaxLength int            // tokens
	Overlong  string         // truncate, drop or error
}

// An encoded row, before it is kept or dropped.
type encoded struct {
	model.Sequence
	text            string   // what was tokenised
	offsets         [][2]int // bytes of text behind each token; none behind an end token that was added
	joined, skipped int
	overlong        int // tokens before the cut, 0 for none
}

// errNoTemplate is for rows that only a chat template can render.
var errNoTemplate = hint.New(errors.New("messages, but the model has no chat template"),
	"--chat-template FILE names one; a model without one takes prompt and completion, or text")

// encodeRow renders and tokenises a row, and masks what is not trained.
func encodeRow(r *Row, t *tokenizer.Tokenizer, o Options) (encoded, error) {
	var e encoded
	switch {
	case r.Format == Text:
		e.take(t, r.Text, []span{{0, len(r.Text)}}, true)
		e.end(t)
	case r.Format == Segments:
		spans := r.spans
		switch o.TrainOn {
		case "last":
			spans = spans[len(spans)-1:]
		case "all":
			spans = []span{{0, len(r.Text)}}
		}
		e.take(t, r.Text, spans, false)
	case o.Template != nil:
		if err := e.render(r, t, o); err != nil {
			return e, err
		}
	case r.Format == PromptCompletion || r.Format == Alpaca && len(r.Chat.Messages) == 0:
		e.plain(r, t, o)
	default:
		return e, errNoTemplate
	}
	e.oneBOS(t)
	if len(e.IDs) > o.MaxLength {
		e.overlong = len(e.IDs)
		e.IDs, e.Learn = e.IDs[:o.MaxLength:o.MaxLength], e.Learn[:o.MaxLength:o.MaxLength]
	}
	if e.overlong > 0 && o.Overlong == "error" {
		return e, hint.New(fmt.Errorf("%d tokens, max_length is %d", e.overlong, o.MaxLength), "--overlong truncate or drop, or a larger --max-length")
	}
	return e, nil
}

// render takes a row through the chat template, which writes its special tokens
// itself.
func (e *encoded) render(r *Row, t *tokenizer.Tokenizer, o Options) error {
	rendered, err := o.Template.RenderSpans(r.conversation())
	if err != nil {
		return err
	}
	e.skipped = len(rendered.Skipped)
	spans := turns(r, rendered.Spans, o.TrainOn)
	if o.TrainOn == "all" {
		spans = []span{{0, len(rendered.Text)}}
	}
	e.take(t, rendered.Text, spans, false)
	return nil
}

// plain joins a prompt and its completion without a template. The instruction of an
// Alpaca row does not say where it ends: a blank line does.
func (e *encoded) plain(r *Row, t *tokenizer.Tokenizer, o Options) {
	prompt := r.Prompt
	if r.Format == Alpaca {
		prompt += "\n\n"
	}
	text := prompt + r.Text
	spans := []span{{len(prompt), len(text)}}
	if o.TrainOn == "all" {
		spans[0].start = 0
	}
	e.take(t, text, spans, true)
	e.end(t)
}

// take tokenises text. special says whether the tokenizer puts its own tokens around.
func (e *encoded) take(t *tokenizer.Tokenizer, text string, spans []span, special bool) {
	enc := t.Encode(text, special)
	e.text, e.IDs, e.offsets = text, enc.IDs, enc.Offsets
	e.Learn, e.joined = mask(enc.Offsets, spans)
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
		e.IDs, e.Learn, e.offsets = e.IDs[1:], e.Learn[1:], e.offsets[1:]
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
