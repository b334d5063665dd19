package report

import (
	"errors"
	"fmt"
	"html/template"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// grid is one panel of a heat map. It implements plot.Plotter.
type grid struct {
	name      string // its facet
	columns   []any
	rows      []any
	squares   []square
	low, high float64 // of the scale, over all panels
	hits      *hits
}

// square is one cell of a heat map.
type square struct {
	column, row int
	value       float64
	text        string // "" where there is no room
	id, said    string
}

// heat draws a heat map: a panel for each value of the facet, all on one scale.
func (f Figure) heat(v *figureView, t *frame, m material) error {
	if err := errors.Join(t.need("x", f.X), t.need("value", f.Value), t.need("over", f.Over...)); err != nil {
		return err
	}
	by := append(f.by(), f.Y, f.X)
	cells, err := t.means(query{metric: f.Value, by: by, over: f.Over, unit: m.unit(), where: f.Where})
	if err != nil {
		return err
	}
	cells = slices.DeleteFunc(cells, func(c cell) bool { return len(c.rows) == 0 })
	if len(cells) == 0 {
		return nil
	}
	n := len(by)
	at := func(i int) []any { // the values of a column among the cells
		var all []any
		for _, c := range cells {
			if !slices.Contains(all, c.group[i]) {
				all = append(all, c.group[i])
			}
		}
		slices.SortFunc(all, compareValues)
		return all
	}
	var panels []*grid
	var values []float64
	columns, rows := at(n-1), at(n-2)
	for _, c := range cells {
		values = append(values, c.mean)
	}
	digits := decimals(values)
	shown := size(len(columns), len(rows))
	short, room := shown.digits(values)
	v.Head = append(by, t.words(f.Value))
	v.Size = shown.class
	several := false
	for _, c := range cells {
		facet := ""
		if f.Facet != "" {
			facet, _ = f.split(c.group)
		}
		if len(panels) == 0 || panels[len(panels)-1].name != facet {
			panels = append(panels, &grid{name: facet, columns: columns, rows: rows, low: slices.Min(values), high: slices.Max(values)})
		}
		g := panels[len(panels)-1]
		several = several || len(c.units) > 1
		bar := m.bar(t, f.Value, c)
		s := square{column: slices.Index(columns, c.group[n-1]), row: slices.Index(rows, c.group[n-2]), value: c.mean,
			said: label(by, c.group) + ": " + t.words(f.Value) + " " + m.told(c.mean, bar, len(c.units), digits)}
		s.id = v.spot(append(tell(c.group), fixed(c.mean, digits)+bar.words(digits)), t.sources(f.Value, c.rows, digits, m.origins)).ID
		if room {
			s.text = fixed(c.mean, short)
		}
		g.squares = append(g.squares, s)
	}
	description := fmt.Sprintf("%s by %s and %s, from %s to %s; its numbers are in the list of its points",
		t.words(f.Value), spaced(f.X), spaced(f.Y), fixed(slices.Min(values), digits), fixed(slices.Max(values), digits))
	for i, g := range panels {
		if i > 0 {
			description = ""
		}
		v.Panels = append(v.Panels, template.HTML(g.svg(shown, spaced(f.X), spaced(f.Y), description)))
	}
	v.Keys = []keyView{{template.HTML(scaleBar()), fmt.Sprintf("%s, %s to %s", t.axisLabel(f.Value, false), fixed(slices.Min(values), digits), fixed(slices.Max(values), digits))}}
	v.Caption = f.averaged() + f.seeds(several, m) + "One scale for all panels."
	if len(cells) < len(panels)*len(columns)*len(rows) {
		v.Caption += " Where nothing was measured, nothing is drawn."
	}
	return nil
}

// measures are those of a panel, in points.
type measures struct {
	class         string
	width, height float64
	cell          float64 // the width of one square, about
}

// size finds room for a grid of so many columns and rows.
func size(columns, rows int) measures {
	s := measures{"", panelWidth, 0, 0}
	switch {
	case columns <= 4:
		s.class, s.width = "small", panelWidth/2
	case columns <= 8:
		s.class, s.width = "medium", panelWidth*2/3
	}
	const margin = 50 // labels beside and below
	s.cell = (s.width - margin) / float64(columns)
	s.height = margin + float64(rows)*min(max(s.cell*0.6, 11), 26)
	return s
}

var cellText = draw.TextStyle{Font: sans(7.5), XAlign: text.XCenter, YAlign: text.YCenter, Handler: plot.DefaultTextHandler}

// digits is how many digits after the point the squares have room for, if for any.
func (s measures) digits(values []float64) (int, bool) {
	for digits := max(0, decimals(values)-1); digits >= 0; digits-- {
		fits := true
		distinct := map[string]bool{}
		for _, v := range values {
			said := fixed(v, digits)
			distinct[said] = true
			fits = fits && cellText.Width(said) < vg.Length(s.cell-3)
		}
		if fits && (len(distinct) > 1 || slices.Min(values) == slices.Max(values)) {
			return digits, true
		}
	}
	return 0, false
}

// Plot implements plot.Plotter.
func (g *grid) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	const gap = 0.5 // of paper between squares
	for _, s := range g.squares {
		low := vg.Point{X: x(float64(s.column)-0.5) + gap, Y: y(float64(s.row)-0.5) + gap}
		high := vg.Point{X: x(float64(s.column)+0.5) - gap, Y: y(float64(s.row)+0.5) - gap}
		share := 0.5
		if g.high > g.low {
			share = (s.value - g.low) / (g.high - g.low)
		}
		fill := shade(share)
		c.SetColor(fill)
		c.Fill(rectangle(low, high))
		if s.text != "" {
			style := cellText
			style.Color = contrast(fill)
			c.FillText(style, vg.Point{X: (low.X + high.X) / 2, Y: (low.Y + high.Y) / 2}, s.text)
		}
		g.hits.box(low, high, s.id, s.said)
	}
}

