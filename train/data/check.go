package data

import (
	"fmt"

	"example.com/finetune/internal/hint"
	"example.com/finetune/simd"
	"example.com/finetune/tokenizer"
)

// A Checker reads files as a run would, and says what it finds. It goes on after
// mistakes.
type Checker struct {
	Tokenizer *tokenizer.Tokenizer
	Options   Options
	Columns   Columns
	Pool      *simd.Pool
	VocabSize int     // of the model
	Ends      []int32 // tokens that end a text, besides the special ones
	Samples   int     // rows of a file to spell out
	ValSplit  float64 // share of the rows that a run would keep for validation
	Seed      uint64  // of both choices
	Progress  func(bytes int64)

	markers *markers
}

// A Report is what the rows of one file come to. Its JSON is the same.
type Report struct {
	Path   string `json:"path"`
	Format string `json:"format,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Stats
	TrainedShare  float64   `json:"trained_share"`   // of the tokens
	EndNotTrained int       `json:"end_not_trained"` // rows whose last answer ends without a trained end token
	MarkersInText int       `json:"markers_in_text"` // rows that spell a special token out
	JoinedLine    int       `json:"joined_line"`     // the first with a token of prompt and answer; 0 for none
	BrokenText    int       `json:"broken_text"`     // rows with U+FFFD, which stands for bytes that were lost
	Validation    int       `json:"validation_rows"` // that val_split keeps
	Duplicates    int       `json:"duplicates"`      // rows with the tokens of an earlier one
	DuplicateAt   [2]int    `json:"duplicate_lines"` // of the first pair; 0, 0 for none
	Shared        []Overlap `json:"shared,omitempty"`
	Lengths       Lengths   `json:"lengths"` // before any cut
	Worst         []Finding `json:"worst"`
	Mistakes      []Mistake `json:"mistakes"` // the first ten
	MistakeCount  int       `json:"mistake_count"`
	Stops         []Mistake `json:"stops"` // why a run would refuse the file

	WorstRows []Sample `json:"-"` // of Worst
	Rows      []Sample `json:"-"` // a seeded choice, in the file's order
	keys      []rowKey // sorted
}

func newReport(path string) *Report { // lists are lists in JSON, if empty
	return &Report{Path: path, Worst: []Finding{}, Mistakes: []Mistake{}, Stops: []Mistake{}}
}

// A Mistake is an error with its advice.
type Mistake struct {
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

func newMistake(err error) Mistake {
	return Mistake{Text: err.Error(), Hint: hint.Of(err)}
}

// Check reads the file at path.
func (c *Checker) Check(path string) *Report {
	if c.markers == nil {
		c.markers = newMarkers(c.Tokenizer)
	}
	s := &survey{Checker: c, report: newReport(path), lengths: map[int]int{}, maxID: -1, draw: draw{share: c.ValSplit, seed: c.Seed}}
	file, mistakes, err := walk(path, c.Columns, c.Tokenizer, c.Options, c.Pool, c.Progress, s.add)
	r := s.report
	r.SHA256 = file.SHA256
	if file.Format != 0 {
		r.Format = file.Format.String()
	}
	if mistakes != nil {
		r.MistakeCount = mistakes.Total
		for _, m := range mistakes.First {
			r.Mistakes = append(r.Mistakes, newMistake(m))
		}
	}
	s.finish(mistakes, err)
	return r
}

// finish computes what only all rows together show.
func (s *survey) finish(mistakes *Mistakes, err error) {
	r := s.report
	if r.Tokens > 0 {
		r.TrainedShare = float64(r.Trained) / float64(r.Tokens)
	}
	r.Lengths = newLengths(s.lengths)
	s.split()
	r.keys = s.keys
	r.findDuplicates()
	s.spell()
	switch {
	case err != nil:
		r.stop(err)
	case mistakes != nil:
		err := fmt.Errorf("%s: %s with mistakes", r.Path, plural(r.MistakeCount, "row"))
		r.stop(hint.New(err, mistakes.Hint()))
	default:
		if err := r.Stats.check(); err != nil {
			r.stop(fmt.Errorf("%s: %w", r.Path, err))
		}
	}
	if err := CheckVocabulary(s.maxID, s.maxIDAt, s.VocabSize); err != nil {
		r.stop(err)
	}
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
