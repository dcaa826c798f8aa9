package report

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"example.com/finetune/train/rundir"
)

// The picture in pixels, and the frame of the curves in it.
const (
	plotWidth, plotHeight = 760, 420
	plotLeft, plotRight   = 64, 740
	plotTop, plotBottom   = 56, 370
)

// plotStyle follows the reader's light or dark setting.
const plotStyle = `
.page{fill:#fff}.text{fill:#333}.quiet{fill:#666}.grid{stroke:#e3e3e3}.axis{stroke:#888}
.train{stroke:#4477aa}.eval{stroke:#cc5522}.dot{fill:#cc5522}.base{stroke:#888}
@media (prefers-color-scheme:dark){.page{fill:#16181c}.text{fill:#ddd}.quiet{fill:#9a9a9a}.grid{stroke:#2c2f36}.axis{stroke:#777}
.train{stroke:#77aadd}.eval{stroke:#ee8866}.dot{fill:#ee8866}.base{stroke:#999}}
`

type point struct{ x, y float64 }

// A curves is what the picture shows.
type curves struct {
	train, eval []point
	base        float64 // NaN for none
	best        int
}

// Plot draws the training and validation loss over the steps as SVG. best is the
// step whose adapter is kept.
func Plot(lines []rundir.Metric, best int) []byte {
	c := curves{base: math.NaN(), best: best}
	for _, m := range lines {
		if m.Loss != nil {
			c.train = append(c.train, point{float64(m.Step), *m.Loss})
		}
		if m.EvalLoss != nil {
			c.eval = append(c.eval, point{float64(m.Step), *m.EvalLoss})
		}
		if m.BaseEvalLoss != nil {
			c.base = *m.BaseEvalLoss
		}
	}
	f := c.frame()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" font-family="system-ui,sans-serif" font-size="13" role="img" aria-label="training and validation loss">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, "<style>%s</style>\n<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n", plotStyle)
	f.axes(&b)
	if !math.IsNaN(c.base) {
		y := f.y(c.base)
		fmt.Fprintf(&b, `<line class="base" x1="%d" y1="%s" x2="%d" y2="%[2]s" stroke-dasharray="5 4"/>`+"\n", plotLeft, px(y), plotRight)
	}
	f.line(&b, "train", 1.3, c.train)
	f.line(&b, "eval", 2, c.eval)
	for _, p := range c.eval {
		r := 2.5
		if int(p.x) == c.best {
			r = 5
		}
		fmt.Fprintf(&b, `<circle class="dot" cx="%s" cy="%s" r="%g"/>`+"\n", px(f.x(p.x)), px(f.y(p.y)), r)
	}
	c.legend(&b)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// legend names the curves above the frame.
func (c *curves) legend(b *bytes.Buffer) {
	x := plotLeft
	entry := func(class, dash, name string) {
		fmt.Fprintf(b, `<line class="%s" x1="%d" y1="30" x2="%d" y2="30" stroke-width="2"%s/><text class="text" x="%d" y="34">%s</text>`+"\n",
			class, x, x+22, dash, x+28, name)
		x += 46 + 7*len(name)
	}
	entry("train", "", "training loss")
	if len(c.eval) > 0 {
		entry("eval", "", fmt.Sprintf("validation loss (best at step %d)", c.best))
	}
	if !math.IsNaN(c.base) {
		entry("base", ` stroke-dasharray="5 4"`, "base model, validation")
	}
}

// A frame maps steps and losses to pixels.
type frame struct{ x0, x1, y0, y1 float64 }

// frame spans all curves.
func (c *curves) frame() frame {
	f := frame{x0: 0, x1: 1, y0: math.Inf(1), y1: math.Inf(-1)}
	for _, list := range [][]point{c.train, c.eval, {{0, c.base}}} {
		for _, p := range list {
			if !math.IsNaN(p.y) {
				f.x1, f.y0, f.y1 = max(f.x1, p.x), min(f.y0, p.y), max(f.y1, p.y)
			}
		}
	}
	if f.y0 > f.y1 {
		f.y0, f.y1 = 0, 1
	}
	margin := max(0.05*(f.y1-f.y0), 1e-3*math.Abs(f.y1), 1e-6)
	f.y0, f.y1 = max(0, f.y0-margin), f.y1+margin
	return f
}

func (f frame) x(v float64) float64 {
	return plotLeft + (v-f.x0)/(f.x1-f.x0)*(plotRight-plotLeft)
}

func (f frame) y(v float64) float64 {
	return plotBottom - (v-f.y0)/(f.y1-f.y0)*(plotBottom-plotTop)
}

func (f frame) line(b *bytes.Buffer, class string, width float64, list []point) {
	if len(list) == 0 {
		return
	}
	points := make([]string, len(list))
	for i, p := range list {
		points[i] = px(f.x(p.x)) + "," + px(f.y(p.y))
	}
	fmt.Fprintf(b, `<polyline class="%s" fill="none" stroke-width="%g" stroke-linejoin="round" points="%s"/>`+"\n", class, width, strings.Join(points, " "))
}

// axes draws grid lines, and numbers of losses and steps.
func (f frame) axes(b *bytes.Buffer) {
	f.grid(b)
	for _, v := range ticks(f.x0, f.x1, 8) {
		if v != math.Trunc(v) {
			continue // steps are whole
		}
		x := px(f.x(v))
		fmt.Fprintf(b, `<line class="axis" x1="%s" y1="%d" x2="%[1]s" y2="%[3]d"/><text class="quiet" x="%[1]s" y="%[4]d" text-anchor="middle">%[5]s</text>`+"\n",
			x, plotBottom, plotBottom+5, plotBottom+20, number(v))
	}
	fmt.Fprintf(b, `<text class="quiet" x="%d" y="%d" text-anchor="end">step</text>`+"\n", plotRight, plotBottom+40)
}

// grid draws the lines and numbers of losses.
func (f frame) grid(b *bytes.Buffer) {
	for _, v := range ticks(f.y0, f.y1, 6) {
		y := px(f.y(v))
		fmt.Fprintf(b, `<line class="grid" x1="%d" y1="%s" x2="%d" y2="%[2]s"/><text class="quiet" x="%[4]d" y="%[2]s" text-anchor="end" dy="4">%[5]s</text>`+"\n",
			plotLeft, y, plotRight, plotLeft-8, number(v))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" y1="%d" x2="%d" y2="%[2]d"/>`+"\n", plotLeft, plotBottom, plotRight)
	fmt.Fprintf(b, `<text class="quiet" x="8" y="%d">loss</text>`+"\n", plotTop-8)
}

// ticks returns round numbers in [lo,hi], about n of them.
func ticks(lo, hi float64, n int) []float64 {
	raw := (hi - lo) / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * unit
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= raw {
			step = m * unit
			break
		}
	}
	var list []float64
	for k := math.Ceil(lo / step); k*step <= hi; k++ {
		list = append(list, k*step)
	}
	return list
}

// px is a coordinate with a tenth of a pixel.
func px(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// number is a tick's value without the noise of its last bits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
