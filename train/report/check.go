package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"example.com/finetune/train/data"
)

// A CheckPage is all that check has to say. With --json it is printed as it is.
type CheckPage struct {
	OK           bool           `json:"ok"` // no run would stop
	Model        string         `json:"model"`
	ChatTemplate bool           `json:"chat_template"` // the rows go through one
	Positions    int            `json:"max_position_embeddings"`
	MaxLength    int            `json:"max_length"`
	Overlong     string         `json:"overlong"`
	TrainOn      string         `json:"train_on"`
	Files        []CheckedFile  `json:"files"`
	Stops        []data.Mistake `json:"stops"` // of all files
}

// A CheckedFile is one file and what it is for.
type CheckedFile struct {
	Use string `json:"use"` // train, valid or test
	*data.Report
}

// A Fact is one line about a file. Odd ones deserve a look.
type Fact struct {
	Label, Text string
	Odd         bool
}

// Facts says what the rows of a file come to, the same on a terminal and on a page.
func (p *CheckPage) Facts(f CheckedFile) []Fact {
	if f.Stats.Rows == 0 {
		return nil
	}
	format := f.Format
	if p.ChatTemplate && format != data.Text.String() && format != data.Segments.String() {
		format += ", through the chat template"
	}
	l := f.Lengths
	list := []Fact{
		{Label: "format", Text: format},
		{Label: "rows", Text: Count(f.Stats.Rows) + validationRows(f)},
		{Label: "tokens", Text: fmt.Sprintf("%s; a row has %s on average, 95 %% have at most %s, the longest %s",
			Count(f.Tokens), Count(int(l.Mean+0.5)), Count(l.P95), Count(l.Longest))},
		{Label: "trained", Text: fmt.Sprintf("%s, %.1f %%", Many(f.Trained, "token"), 100*f.TrainedShare)},
	}
	if f.Longest > p.Positions { // what the model can tell apart
		beyond := f.Lengths.Above(p.Positions)
		list = append(list, Fact{"beyond", fmt.Sprintf("%s longer than the model was made for (%s)", Many(beyond, "row"), Many(p.Positions, "token")), true})
	}
	for _, n := range f.Notes() {
		list = append(list, Fact{n.Label, n.Say(Many), true})
	}
	return list
}

// validationRows says how many rows the split keeps.
func validationRows(f CheckedFile) string {
	if f.Validation == 0 {
		return ""
	}
	return fmt.Sprintf(": %s to train on, %s kept for validation", Count(f.Stats.Rows-f.Validation), Count(f.Validation))
}

// Verdict is the last line: what a run would do.
func (p *CheckPage) Verdict() string {
	if p.OK {
		return "A run would not stop over these rows."
	}
	return "A run would stop."
}

// Settings says how the rows were read.
func (p *CheckPage) Settings() string {
	template := "no chat template"
	if p.ChatTemplate {
		template = "through its chat template"
	}
	return fmt.Sprintf("%s; max_length %d, overlong %s, train_on %s", template, p.MaxLength, p.Overlong, p.TrainOn)
}

// OneLine makes an error of several lines one, and what it quotes harmless.
func OneLine(text string) string {
	return strings.ReplaceAll(data.Visible(text), "\n", " ")
}

// Purpose says what a file is for.
func (f CheckedFile) Purpose() string {
	switch f.Use {
	case "train":
		return "training"
	case "valid":
		return "validation"
	}
	return f.Use
}

// plotFrom is how many rows make a distribution.
const plotFrom = 10

// TallestBar returns the rows of the longest bar, or 0 where there are too few rows
// to draw.
func TallestBar(bars []data.Bar) (most int) {
	all := 0
	for _, bar := range bars {
		most, all = max(most, bar.Rows), all+bar.Rows
	}
	if all < plotFrom {
		return 0
	}
	return most
}

// BarLabel names the lengths of a bar.
func BarLabel(bar data.Bar) string {
	if bar.To == bar.From+1 {
		return Count(bar.From)
	}
	return Count(bar.From) + "–" + Count(bar.To-1)
}

// Continued stands for a token inside a character.
const Continued = "◦"

// Inside reports whether a token begins and ends inside a character.
func Inside(t data.Token) bool { return t.Text == "" }

// TokenText is a token with nothing hidden.
func TokenText(t data.Token) string {
	if Inside(t) {
		return Continued
	}
	return data.Visible(t.Text)
}

//go:embed check.html
var pageSource string

// HTML returns the report as one page that needs nothing else. All that comes from the
// data is escaped by html/template.
func (p *CheckPage) HTML() ([]byte, error) {
	page, err := template.New("check").Funcs(template.FuncMap{
		"facts": p.Facts,
		"bars":  pageBars, "tokens": pageTokens,
		"count": Count, "many": Many, "join": strings.Join, "visible": OneLine,
		"why": func(r *data.Report, i int) string { return OneLine(strings.Join(r.Worst[i].Why, "; ")) },
	}).Parse(pageSource)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, p)
	return b.Bytes(), err
}

// A pageBar is one bar of a histogram, in percent of the longest.
type pageBar struct {
	Label   string
	Rows    int
	Percent float64
}

func pageBars(bars []data.Bar) []pageBar {
	most := TallestBar(bars)
	if most == 0 {
		return nil
	}
	list := make([]pageBar, len(bars))
	for i, bar := range bars {
		list[i] = pageBar{BarLabel(bar), bar.Rows, 100 * float64(bar.Rows) / float64(most)}
	}
	return list
}

// A pageToken is a token with the class of its style.
type pageToken struct {
	ID    int32
	Class string
	Text  string
}

func pageTokens(tokens []data.Token) []pageToken {
	list := make([]pageToken, len(tokens))
	for i, t := range tokens {
		class := "p" // prompt
		if t.Trained {
			class = "t"
		}
		if t.Special {
			class += " s"
		}
		list[i] = pageToken{t.ID, class, TokenText(t)}
	}
	return list
}

// Count writes a number with commas between its thousands.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Many writes a number and its noun, in the plural unless it is 1.
func Many(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Count(n) + " " + noun
}
