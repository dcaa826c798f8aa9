package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The components of a tokenizer.json, such as its normalizer, are objects with a type.

// decodeStrict reads one component: an option that dst does not have is an error.
func decodeStrict(raw json.RawMessage, dst any) error {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// sequence is the type of a component that holds others of its kind.
const sequence = "Sequence"

// componentType is the "type" of a component.
func componentType(raw json.RawMessage) (string, error) {
	var t struct{ Type *string }
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if t.Type == nil {
		return "", errors.New(`"type" is missing`)
	}
	return *t.Type, nil
}

// loadComponents reads a component, none where it is absent: load makes one of each type
// but a Sequence, which holds a list of others under a key.
func loadComponents[T any](raw json.RawMessage, list string, load func(kind string, raw json.RawMessage) (T, error)) (all []T, err error) {
	if isNull(raw) {
		return nil, nil
	}
	kind, err := componentType(raw)
	if err != nil {
		return nil, err
	}
	if kind != sequence {
		one, err := load(kind, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		return []T{one}, nil
	}
	var c map[string]json.RawMessage
	if err := decodeStrict(raw, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", sequence, err)
	}
	for key := range c {
		if key != "type" && key != list {
			return nil, fmt.Errorf("%s: unknown field %q", sequence, key)
		}
	}
	var parts []json.RawMessage
	if err := decodeStrict(c[list], &parts); err != nil && !isNull(c[list]) {
		return nil, fmt.Errorf("%s: %w", sequence, err)
	}
	for i, part := range parts {
		some, err := loadComponents(part, list, load)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", sequence, i, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// isNull says whether a component is absent.
func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}
