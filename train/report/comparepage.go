package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"example.com/finetune/train/rundir"
)

//go:embed compare.html
var compareHTML string

// palette is how many configurations have a colour of their own; the rest are grey.
const palette = 8

// HTML is the comparison as one page that needs no other file.
func (c *Comparison) HTML() ([]byte, error) {
	t := template.New("compare").Funcs(template.FuncMap{
		"cells":    c.tableCells,
		"columns":  c.columns,
		"curves":   c.curves,
		"settings": c.settingPlots,
		"heat":     c.heatMaps,
		"moved":    c.moved,
		"samples":  c.samples,
		"lossName": c.lossName,
		"shade":    func(h heatCell) string { return fmt.Sprintf("%.3f", 0.95-0.85*h.Shade) },
		"pieces":   pieces,
		"parts":    func(label string) []string { return strings.SplitAfter(label, ",") },
		"colour":   c.colour,
	})
	t, err := t.Parse(compareHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, c)
	return b.Bytes(), err
}

// A cell is a text of the table and what it is sorted by.
type cell struct {
	Text, Key string
}

// tableCells is a line of the table with keys to sort by: numbers in full, and texts.
func (c *Comparison) tableCells(g *Configuration) []cell {
	texts := c.cells(g)
	mean := func(d *Difference) float64 {
		if d == nil {
			return 0
		}
		return d.Mean
	}
	keys := []float64{0, float64(len(g.Done)), g.Mean, g.BestStep, g.Seconds, g.Pace, float64(g.Bytes), mean(g.Against), g.Right.Mean, mean(g.Answers)}
	list := make([]cell, len(texts))
	for i, text := range texts {
		list[i] = cell{text, full(keys[i])}
		if i == 0 {
			list[i].Key = text
		}
	}
	return list
}

// pieces are what a cell may be broken into: a number, and what follows it in brackets.
func pieces(text string) []string {
	if number, rest, ok := strings.Cut(text, " ("); ok {
		return []string{number, "(" + rest}
	}
	return []string{text}
}

// colour is the class of a configuration: c0, c1, …, the best first, or rest.
func (c *Comparison) colour(g *Configuration) string {
	if i := slices.Index(c.Configurations, g); i < palette {
		return "c" + strconv.Itoa(i)
	}
	return "rest"
}

// A picture is a drawing with its name.
type picture struct {
	Title, Note string
	SVG         template.HTML
}

// A band is a curve of means with the least and the greatest at each step.
type band struct{ mean, low, high []point }

// curves draws validation and training loss by configuration.
func (c *Comparison) curves() (list []picture) {
	if p, ok := c.drawCurves("Validation loss", func(m rundir.Metric) *float64 { return m.EvalLoss }); ok {
		list = append(list, p)
	}
	if p, ok := c.drawCurves("Training loss", func(m rundir.Metric) *float64 { return m.Loss }); ok {
		list = append(list, p)
	}
	return list
}

