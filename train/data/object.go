package data

import (
	"encoding/json"
	"fmt"
	"slices"
)

// A field is one member of a JSON object, its value as written.
type field struct {
	name  string
	value json.RawMessage
}

// An object is a JSON object's members in their order.
type object []field

// find returns the value of a member as it stands, nil when it is absent.
func (o object) find(name string) json.RawMessage {
	for i := range o {
		if o[i].name == name {
			return o[i].value
		}
	}
	return nil
}

// get returns the value of a member, nil when it is absent or null.
func (o object) get(name string) json.RawMessage {
	if v := o.find(name); string(v) != "null" {
		return v
	}
	return nil
}

func (o object) has(name string) bool { return o.get(name) != nil }

// str returns a string member; "" when it is absent or null.
func (o object) str(name string) (string, error) {
	v := o.get(name)
	if v == nil {
		return "", nil
	}
	s, err := parseString(v)
	if err != nil {
		return "", fmt.Errorf("%q is %w", name, err)
	}
	return s, nil
}

// names lists the members for an error message.
func (o object) names() string {
	names := make([]string, len(o))
	for i := range o {
		names[i] = o[i].name
	}
	return listed(names, "nothing")
}

// parseObject splits valid JSON into the members of an object. A name that stands
// twice is an error: readers disagree about which value counts.
func parseObject(text []byte) (object, error) {
	if kind(text) != "an object" {
		return nil, fmt.Errorf("%s, want an object", kind(text))
	}
	var o object
	for i := skipSpace(text, 0) + 1; ; {
		if i = skipSpace(text, i); text[i] == '}' {
			break
		}
		end := skipValue(text, i)
		name, err := parseString(text[i:end])
		if err != nil {
			return nil, err
		}
		i = skipSpace(text, skipSpace(text, end)+1)
		end = skipValue(text, i)
		o = append(o, field{name, text[i:end:end]})
		if i = skipSpace(text, end); text[i] == ',' {
			i++
		}
	}
	return o, o.checkNames()
}

// checkNames returns an error for a name that stands twice.
func (o object) checkNames() error {
	names := make([]string, len(o))
	for i := range o {
		names[i] = o[i].name
	}
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return fmt.Errorf("%q stands twice in one object", names[i])
		}
	}
	return nil
}

// parseList splits valid JSON into the elements of a list.
func parseList(text []byte) ([]json.RawMessage, error) {
	if kind(text) != "a list" {
		return nil, fmt.Errorf("%s, want a list", kind(text))
	}
	var list []json.RawMessage
	for i := skipSpace(text, 0) + 1; ; {
		if i = skipSpace(text, i); text[i] == ']' {
			return list, nil
		}
		end := skipValue(text, i)
		list = append(list, text[i:end:end])
		if i = skipSpace(text, end); text[i] == ',' {
			i++
		}
	}
}

// checkDeep looks for names that stand twice at any depth of valid JSON.
func checkDeep(text []byte) error {
	switch kind(text) {
	case "an object":
		o, err := parseObject(text)
		if err != nil {
			return err
		}
		for _, f := range o {
			if err := checkDeep(f.value); err != nil {
				return err
			}
		}
	case "a list":
		list, err := parseList(text)
		if err != nil {
			return err
		}
		for _, v := range list {
			if err := checkDeep(v); err != nil {
				return err
			}
		}
	}
	return nil
}
