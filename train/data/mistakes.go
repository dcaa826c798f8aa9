package data

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/finetune/internal/hint"
)

// shown is how many mistakes an error spells out.
const shown = 10

// Mistakes are all the rows of a file that cannot be used, in its order.
type Mistakes struct {
	First []error // at most ten
	Total int
	file  string
}

func (m *Mistakes) add(err error) {
	if m.Total++; len(m.First) < shown {
		m.First = append(m.First, err)
	}
}

// Error returns the first ten mistakes, one a line, and their number where there
// are more.
func (m *Mistakes) Error() string {
	lines := make([]string, 0, shown+1)
	for _, err := range m.First {
		lines = append(lines, err.Error())
	}
	if m.Total > len(m.First) {
		lines = append(lines, fmt.Sprintf("%s: %d rows with mistakes, the first %d are shown", m.file, m.Total, len(m.First)))
	}
	return strings.Join(lines, "\n")
}

// Hint returns the first hint among the mistakes.
func (m *Mistakes) Hint() string {
	for _, err := range m.First {
		if text := hint.Of(err); text != "" {
			return text
		}
	}
	return ""
}

// listed quotes names for an error message, eight at most.
func listed(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	var list []string
	for _, name := range names[:min(len(names), 8)] {
		list = append(list, strconv.Quote(name))
	}
	if more := len(names) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, ", ")
}
