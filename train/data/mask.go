package data

import "example.com/finetune/tokenizer/chat"

// A span is a trained range of bytes.
type span struct{ start, end int }

// turns picks the assistant's turns that trainOn asks for.
func turns(r *Row, all []chat.Span, trainOn string) []span {
	first := r.First
	if trainOn == "last" {
		for i, m := range r.conversation().Messages {
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
