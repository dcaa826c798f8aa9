package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
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

// The picture and the frame in it, in pixels, and the colours of the lines.
const width, height, left, right, top, bottom = 640, 400, 70, 20, 40, 50

var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7"}

// An axis maps values to pixels.
type axis struct {
	log          bool
	lo, hi       float64 // logarithms where log
	start, pixel float64 // of lo, and from there to hi
}

func (a axis) at(v float64) float64 {
	if a.log {
		v = math.Log10(v)
	}
	return a.start + (v-a.lo)/(a.hi-a.lo)*a.pixel
}

// ticks returns powers of ten, or whole numbers.
func (a axis) ticks() (list []float64) {
	if a.log {
		for e := math.Ceil(a.lo - 1e-9); e <= a.hi+1e-9; e++ {
			list = append(list, math.Pow(10, e))
		}
		return list
	}
	step := math.Ceil((a.hi - a.lo) / 5)
	for v := math.Ceil(a.lo/step) * step; v <= a.hi; v += step {
		list = append(list, v)
	}
	return list
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
	if log { // whole decades
		a.lo, a.hi = math.Floor(a.lo), math.Ceil(a.hi)
	}
	return a
}

// svg draws the plot.
func (p *plot) svg() []byte {
	var b bytes.Buffer
	say := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	x := p.axis(p.logX, func(l line) []float64 { return l.x }, left, width-left-right)
	y := p.axis(p.logY, func(l line) []float64 { return l.y }, height-bottom, top+bottom-height)
	say(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, width, height)
	say(`<rect width="%d" height="%d" fill="#fff"/><text x="%d" y="22" font-size="15">%s</text>`, width, height, left, html.EscapeString(p.title))
	for _, v := range x.ticks() {
		say(`<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`, x.at(v), top, height-bottom, x.at(v), height-bottom+16, v)
	}
	for _, v := range y.ticks() {
		say(`<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`, left, y.at(v), width-right, left-6, y.at(v)+4, v)
	}
	say(`<text x="%d" y="%d" text-anchor="middle">%s</text>`, (left+width-right)/2, height-12, html.EscapeString(p.x))
	say(`<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`, (top+height-bottom)/2, html.EscapeString(p.y))
	for i, l := range p.lines {
		colour := colours[i%len(colours)]
		path := "M"
		for k := range l.x {
			path += fmt.Sprintf("%.1f %.1f ", x.at(l.x[k]), y.at(l.y[k]))
		}
		say(`<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`, path, colour)
		say(`<text x="%d" y="%d" fill="%s">%s</text>`, left+8, height-bottom-12-16*(len(p.lines)-1-i), colour, html.EscapeString(l.name))
	}
	say(`</svg>`)
	return b.Bytes()
}
