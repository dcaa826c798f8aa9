package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ardanlabs/jinja"
)

// errMarks refuses the two characters that mark what is trained.
var errMarks = errors.New("contains U+E000 or U+E001, which mark what is trained")

// jinjaValue is a JSON value for templates: key order is kept, and 1 is not 1.0.
func jinjaValue(raw json.RawMessage) (jinja.Value, error) {
	if !json.Valid(raw) {
		return jinja.Value{}, fmt.Errorf("not JSON: %.40s", raw)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return decodeValue(d)
}

func decodeValue(d *json.Decoder) (jinja.Value, error) {
	t, err := d.Token()
	if err != nil {
		return jinja.Value{}, err
	}
	switch v := t.(type) {
	case string:
		if strings.ContainsAny(v, marks) {
			return jinja.Value{}, errMarks
		}
	case json.Delim:
		if v == '{' {
			return decodeDict(d)
		}
		var items []jinja.Value
		for d.More() {
			item, err := decodeValue(d)
			if err != nil {
				return jinja.Value{}, err
			}
			items = append(items, item)
		}
		_, err := d.Token()
		return jinja.NewList(items), err
	}
	return jinja.FromGoValue(t), nil
}

func decodeDict(d *json.Decoder) (jinja.Value, error) {
	v := jinja.NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return v, err
		}
		item, err := decodeValue(d)
		if err != nil {
			return v, err
		}
		v.AsDict().Set(key.(string), item)
	}
	_, err := d.Token()
	return v, err
}
