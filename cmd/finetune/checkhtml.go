package main

import (
	_ "embed"
	"html/template"
	"strings"

	"example.com/finetune/internal/files"
	"example.com/finetune/train/data"
)

// pageRows is how many rows of each file a page shows unless --show says more.
const pageRows = 8

//go:embed check.html
var pageSource string

// writePage writes the report as one HTML file that needs nothing else. All that
// comes from the data is escaped by html/template.
func writePage(path string, p *checkPage) error {
	page, err := template.New("check").Funcs(template.FuncMap{
		"facts": func(f checkedFile) []fact { return facts(p, f) },
		"use":   func(f checkedFile) string { return useText[f.Use] },
		"bars":  pageBars, "tokens": pageTokens, "verdict": verdict, "settings": settingsLine,
		"count": count, "many": many, "join": strings.Join, "visible": oneLine,
		"why": func(r *data.Report, i int) string { return oneLine(strings.Join(r.Worst[i].Why, "; ")) },
	}).Parse(pageSource)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := page.Execute(&b, p); err != nil {
		return err
	}
	return files.Write(path, []byte(b.String()))
}

// A pageBar is one bar of a histogram, in percent of the longest.
type pageBar struct {
	Label   string
	Rows    int
	Percent float64
}

func pageBars(bars []data.Bar) []pageBar {
	most := distribution(bars)
	if most == 0 {
		return nil
	}
	list := make([]pageBar, len(bars))
	for i, bar := range bars {
		list[i] = pageBar{barLabel(bar), bar.Rows, 100 * float64(bar.Rows) / float64(most)}
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
		list[i] = pageToken{t.ID, class, tokenText(t)}
	}
	return list
}
