package train

import (
	"fmt"

	"github.com/dustin/go-humanize"
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

// MarshalYAML returns the bytes.
func (s Size) MarshalYAML() (any, error) { return int64(s), nil }
