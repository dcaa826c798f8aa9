package jinja

import (
	"errors"
	"fmt"
)

// What a template may use. No real one comes near these.
const (
	maxSource  = 1 << 20 // bytes: the longest in use have 2^15
	maxTokens  = 1 << 17 // words of a template
	maxNesting = 100     // brackets, or blocks, in one another
	maxChain   = 500     // operators in a row
	maxCalls   = 200     // macros, and recursive loops, in one another: Python ends near there too
	maxWalk    = 900     // lists in one another, written, compared or sorted: Python's recursion limit
	maxText    = 1 << 24 // bytes of one string: millions of tokens
	maxItems   = 1 << 20 // items of one list
	maxRange   = 100_000 // jinja2's sandbox has the same
	maxBits    = 1 << 16 // of an integer
	maxDigits  = 4300    // of an integer that is written or read: Python has the same

	// DefaultSteps are about two seconds of work.
	DefaultSteps = 1 << 24
	// DefaultBytes is what all values of a rendering may take together.
	DefaultBytes = 1 << 28
)

// Budget is what is left to one rendering, or to several that share it.
type Budget struct{ Steps, Bytes int }

// NewBudget is enough for any template in use.
func NewBudget() *Budget { return &Budget{Steps: DefaultSteps, Bytes: DefaultBytes} }

// ErrLimit is in the chain of every error of a template that went over a limit.
var ErrLimit = errors.New("does not come to an end")

// Error is a mistake in a template, or one that it makes with these values.
type Error struct {
	Name    string // of the template
	Line    int
	Kind    string // the class of Python's exception, or "limit"
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: line %d: %s", e.Name, e.Line, e.Message) }

// Is makes errors.Is know ErrLimit.
func (e *Error) Is(target error) bool { return target == ErrLimit && e.Kind == "limit" }

// The kinds of errors that are raised here, by Python's names.
const (
	syntaxError    = "TemplateSyntaxError"
	assertionError = "TemplateAssertionError"
	runtimeError   = "TemplateRuntimeError"
	undefinedError = "UndefinedError"
	securityError  = "SecurityError"
	filterError    = "FilterArgumentError"
	typeError      = "TypeError"
	valueError     = "ValueError"
	keyError       = "KeyError"
	indexError     = "IndexError"
	attributeError = "AttributeError"
	overflowError  = "OverflowError"
	divisionError  = "ZeroDivisionError"
)

func raise(kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func limit(format string, args ...any) error { return raise("limit", format, args...) }

// raised says whether an error is one of these kinds, as Python's except does.
func raised(err error, kinds ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, k := range kinds {
		if e.Kind == k {
			return true
		}
	}
	return false
}

// named completes an error with the template's name.
func named(err error, name string) error {
	var e *Error
	if errors.As(err, &e) && e.Name == "" {
		e.Name = name
	}
	return err
}

// step counts n steps of work.
func (m *machine) step(n int) error {
	if m.budget.Steps -= n; m.budget.Steps < 0 {
		return limit("does not come to an end: still running after all its steps")
	}
	return nil
}

// spend counts bytes of values.
func (m *machine) spend(bytes int) error {
	if bytes > maxText {
		return limit("makes a text of more than %d MiB", maxText>>20)
	}
	if m.budget.Bytes -= bytes; m.budget.Bytes < 0 {
		return limit("does not come to an end: has made more than %d MiB of values", DefaultBytes>>20)
	}
	return m.step(bytes>>4 + 1)
}

const itemBytes = 16

// items counts a list of n items.
func (m *machine) items(n int) error {
	if n > maxItems {
		return limit("makes a list of more than %d items", maxItems)
	}
	return m.spend(n * itemBytes)
}

// enter and leave stand around the body of a macro or of a recursive loop.
func (m *machine) enter() error {
	if m.depth++; m.depth > maxCalls {
		return limit("macros call each other more than %d deep", maxCalls)
	}
	return m.step(1)
}

func (m *machine) leave() { m.depth-- }

// deeper counts lists in one another where a value is gone through.
func deeper(depth int) error {
	if depth > maxWalk {
		return raise("RecursionError", "maximum recursion depth exceeded")
	}
	return nil
}