func rectangle(low, high vg.Point) vg.Path {
	var p vg.Path
	p.Move(low)
	p.Line(vg.Point{X: high.X, Y: low.Y})
	p.Line(high)
	p.Line(vg.Point{X: low.X, Y: high.Y})
	p.Close()
	return p
}

// svg draws the panel.
func (g *grid) svg(s measures, xLabel, yLabel, description string) string {
	pl := newPlot(g.name, xLabel, yLabel)
	pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = -0.5, float64(len(g.columns))-0.5, -0.5, float64(len(g.rows))-0.5
	pl.X.Tick.Marker, pl.Y.Tick.Marker = plot.ConstantTicks(named(g.columns)), plot.ConstantTicks(named(g.rows))
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.LineStyle.Width, a.Tick.LineStyle.Width, a.Padding, a.Tick.Length = 0, 0, 0, 2
	}
	g.hits = &hits{height: s.height}
	pl.Add(g)
	return paint(pl, s.width, s.height, g.hits, description)
}

// named puts a tick at each place, as many labelled as can be read.
func named(values []any) []plot.Tick {
	every := (len(values) + 15) / 16
	var ticks []plot.Tick
	for i, v := range values {
		if i%every == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: plain(v)})
		}
	}
	return ticks
}

// shades are of rising lightness, from blue to yellow: readers with any colour vision order them alike, and so does a
// print without colours (Nuñez, Anderton and Renslow 2018).
var shades = []color.RGBA{{0, 34, 78, 255}, {53, 69, 108, 255}, {102, 105, 112, 255}, {148, 142, 119, 255}, {200, 184, 102, 255}, {254, 232, 56, 255}}

// shade is the colour of a place on the scale, from 0 to 1.
func shade(share float64) color.RGBA {
	at := share * float64(len(shades)-1)
	i := min(int(at), len(shades)-2)
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (at-float64(i))*(float64(b)-float64(a)) + 0.5) }
	a, b := shades[i], shades[i+1]
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// contrast is the colour of text on a shade.
func contrast(c color.RGBA) color.Color {
	if 2*int(c.R)+5*int(c.G)+int(c.B) > 8*115 {
		return color.Black
	}
	return color.White
}

// scaleBar draws the colours from the least to the greatest value.
func scaleBar() string {
	const w, h, steps = 120, 10, 30
	canvas := vgsvg.New(w, h)
	c := draw.New(canvas)
	for i := range steps {
		c.SetColor(shade((float64(i) + 0.5) / steps))
		c.Fill(rectangle(vg.Point{X: vg.Length(i) * w / steps}, vg.Point{X: vg.Length(i+1)*w/steps + 0.3, Y: h}))
	}
	return inline(canvas, w, h, nil, "")
}
