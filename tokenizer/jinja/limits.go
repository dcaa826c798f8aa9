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
	maxCalls   = 200     // macros, and recursive loops, in one another: Python ends near there too
	maxDepth   = 900     // lists in one another, written, compared or sorted: Python's recursion limit
	maxText    = 1 << 24 // bytes of one string: millions of tokens
	maxItems   = 1 << 20 // items of one list
	maxRange   = 100_000 // jinja2's sandbox has the same
	maxBits    = 1 << 16 // of an integer
	maxDigits  = 4300    // of an integer that is written or read: Python has the same
	itemBytes  = 16      // of an item of a list

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
func (e *Error) Is(target error) bool { return target == ErrLimit && e.Kind == limitError }

// The kinds of errors that are raised here, by Python's names.
const (
	limitError     = "limit"
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

// raise makes an error, which is thrown: panic(raise(…)). Parse and Render catch it.
func raise(kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// check throws an error where something does not hold.
func check(holds bool, kind, format string, args ...any) {
	if !holds {
		panic(raise(kind, format, args...))
	}
}

// wrongType is the error of a value that is not what it has to be, or not there at all.
func wrongType(want string, found Value) *Error {
	defined(found)
	return raise(typeError, "want %s, found %s", want, typeName(found))
}

// catch is deferred by what the package exports: an *Error that was thrown inside becomes
// the error of the function. Other panics are mistakes of this package and go on.
func catch(err *error, name string, line *int) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		if e.Name = name; e.Line == 0 {
			e.Line = max(*line, 1)
		}
		*err = e
	default:
		panic(e)
	}
}

// step counts n steps of work.
func (m *machine) step(n int) {
	if m.budget.Steps -= n; m.budget.Steps < 0 {
		panic(raise(limitError, "does not come to an end: still running after all its steps"))
	}
}

// spend counts bytes of values.
func (m *machine) spend(bytes int) {
	checkText(bytes)
	if m.budget.Bytes -= bytes; m.budget.Bytes < 0 {
		panic(raise(limitError, "does not come to an end: has made more than %d MiB of values", DefaultBytes>>20))
	}
	m.step(bytes>>4 + 1)
}

// items counts a list of n items.
func (m *machine) items(n int) {
	if n > maxItems {
		panic(raise(limitError, "makes a list of more than %d items", maxItems))
	}
	m.spend(n * itemBytes)
}

// checkText is for the length of a text that is being made.
func checkText(bytes int) {
	if bytes > maxText {
		panic(raise(limitError, "makes a text of more than %d MiB", maxText>>20))
	}
}

// enter stands before the body of a macro or of a recursive loop.
func (m *machine) enter() {
	if m.depth++; m.depth > maxCalls {
		panic(raise(limitError, "macros call each other more than %d deep", maxCalls))
	}
	m.step(1)
}

// deeper counts a step of going through a value, depth lists down.
func (m *machine) deeper(depth int) {
	if m.step(1); depth > maxDepth {
		panic(raise("RecursionError", "maximum recursion depth exceeded"))
	}
}