func (c *Comparison) drawCurves(title string, value func(rundir.Metric) *float64) (picture, bool) {
	bands := make([]band, len(c.Configurations))
	var all []point
	for i, g := range c.Configurations {
		bands[i] = g.band(value)
		all = append(all, slices.Concat(bands[i].low, bands[i].high)...)
	}
	if len(all) == 0 {
		return picture{}, false
	}
	f := around(all)
	var b bytes.Buffer
	openPicture(&b, title+" by configuration")
	f.axes(&b)
	for i := len(bands) - 1; i >= 0; i-- { // the best on top
		class, name := c.colour(c.Configurations[i]), template.HTMLEscapeString(c.Configurations[i].Label)
		fmt.Fprintf(&b, `<g class="curve %s"><title>%s</title>`+"\n", class, name)
		f.area(&b, bands[i])
		f.line(&b, "stroke", 2, bands[i].mean)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return picture{Title: title, Note: "The mean over seeds; the band is from the least to the greatest.", SVG: template.HTML(b.String())}, true
}

// band gathers a figure of a configuration's runs by step. A step counts where all runs
// that have begun have it.
func (g *Configuration) band(value func(rundir.Metric) *float64) (b band) {
	at := map[int][]float64{}
	runs := 0
	for _, r := range g.Runs {
		if len(r.Status.Metrics) > 0 {
			runs++
		}
		for _, m := range r.Status.Metrics {
			if v := value(m); v != nil {
				at[m.Step] = append(at[m.Step], *v)
			}
		}
	}
	var steps []int
	for step, values := range at {
		if len(values) == runs {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	for _, step := range steps {
		x := float64(step)
		b.mean = append(b.mean, point{x, stat.Mean(at[step], nil)})
		b.low = append(b.low, point{x, slices.Min(at[step])})
		b.high = append(b.high, point{x, slices.Max(at[step])})
	}
	return b
}

// around returns the frame of some points.
func around(all []point) frame {
	f := frame{x0: math.Inf(1), x1: math.Inf(-1), y0: math.Inf(1), y1: math.Inf(-1)}
	for _, p := range all {
		f.x0, f.x1, f.y0, f.y1 = min(f.x0, p.x), max(f.x1, p.x), min(f.y0, p.y), max(f.y1, p.y)
	}
	if f.x0 == f.x1 {
		f.x0, f.x1 = f.x0-1, f.x1+1
	}
	margin := max(0.05*(f.y1-f.y0), 1e-3*math.Abs(f.y1), 1e-6)
	f.y0, f.y1 = f.y0-margin, f.y1+margin
	return f
}

// openPicture begins a picture.
func openPicture(b *bytes.Buffer, name string) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n", plotWidth, plotHeight, template.HTMLEscapeString(name))
}

// area fills a band between its edges.
func (f frame) area(b *bytes.Buffer, d band) {
	var points []string
	for _, p := range d.low {
		points = append(points, px(f.x(p.x))+","+px(f.y(p.y)))
	}
	for _, p := range slices.Backward(d.high) {
		points = append(points, px(f.x(p.x))+","+px(f.y(p.y)))
	}
	fmt.Fprintf(b, `<polygon class="fill" points="%s"/>`+"\n", strings.Join(points, " "))
}

// settingPlots draws the loss against each setting that differs.
func (c *Comparison) settingPlots() (list []picture) {
	done := c.done()
	for _, a := range c.Axes {
		if len(done) > 1 && len(a.Values) > 1 {
			list = append(list, c.settingPlot(a, done))
		}
	}
	return list
}

// settingPlot puts a configuration's mean, with its standard deviation, above its value:
// in the order of the values, evenly spaced. The line joins the best at each.
func (c *Comparison) settingPlot(a Axis, done []*Configuration) picture {
	var all, lowest []point
	best := make([]float64, len(a.Values))
	for i := range best {
		best[i] = math.Inf(1)
	}
	for _, g := range done {
		i := slices.Index(a.Values, g.value(a))
		all = append(all, point{float64(i), g.Mean - g.sd()}, point{float64(i), g.Mean + g.sd()})
		best[i] = min(best[i], g.Mean)
	}
	for i, v := range best {
		if !math.IsInf(v, 1) {
			lowest = append(lowest, point{float64(i), v})
		}
	}
	f := around(all)
	f.x0, f.x1 = -0.5, float64(len(a.Values))-0.5
	var b bytes.Buffer
	openPicture(&b, "loss by "+a.Key)
	f.grid(&b)
	for i, v := range a.Values {
		fmt.Fprintf(&b, `<text class="quiet" x="%s" y="%d" text-anchor="middle">%s</text>`+"\n", px(f.x(float64(i))), plotBottom+20, template.HTMLEscapeString(short(v)))
	}
	f.line(&b, "join", 1.3, lowest)
	for _, g := range slices.Backward(done) {
		x := px(f.x(float64(slices.Index(a.Values, g.value(a)))))
		fmt.Fprintf(&b, `<g class="curve %s"><title>%s: %s</title><line class="stroke" x1="%s" x2="%[4]s" y1="%s" y2="%s"/><circle class="mark" cx="%[4]s" cy="%[7]s" r="5"/></g>`+"\n",
			c.colour(g), template.HTMLEscapeString(g.Label), spread(g), x, px(f.y(g.Mean-g.sd())), px(f.y(g.Mean+g.sd())), px(f.y(g.Mean)))
	}
	b.WriteString("</svg>\n")
	return picture{Title: a.Key, Note: "Each configuration's mean ± standard deviation; the line joins the best at each value.", SVG: template.HTML(b.String())}
}

// sd is the standard deviation, 0 of one run.
func (g *Configuration) sd() float64 {
	if math.IsNaN(g.SD) {
		return 0
	}
	return g.SD
}

// short cuts a value to what fits below an axis.
func short(text string) string {
	if r := []rune(text); len(r) > 18 {
		return string(r[:17]) + "…"
	}
	return text
}

// A heatMap is the best mean loss for each pair of values of two settings.
type heatMap struct {
	Rows, Columns Axis
	Cells         [][]heatCell
}

// A heatCell is one of them. Shade is from 0, the best, to 1.
type heatCell struct {
	Text  string
	Shade float64
	Dark  bool // its ink is light
}

// mostHeatMaps are drawn: of the first settings.
const mostHeatMaps = 3

func (c *Comparison) heatMaps() (list []heatMap) {
	for i, rows := range c.Axes {
		for _, columns := range c.Axes[i+1:] {
			if m, ok := c.heatMap(rows, columns); ok && len(list) < mostHeatMaps {
				list = append(list, m)
			}
		}
	}
	return list
}

// heatMap fills a map. ok says that it shows more than a line: that some row and some
// column have two values.
func (c *Comparison) heatMap(rows, columns Axis) (m heatMap, ok bool) {
	best := make([][]float64, len(rows.Values))
	low, high, filled := math.Inf(1), math.Inf(-1), 0
	for i := range best {
		best[i] = slices.Repeat([]float64{math.NaN()}, len(columns.Values))
	}
	for _, g := range c.done() {
		at := &best[slices.Index(rows.Values, g.value(rows))][slices.Index(columns.Values, g.value(columns))]
		if math.IsNaN(*at) {
			filled++
		}
		if math.IsNaN(*at) || g.Mean < *at {
			*at = g.Mean
		}
	}
	for _, row := range best {
		for _, v := range row {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	m = heatMap{Rows: rows, Columns: columns}
	for _, row := range best {
		cells := make([]heatCell, len(row))
		for k, v := range row {
			if !math.IsNaN(v) {
				shade := (v - low) / max(high-low, 1e-12)
				cells[k] = heatCell{Text: fmt.Sprintf("%.4f", v), Shade: shade, Dark: shade < 0.35}
			}
		}
		m.Cells = append(m.Cells, cells)
	}
	return m, filled > max(len(rows.Values), len(columns.Values))
}
