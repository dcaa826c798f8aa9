package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// loadPostProcessor reads what is put before and after a single text.
// ByteLevel would only trim offsets, which we never do.
func loadPostProcessor(raw json.RawMessage) (before, after []int32, err error) {
	if isNull(raw) {
		return nil, nil, nil
	}
	kind, err := componentType(raw)
	if err != nil {
		return nil, nil, err
	}
	switch kind {
	case "ByteLevel":
		err = decodeStrict(raw, &byteLevelJSON{})
	case "TemplateProcessing":
		before, after, err = loadTemplateProcessing(raw)
	case sequence:
		before, after, err = loadPostSequence(raw)
	default:
		err = errors.New("unknown post-processor")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", kind, err)
	}
	return before, after, nil
}

func loadPostSequence(raw json.RawMessage) (before, after []int32, err error) {
	var c struct {
		Type       string
		Processors []json.RawMessage
	}
	if err := decodeStrict(raw, &c); err != nil {
		return nil, nil, err
	}
	for i, sub := range c.Processors {
		b, a, err := loadPostProcessor(sub)
		if err != nil {
			return nil, nil, fmt.Errorf("[%d]: %w", i, err)
		}
		if len(before)+len(after) > 0 && len(b)+len(a) > 0 { // the second would get a pair
			return nil, nil, fmt.Errorf("[%d]: two templates in a row are not supported", i)
		}
		before, after = append(before, b...), append(after, a...)
	}
	return before, after, nil
}

// templatePiece is {"SpecialToken": …} or {"Sequence": …}.
type templatePiece struct {
	SpecialToken, Sequence *struct {
		ID     string `json:"id"`
		TypeID int    `json:"type_id"`
	}
}

func loadTemplateProcessing(raw json.RawMessage) (before, after []int32, err error) {
	var c struct {
		Type          string
		Single        []templatePiece
		Pair          json.RawMessage
		SpecialTokens map[string]struct {
			ID     string   `json:"id"`
			IDs    []int32  `json:"ids"`
			Tokens []string `json:"tokens"`
		} `json:"special_tokens"`
	}
	if err := decodeStrict(raw, &c); err != nil {
		return nil, nil, err
	}
	seen := 0
	for i, p := range c.Single {
		switch {
		case p.Sequence != nil && p.SpecialToken == nil && p.Sequence.ID == "A":
			seen++
		case p.SpecialToken != nil && p.Sequence == nil:
			s, ok := c.SpecialTokens[p.SpecialToken.ID]
			if !ok {
				return nil, nil, fmt.Errorf("single[%d]: %q is not in special_tokens", i, p.SpecialToken.ID)
			}
			if seen == 0 {
				before = append(before, s.IDs...)
			} else {
				after = append(after, s.IDs...)
			}
		default:
			return nil, nil, fmt.Errorf(`single[%d]: want a special token or the sequence "A"`, i)
		}
	}
	if seen != 1 {
		return nil, nil, fmt.Errorf(`single: want the sequence "A" once, found it %d times`, seen)
	}
	return before, after, nil
}
