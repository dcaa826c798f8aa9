package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// A plot is a line chart whose axes may be logarithmic.
type plot struct {
	title, x, y string
	logX, logY  bool
	lines       []line
}

type line struct {
	name string
	x, y []float64
}

func (p *plot) add(name string, x, y []float64) { p.lines = append(p.lines, line{name, x, y}) }

// The picture and the frame in it, in pixels. The names of the lines are on its right.
const width, height, left, right, top, bottom = 830, 400, 80, 285, 44, 52

// plotStyle follows the reader's light or dark setting; its colours can be told apart by
// those who do not see all of them.
const plotStyle = `
.page{fill:#fff}.text{fill:#222}.quiet{fill:#555}.grid{stroke:#e3e3e3}
.l0{stroke:#0072b2}.l1{stroke:#d55e00}.l2{stroke:#009e73}.l3{stroke:#aa4499}.l4{stroke:#8a6d00}.l5{stroke:#333}
@media (prefers-color-scheme:dark){.page{fill:#16181c}.text{fill:#e6e6e6}.quiet{fill:#a8a8a8}.grid{stroke:#2f333a}
.l0{stroke:#56b4e9}.l1{stroke:#f08c4a}.l2{stroke:#3ac79b}.l3{stroke:#dd8ccf}.l4{stroke:#e0c341}.l5{stroke:#d0d0d0}}
`

// styles are the lines of the style, dashes those of every other line: lines that lie on
// each other both show.
const styles = 6

var dashes = []string{"", ` stroke-dasharray="7 4"`}

// An axis maps values to pixels.
type axis struct {
	log          bool
	lo, hi       float64 // logarithms where log
	start, pixel float64 // of lo, and from there to hi
}

func (p *plot) axis(log bool, of func(line) []float64, start, pixel float64) axis {
	a := axis{log: log, lo: math.Inf(1), hi: math.Inf(-1), start: start, pixel: pixel}
	for _, l := range p.lines {
		for _, v := range of(l) {
			if log {
				v = math.Log10(v)
			}
			a.lo, a.hi = min(a.lo, v), max(a.hi, v)
		}
	}
	margin := 0.04 * (a.hi - a.lo)
	a.lo, a.hi = a.lo-margin, a.hi+margin
	return a
}

func (a axis) at(v float64) float64 {
	if a.log {
		v = math.Log10(v)
	}
	return a.start + (v-a.lo)/(a.hi-a.lo)*a.pixel
}

// ticks returns round numbers: of a logarithmic axis powers of ten, and where these are
// few 2 and 5 times them.
func (a axis) ticks() (list []float64) {
	if !a.log {
		step := math.Pow(10, math.Floor(math.Log10(a.hi-a.lo)))
		for _, f := range []float64{0.5, 0.2} {
			if (a.hi-a.lo)/step < 4 {
				step *= f
			}
		}
		for k := math.Ceil(a.lo / step); k*step <= a.hi; k++ {
			list = append(list, rounded(k*step))
		}
		return list
	}
	between := []float64{1}
	if a.hi-a.lo < 2.5 {
		between = []float64{1, 2, 5}
	}
	every := math.Ceil((a.hi - a.lo) / 8)
	for e := math.Floor(a.lo/every) * every; e <= a.hi; e += every {
		for _, f := range between {
			if v := rounded(f * math.Pow(10, e)); math.Log10(v) >= a.lo && math.Log10(v) <= a.hi {
				list = append(list, v)
			}
		}
	}
	return list
}

// rounded is a value without the noise of its last bits.
func rounded(v float64) float64 {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return v
}

// number is a tick's text: 0.001 and 20000, but 1e-6 rather than 1e-06.
func number(v float64) string {
	if size := math.Abs(v); size == 0 || size > 0.9e-3 && size < 1e6 {
		return strconv.FormatFloat(v+0, 'f', -1, 64) // no -0
	}
	return strings.Replace(strconv.FormatFloat(v, 'e', -1, 64), "e-0", "e-", 1)
}

// svg draws the plot.
func (p *plot) svg() []byte {
	var b bytes.Buffer
	say := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	x := p.axis(p.logX, func(l line) []float64 { return l.x }, left, width-left-right)
	y := p.axis(p.logY, func(l line) []float64 { return l.y }, height-bottom, top+bottom-height)
	say(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" font-family="system-ui,sans-serif" font-size="13" role="img" aria-label="%s">`, width, height, html.EscapeString(p.title))
	say(`<style>%s</style><rect class="page" width="100%%" height="100%%"/>`, plotStyle)
	say(`<text class="text" x="%d" y="26" font-size="16">%s</text>`, left, html.EscapeString(p.title))
	for _, v := range x.ticks() {
		say(`<path class="grid" d="M%.1f %dV%d"/><text class="quiet" x="%.1f" y="%d" text-anchor="middle">%s</text>`, x.at(v), top, height-bottom, x.at(v), height-bottom+18, number(v))
	}
	for _, v := range y.ticks() {
		say(`<path class="grid" d="M%d %.1fH%d"/><text class="quiet" x="%d" y="%.1f" text-anchor="end">%s</text>`, left, y.at(v), width-right, left-8, y.at(v)+4, number(v))
	}
	say(`<text class="quiet" x="%d" y="%d" text-anchor="middle">%s</text>`, (left+width-right)/2, height-12, html.EscapeString(p.x))
	say(`<text class="quiet" transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>`, (top+height-bottom)/2, html.EscapeString(p.y))
	for i, l := range p.lines {
		p.line(say, i, l, x, y)
	}
	say(`</svg>`)
	return b.Bytes()
}

// line draws a line, and its name beside the frame. A short one has a dot at each value.
func (p *plot) line(say func(format string, a ...any), i int, l line, x, y axis) {
	const dots = 12
	class, dash := fmt.Sprintf("l%d", i%styles), dashes[i%len(dashes)]
	path := "M"
	for k := range l.x {
		path += fmt.Sprintf("%.1f %.1f ", x.at(l.x[k]), y.at(l.y[k]))
	}
	say(`<path class="%s" d="%s" fill="none" stroke-width="2"%s/>`, class, path, dash)
	if len(l.x) <= dots {
		for k := range l.x {
			say(`<circle class="%s" cx="%.1f" cy="%.1f" r="2.5" stroke-width="2" fill="none"/>`, class, x.at(l.x[k]), y.at(l.y[k]))
		}
	}
	row := top + 14 + 22*i
	say(`<path class="%s" d="M%d %dh24" stroke-width="2"%s/><text class="text" x="%d" y="%d">%s</text>`,
		class, width-right+14, row-4, dash, width-right+44, row, html.EscapeString(l.name))
}
