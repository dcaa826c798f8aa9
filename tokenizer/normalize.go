package tokenizer

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a piece; alignments are carried through.
type normalizer interface {
	normalize(p piece) piece
}

// loadNormalizers reads a normalizer; Sequences are flattened.
func loadNormalizers(raw json.RawMessage) ([]normalizer, error) {
	return loadComponents(raw, "normalizers", loadNormalizer)
}

var unicodeForms = map[string]form{
	"NFC": {norm.NFC, true}, "NFD": {norm.NFD, false}, "NFKC": {norm.NFKC, true}, "NFKD": {norm.NFKD, false},
}

func loadNormalizer(kind string, raw json.RawMessage) (normalizer, error) {
	switch kind {
	case "NFC", "NFD", "NFKC", "NFKD":
		return unicodeForms[kind], decodeStrict(raw, &struct{ Type string }{})
	case "Lowercase":
		return lowercase{}, decodeStrict(raw, &struct{ Type string }{})
	case "Prepend":
		var c struct{ Type, Prepend string }
		err := decodeStrict(raw, &c)
		return prepend(c.Prepend), err
	case "Strip":
		var c struct {
			Type  string
			Left  bool `json:"strip_left"`
			Right bool `json:"strip_right"`
		}
		err := decodeStrict(raw, &c)
		return strip{c.Left, c.Right}, err
	case "Replace":
		return loadReplace(raw)
	}
	return nil, errors.New("unknown normalizer")
}

// replace is a normalizer and a decoder.
type replace struct {
	pattern matcher
	content string
}

func loadReplace(raw json.RawMessage) (replace, error) {
	var c struct {
		Type    string
		Pattern *patternJSON
		Content string
	}
	if err := decodeStrict(raw, &c); err != nil {
		return replace{}, err
	}
	m, err := c.Pattern.matcher()
	return replace{m, c.Content}, err
}

func (r replace) normalize(p piece) piece { return p.replace(r.pattern, r.content) }

type prepend string

func (s prepend) normalize(p piece) piece { return p.prepend(string(s)) }

// strip cuts white space off the ends; the piece still starts where it did.
type strip struct{ left, right bool }

func (n strip) normalize(p piece) piece {
	i, j := 0, len(p.text)
	if n.left {
		i = j - len(strings.TrimLeftFunc(p.text, unicode.IsSpace))
	}
	if n.right {
		j = max(i, len(strings.TrimRightFunc(p.text, unicode.IsSpace)))
	}
	if i == 0 && j == len(p.text) {
		return p
	}
	p = p.explicit()
	return piece{text: p.text[i:j], align: p.align[i:j], base: p.base}
}

// lowercase is rune by rune, without the context rule of the final sigma.
type lowercase struct{}

func (lowercase) normalize(p piece) piece {
	changes := make([]change, 0, len(p.text))
	for _, r := range p.text {
		if r == 'İ' { // the one rune whose lower case is two
			changes = append(changes, change{'i', 0}, change{'\u0307', 1})
			continue
		}
		changes = append(changes, change{toLower(r), 0})
	}
	return p.transform(changes)
}
