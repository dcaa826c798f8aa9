package tokenizer

import (
	"encoding/json"
	"fmt"
)

// behavior says what becomes of a delimiter. "the-final--countdown" cut at "-":
type behavior int

const (
	removed            behavior = iota // the final countdown
	isolated                           // the - final - - countdown
	mergedWithPrevious                 // the- final- - countdown
	mergedWithNext                     // the -final - -countdown
	contiguous                         // the - final -- countdown
)

func parseBehavior(s string) (behavior, error) {
	switch s {
	case "Removed":
		return removed, nil
	case "Isolated":
		return isolated, nil
	case "MergedWithPrevious":
		return mergedWithPrevious, nil
	case "MergedWithNext":
		return mergedWithNext, nil
	case "Contiguous":
		return contiguous, nil
	}
	return 0, fmt.Errorf("unknown behavior %q", s)
}

// splitter cuts at the matches of a pattern, or with invert at what is between them.
type splitter struct {
	matcher  matcher
	behavior behavior
	invert   bool
}

func loadSplit(raw json.RawMessage) (splitter, error) {
	var c struct {
		Type     string
		Pattern  *patternJSON
		Behavior string
		Invert   bool
	}
	if err := decodeStrict(raw, &c); err != nil {
		return splitter{}, err
	}
	m, err := c.Pattern.matcher()
	if err != nil {
		return splitter{}, err
	}
	b, err := parseBehavior(c.Behavior)
	return splitter{m, b, c.Invert}, err
}

func (sp splitter) split(p piece, emit func(piece)) {
	out := func(i, j int) {
		if i == 0 && j == len(p.text) {
			emit(p)
		} else if i < j {
			emit(p.slice(i, j))
		}
	}
	if sp.behavior == isolated { // a delimiter and what is between two are treated alike
		last := 0
		sp.matcher.find(p.text, func(i, j int) {
			out(last, i)
			out(i, j)
			last = j
		})
		out(last, len(p.text))
		return
	}
	if sp.behavior == removed && sp.invert { // only the matches stay
		sp.matcher.find(p.text, out)
		return
	}
	for _, c := range sp.merge(sp.cuts(p.text)) {
		if !c.delimiter || sp.behavior != removed {
			out(c.i, c.j)
		}
	}
}

// cut is a stretch of text, a delimiter or not.
type cut struct {
	i, j      int
	delimiter bool
}

// cuts covers s with delimiters and what is between them.
func (sp splitter) cuts(s string) []cut {
	var all []cut
	last := 0
	sp.matcher.find(s, func(i, j int) {
		if last != i {
			all = append(all, cut{last, i, sp.invert})
		}
		all = append(all, cut{i, j, !sp.invert})
		last = j
	})
	if last != len(s) {
		all = append(all, cut{last, len(s), sp.invert})
	}
	return all
}

// merge joins delimiters with their neighbours, as the behavior asks.
func (sp splitter) merge(in []cut) []cut {
	if sp.behavior == removed {
		return in
	}
	out := in[:0]
	was := false // was the cut before a delimiter?
	if sp.behavior == mergedWithNext {
		// From the end: a delimiter joins what follows it unless that is one too.
		at := len(in)
		for k := len(in) - 1; k >= 0; k-- {
			c := in[k]
			if c.delimiter && !was && at < len(in) {
				in[at].i = c.i
			} else {
				at--
				in[at] = c
			}
			was = c.delimiter
		}
		return in[at:]
	}
	for _, c := range in {
		join := c.delimiter && !was
		if sp.behavior == contiguous {
			join = c.delimiter == was
		}
		if join && len(out) > 0 {
			out[len(out)-1].j = c.j
		} else {
			out = append(out, c)
		}
		was = c.delimiter
	}
	return out
}
