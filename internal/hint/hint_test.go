package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// A list has advice of its own, as an error type of another package may.
type list struct{ error }

func (list) Hint() string { return "its own" }

func TestOf(t *testing.T) {
	plain := errors.New("x")
	for want, err := range map[string]error{
		"":          fmt.Errorf("a: %w", plain),
		"inner":     fmt.Errorf("a: %w", New(plain, "inner")),
		"outer":     New(fmt.Errorf("a: %w", New(plain, "inner")), "outer"),
		"kept":      New(fmt.Errorf("a: %w", New(plain, "kept")), ""),
		"one of 2":  errors.Join(plain, Newf(plain, "one of %d", 2)),
		"of usage":  New(Usagef("x"), "of usage"),
		"in usage":  Usagef("a: %w", New(plain, "in usage")),
		"its own":   fmt.Errorf("a: %w", list{plain}),
		"50% is 5%": New(plain, "50% is 5%"),
	} {
		if got := Of(err); got != want {
			t.Errorf("%v: hint %q, want %q", err, got, want)
		}
	}
	if New(nil, "x") != nil || Of(nil) != "" {
		t.Error("no error has no hint")
	}
}

func TestTheErrorIsKept(t *testing.T) {
	err := fmt.Errorf("a: %w", New(Usagef("b: %w", fs.ErrNotExist), "advice"))
	if err.Error() != "a: b: file does not exist" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if !IsUsage(err) || IsUsage(New(fs.ErrNotExist, "advice")) || IsUsage(nil) {
		t.Error("IsUsage")
	}
}

func TestJoin(t *testing.T) {
	one := New(Usagef("a"), "mend it")
	if err := Join([]error{one}); err.Error() != "a" || Of(err) != "mend it" || Join(nil) != nil {
		t.Errorf("of one: %v", err)
	}
	var many []error
	for range 12 {
		many = append(many, Usagef("b"))
	}
	err := Join(append([]error{one}, many...))
	if want := "a (mend it)\n" + strings.Repeat("b\n", 9) + "and 3 more"; err.Error() != want || !IsUsage(err) || Of(err) != "" {
		t.Errorf("got %v", err)
	}
}
