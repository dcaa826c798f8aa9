package hint

import (
	"errors"
	"fmt"
	"strings"
)

// An advised error is its error with advice beside it.
type advised struct {
	error
	text string
}

func (a advised) Unwrap() error { return a.error }

// Hint returns the advice. Other errors may have this method as well, see [Of].
func (a advised) Hint() string { return a.text }

// New returns err with advice. Without a text, or without an error, it is err itself.
func New(err error, text string) error {
	if err == nil || text == "" {
		return err
	}
	return advised{err, text}
}

// Newf is [New] with a format for the advice.
func Newf(err error, format string, args ...any) error {
	return New(err, fmt.Sprintf(format, args...))
}

// Of returns the advice of err: that of the outermost error in its tree which has a
// Hint method, "" where none has.
func Of(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// A usage error is a mistake in a flag or a setting.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// Usagef returns an error that [IsUsage] knows, made as [fmt.Errorf] makes it.
func Usagef(format string, args ...any) error {
	return usage{fmt.Errorf(format, args...)}
}

// IsUsage reports whether err is, or wraps, an error made by [Usagef].
func IsUsage(err error) bool { return errors.As(err, new(usage)) }

const shown = 10 // mistakes that Join lists

// Join makes one mistake of usage of several, each with its advice in its own line; of
// one it is that one, of none nil.
func Join(found []error) error {
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	var lines []string
	for _, err := range found[:min(len(found), shown)] {
		line := err.Error()
		if advice := Of(err); advice != "" {
			line += " (" + advice + ")"
		}
		lines = append(lines, line)
	}
	if more := len(found) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return Usagef("%s", strings.Join(lines, "\n"))
}
