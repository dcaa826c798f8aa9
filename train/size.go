package train

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
)

// A Size is a number of bytes, which flags and YAML files give as 2GB, 1.5 GiB or
// 800000000.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > 1<<60 {
		return fmt.Errorf("%q, want a size such as 2GB", text)
	}
	*s = Size(n)
	return nil
}

// UnmarshalYAML reads a size, with or without quotes.
func (s *Size) UnmarshalYAML(text []byte) error {
	var word string
	if err := yaml.Unmarshal(text, &word); err != nil {
		return fmt.Errorf("%q, want a size such as 2GB", text)
	}
	return s.UnmarshalText([]byte(word))
}

// MarshalYAML returns the bytes.
func (s Size) MarshalYAML() (any, error) { return int64(s), nil }
