package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"example.com/finetune/internal/hint"
	"example.com/finetune/tokenizer"
)

// A Report is what the rows of one file come to. Its JSON is the same.
type Report struct {
	Path   string `json:"path"`
	Format string `json:"format,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Stats
	TrainedShare float64   `json:"trained_share"`   // of the tokens
	JoinedLine   int       `json:"joined_line"`     // the first with a token of prompt and answer; 0 for none
	Unread       []Unread  `json:"not_read"`        // names that nothing reads
	Validation   int       `json:"validation_rows"` // that val_split keeps
	Duplicates   int       `json:"duplicates"`      // rows with the tokens of an earlier one
	DuplicateAt  [2]int    `json:"duplicate_lines"` // of the first pair; 0, 0 for none
	Shared       []Overlap `json:"shared,omitempty"`
	Lengths      Lengths   `json:"lengths"` // before any cut
	Worst        []Finding `json:"worst"`
	Mistakes     []Mistake `json:"mistakes"` // the first ten
	MistakeCount int       `json:"mistake_count"`
	Stops        []Mistake `json:"stops"` // why a run would refuse the file

	WorstRows []Sample `json:"-"` // of Worst
	Rows      []Sample `json:"-"` // a seeded choice, in the file's order
	keys      []rowKey // sorted
	manner    manner
}

// Notes says what is odd about the rows, those of the other files included.
func (r *Report) Notes() []Note {
	list := r.Stats.notes(r.Path, r.manner, r.Unread)
	if r.Duplicates > 0 {
		list = append(list, Note{"twice", r.Duplicates, "row", fmt.Sprintf("equal to an earlier one, such as line %d, which equals line %d", r.DuplicateAt[1], r.DuplicateAt[0]), false})
	}
	for i := range r.Shared {
		list = append(list, r.Shared[i].Note())
	}
	return list
}

func newReport(path string) *Report { // lists are lists in JSON, if empty
	return &Report{Path: path, Unread: []Unread{}, Worst: []Finding{}, Mistakes: []Mistake{}, Stops: []Mistake{}}
}

// A Mistake is an error with its advice.
type Mistake struct {
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

func newMistake(err error) Mistake {
	return Mistake{Text: err.Error(), Hint: hint.Of(err)}
}

func (r *Report) stop(err error) { r.Stops = append(r.Stops, newMistake(err)) }

// CheckVocabulary returns an error where a token, which stands in a row at, is beyond
// a model's vocabulary.
func CheckVocabulary(id int32, at Origin, size int) error {
	if int(id) < size {
		return nil
	}
	return hint.New(fmt.Errorf("%v: token id %d, but the model's vocab_size is %d", at, id, size),
		"tokenizer.json and config.json are of different models, or the chat template uses tokens the model lacks")
}

// findDuplicates counts the rows that an earlier one equals.
func (r *Report) findDuplicates() {
	sortKeys(r.keys)
	for i := 1; i < len(r.keys); i++ {
		a, b := r.keys[i-1], r.keys[i]
		if a.key != b.key {
			continue
		}
		if r.Duplicates++; r.DuplicateAt[1] == 0 || b.line < r.DuplicateAt[1] {
			r.DuplicateAt = [2]int{a.line, b.line}
		}
	}
}

// Share finds the rows of r that stand in other too.
func (r *Report) Share(other *Report) {
	s := Overlap{With: other.Path}
	s.count(r.keys, other.keys)
	if s.Rows > 0 {
		r.Shared = append(r.Shared, s)
	}
}

// histogramBars is how many bars a histogram has at most.
const histogramBars = 12

// Lengths are the tokens of a file's rows.
type Lengths struct {
	Mean      float64 `json:"mean"`
	P50       int     `json:"p50"`
	P95       int     `json:"p95"`
	P99       int     `json:"p99"`
	Longest   int     `json:"longest"`
	Histogram []Bar   `json:"histogram"`

	rows map[int]int // by their tokens
}

// A Bar counts the rows of From tokens to below To.
type Bar struct {
	From int `json:"from"`
	To   int `json:"to"`
	Rows int `json:"rows"`
}

// newLengths sums up the rows by their length.
func newLengths(rows map[int]int) Lengths {
	l := Lengths{Histogram: []Bar{}}
	sizes := slices.Sorted(maps.Keys(rows))
	n, sum := 0, 0
	for _, size := range sizes {
		n += rows[size]
		sum += size * rows[size]
	}
	if n == 0 {
		return l
	}
	// at is the smallest length that a share of all rows does not exceed.
	at := func(percent int) int {
		seen := 0
		for _, size := range sizes {
			if seen += rows[size]; seen*100 >= n*percent {
				return size
			}
		}
		return sizes[len(sizes)-1]
	}
	l.Mean, l.rows = float64(sum)/float64(n), rows
	l.P50, l.P95, l.P99, l.Longest = at(50), at(95), at(99), sizes[len(sizes)-1]
	l.histogram(sizes, rows)
	return l
}

// histogram counts in bars of equal width 1, 2 or 5 times a power of ten. Where a
// few rows are far longer than the rest, the last bar takes them all.
func (l *Lengths) histogram(sizes []int, rows map[int]int) {
	top := l.Longest
	if top > 3*l.P99 {
		top = l.P99
	}
	first := sizes[0]
	width := 1
	for i := 0; top/width-first/width >= histogramBars; i++ {
		width = width / []int{1, 2, 5}[i%3] * []int{2, 5, 10}[i%3]
	}
	first = first / width * width
	last := top/width*width + width // beyond it, everything is one bar
	for from := first; from < last; from += width {
		l.Histogram = append(l.Histogram, Bar{From: from, To: from + width})
	}
	if l.Longest >= last {
		l.Histogram = append(l.Histogram, Bar{From: last, To: l.Longest + 1})
	}
	for _, size := range sizes {
		i := min((size-first)/width, len(l.Histogram)-1)
		l.Histogram[i].Rows += rows[size]
	}
}

// Above returns how many rows have more than n tokens.
func (l *Lengths) Above(n int) int {
	above := 0
	for size, rows := range l.rows {
		if size > n {
			above += rows
		}
	}
	return above
}

// A Token is one token of a row, as a reader sees it.
type Token struct {
	ID      int32
	Text    string // its part of the row's text; "" after the first token of a character
	Trained bool
	Special bool
}

// A Sample is a row's tokens, for people to look at.
type Sample struct {
	Origin
	Tokens []Token
	Lost   int // tokens cut off its end
}

// wordStart is how SentencePiece vocabularies spell a space.
const wordStart = "▁"

// newSample spells an encoded row out.
func newSample(e *encoded, at Origin, t *tokenizer.Tokenizer) Sample {
	out := Sample{Origin: at, Tokens: make([]Token, len(e.IDs)), Lost: max(0, e.overlong-len(e.IDs))}
	shown := 0 // bytes of the text
	for i, id := range e.IDs {
		k := Token{ID: id, Trained: e.Mask[i], Special: t.IsSpecial(id)}
		spelled, _ := t.Token(id)
		if i >= len(e.offsets) || e.offsets[i][0] == e.offsets[i][1] { // not of the text
			k.Text = spelled
		} else if from, to := max(shown, e.offsets[i][0]), e.offsets[i][1]; from < to {
			k.Text = e.text[from:to]
			if spelled == wordStart && k.Text != " " { // put before a word, and placed on its first letter
				k.Text, to = spelled, from
			}
			shown = to
		}
		out.Tokens[i] = k
	}
	return out
}

// Visible makes the characters that a terminal or a page would hide or obey
// visible: ↵ before each line break, ⇥ for a tab, the control pictures of Unicode, and a
// code such as ⟨U+200B⟩ for the rest.
func Visible(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString("↵\n")
		case r == '\t':
			b.WriteString("⇥")
		case r < ' ':
			b.WriteRune('␀' + r)
		case r == 0x7f:
			b.WriteRune('␡')
		case hidden(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether a character shows nothing of its own: controls, formats
// (zero width, direction), separators other than the space, private use. The joiner
// and the selector of emoji are left alone.
func hidden(r rune) bool {
	return r != '\u200d' && r != '\ufe0f' && r != ' ' && !unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029' || r == '\u00a0'
}
