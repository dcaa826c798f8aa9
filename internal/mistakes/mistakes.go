package mistakes

import (
	"errors"
	"fmt"
	"strings"
)

// shown is how many mistakes an error tells.
const shown = 10

// A List is the mistakes of one file. The zero value is an empty one.
type List struct {
	first []string
	count int
}

// Addf adds a mistake, in words.
func (l *List) Addf(format string, args ...any) {
	if l.count++; l.count <= shown {
		l.first = append(l.first, fmt.Sprintf(format, args...))
	}
}

// Len returns how many there are.
func (l *List) Len() int { return l.count }

// Err returns nil where there is no mistake, else an error with one a line, each after
// the file's name.
func (l *List) Err(file string) error {
	if l.count == 0 {
		return nil
	}
	lines := l.first
	if more := l.count - shown; more > 0 {
		lines = append(lines[:shown:shown], fmt.Sprintf("and %d more mistakes", more))
	}
	return errors.New(file + ": " + strings.Join(lines, "\n"+file+": "))
}
