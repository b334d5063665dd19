package report

import (
	"bytes"
	"fmt"
	"image/color"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours of a drawing are roles, which the page's style sheet fills in for light, dark and print. gonum knows colours
// only by value: these values stand for the roles until inline replaces them.
var (
	ink   = color.RGBA{1, 1, 1, 255} // axes and text
	faint = color.RGBA{1, 1, 2, 255} // grid
	paper = color.RGBA{1, 1, 3, 255} // background
)

// hues is the number of line colours in the style sheet.
const hues = 7

func hue(style int) color.Color { return color.RGBA{1, 2, uint8(style%hues + 1), 255} }

// veil is a line's colour, thin enough to see others through.
func veil(style int) color.Color { return color.RGBA{1, 3, uint8(style%hues + 1), 255} }

// faded is a line's colour for what stands back behind lines.
func faded(style int) color.Color { return color.RGBA{1, 4, uint8(style%hues + 1), 255} }

// A line is told by colour, marker and dash, so that no reader needs the colour.
var (
	glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, diamond{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
	dashes = [][]vg.Length{nil, {6, 3}, {2, 2.5}, {8, 3, 2, 3}}
)

func lineStyle(style int) draw.LineStyle {
	return draw.LineStyle{Color: hue(style), Width: 1.5, Dashes: dashes[style%len(dashes)]}
}

// pathStyle is that of a line that only joins points.
func pathStyle(style int) draw.LineStyle {
	return draw.LineStyle{Color: faded(style), Width: 1.5}
}

func glyphStyle(style int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: hue(style), Radius: 3.2, Shape: glyphs[style%len(glyphs)]}
}

// referenceStyle tells references apart by dash; their colour is that of text.
func referenceStyle(style int) draw.LineStyle {
	return draw.LineStyle{Color: ink, Width: 0.8, Dashes: [][]vg.Length{{4, 3}, {1, 2.5}, {9, 3}, {7, 3, 1, 3}}[style%4]}
}

// diamond is a filled square on its tip.
type diamond struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	r := s.Radius * 1.3
	var path vg.Path
	path.Move(vg.Point{X: p.X, Y: p.Y + r})
	path.Line(vg.Point{X: p.X + r, Y: p.Y})
	path.Line(vg.Point{X: p.X, Y: p.Y - r})
	path.Line(vg.Point{X: p.X - r, Y: p.Y})
	path.Close()
	c.SetColor(s.Color)
	c.Fill(path)
}

// markers is how many a line has at most: on a long curve they only tell it from the others.
const markers = 12

// curves draws a panel's data. It implements plot.Plotter.
type curves struct {
	*chart
	panel panel
	hits  *hits
}

// Plot implements plot.Plotter.
func (d curves) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	var dodge vg.Length // of the line being drawn
	at := func(px, py float64) vg.Point { return vg.Point{X: x(d.axis.place(px)) + dodge, Y: y(py)} }
	for _, t := range d.ticks {
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: 0.6}, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
	}
	for _, l := range d.panel.level {
		c.StrokeLine2(referenceStyle(l.style), c.Min.X, y(l.y), c.Max.X, y(l.y))
	}
	for _, l := range d.panel.lines {
		if l.dense() {
			d.band(c, l, at)
		}
	}
	var taken []vg.Rectangle
	for i, l := range d.panel.lines {
		dodge = d.dodge(i)
		var path []vg.Point
		for _, q := range l.points {
			path = append(path, at(q.x, q.y))
		}
		stroke := lineStyle(l.style)
		if l.free() {
			stroke = pathStyle(l.style)
			for _, pair := range l.pairs {
				c.StrokeLines(draw.LineStyle{Color: hue(l.style), Width: 1.2, Dashes: []vg.Length{1.2, 2.2}}, []vg.Point{path[pair[0]], path[pair[1]]})
			}
		}
		c.StrokeLines(stroke, path)
		every := (len(path) + markers - 1) / markers
		for i, q := range l.points {
			if !l.dense() {
				bars := draw.LineStyle{Color: hue(l.style), Width: 0.8}
				if l.free() {
					bars.Color = faded(l.style)
				}
				d.whiskers(c, q, bars, at)
				for _, v := range q.values {
					c.DrawGlyph(draw.GlyphStyle{Color: hue(l.style), Radius: 1.3, Shape: draw.CircleGlyph{}}, at(q.x, v))
				}
			}
			if i%every == l.style%every {
				c.DrawGlyph(glyphStyle(l.style), path[i])
				taken = append(taken, around(path[i], 8, 8))
			}
			if q.id != "" {
				d.hits.dot(path[i], q.id, q.said)
			}
		}
		if l.id != "" {
			d.hits.path(path, l.id, l.said)
		}
	}
	dodge = 0
	for _, l := range d.panel.lines {
		for _, q := range l.points {
			if q.label != "" {
				taken = append(taken, mark(c, at(q.x, q.y), q.label, taken))
			}
		}
	}
	if d.axis.zero {
		breakAxis(c, x((d.axis.origin+d.axis.ticks[1].Value)/2), c.Min.Y-p.X.Padding-p.X.Width/2)
	}
}

// dodge moves the i-th line of a panel aside, so that bars at one place do not hide each other.
func (d curves) dodge(i int) vg.Length {
	lines := d.panel.lines
	bars := func(l curve) bool { return slices.ContainsFunc(l.points, func(q point) bool { return q.yBar.known() }) }
	if lines[i].free() || lines[i].dense() || !slices.ContainsFunc(lines, bars) {
		return 0
	}
	return 2.5 * (vg.Length(i) - vg.Length(len(lines)-1)/2)
}

// free tells whether the line is the path of a scatter, which goes any way: it stands back behind its points and pairs.
func (l curve) free() bool { return l.points[0].label != "" }

// band fills between the ends of the intervals along a line.
func (d curves) band(c draw.Canvas, l curve, at func(x, y float64) vg.Point) {
	var upper, lower []vg.Point
	for _, q := range l.points {
		if q.yBar.known() {
			upper = append(upper, at(q.x, min(q.yBar.high, d.high)))
			lower = append(lower, at(q.x, max(q.yBar.low, d.low)))
		}
	}
	if len(upper) > 1 {
		slices.Reverse(lower)
		c.FillPolygon(veil(l.style), append(upper, lower...))
	}
}

// whiskers draws a point's intervals. One that goes on beyond the panel has no cap there.
func (d curves) whiskers(c draw.Canvas, q point, style draw.LineStyle, at func(x, y float64) vg.Point) {
	const tip = 2
	if b := q.yBar; b.known() {
		low, high := at(q.x, max(b.low, d.low)), at(q.x, min(b.high, d.high))
		c.StrokeLine2(style, low.X, low.Y, high.X, high.Y)
		for _, end := range []struct {
			p      vg.Point
			inside bool
		}{{low, b.low >= d.low}, {high, b.high <= d.high}} {
			if end.inside {
				c.StrokeLine2(style, end.p.X-tip, end.p.Y, end.p.X+tip, end.p.Y)
			}
		}
	}
	if b := q.xBar; b.known() {
		low, high := at(b.low, q.y), at(b.high, q.y)
		low.X, high.X = max(low.X, c.Min.X), min(high.X, c.Max.X)
		c.StrokeLine2(style, low.X, low.Y, high.X, high.Y)
	}
}

var markText = draw.TextStyle{Color: ink, Font: sans(8), YAlign: text.YCenter, Handler: plot.DefaultTextHandler}

// mark writes beside a point where nothing is yet, as far as there is such a place, and returns the place.
func mark(c draw.Canvas, p vg.Point, s string, taken []vg.Rectangle) vg.Rectangle {
	w, h := markText.Width(s)+2, vg.Length(8)
	var best vg.Rectangle
	least := -1
	for _, d := range []vg.Point{{X: 1, Y: 1}, {X: 1, Y: -1}, {X: -1, Y: 1}, {X: -1, Y: -1}, {Y: 1.5}, {Y: -1.5}, {X: 1.3}, {X: -1.3}} {
		r := around(vg.Point{X: p.X + d.X*(w/2+4), Y: p.Y + d.Y*7}, w, h)
		n := 0
		for _, t := range taken {
			if r.Min.X < t.Max.X && t.Min.X < r.Max.X && r.Min.Y < t.Max.Y && t.Min.Y < r.Max.Y {
				n++
			}
		}
		if r.Min.X < c.Min.X || r.Max.X > c.Max.X || r.Min.Y < c.Min.Y || r.Max.Y > c.Max.Y {
			n += 10
		}
		if least < 0 || n < least {
			best, least = r, n
		}
	}
	c.FillText(markText, vg.Point{X: best.Min.X + 1, Y: (best.Min.Y + best.Max.Y) / 2}, s)
	return best
}

// around is the rectangle of a size about a point.
func around(p vg.Point, w, h vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: p.X - w/2, Y: p.Y - h/2}, Max: vg.Point{X: p.X + w/2, Y: p.Y + h/2}}
}

// breakAxis draws two slashes over a gap in the axis: what lies left of it is not to scale.
func breakAxis(c draw.Canvas, x, y vg.Length) {
	c.StrokeLine2(draw.LineStyle{Color: paper, Width: 3}, x-2, y, x+2, y)
	for _, dx := range []vg.Length{-2, 2} {
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.7}, x+dx-1.5, y-3, x+dx+1.5, y+3)
	}
}

// Size of a panel in points. Text of a page is 12 points high where the panel is shown at its natural size.
const (
	panelWidth  = 330
	panelHeight = 225
)

// svg draws a panel.
func (c *chart) svg(p panel, description string) string {
	pl := newPlot(p.name, c.xLabel, c.yLabel)
	pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = c.axis.min, c.axis.max, c.low, c.high
	pl.X.Tick.Marker = plot.ConstantTicks(c.axis.ticks)
	pl.Y.Tick.Marker = plot.ConstantTicks(c.ticks)
	h := &hits{height: panelHeight}
	pl.Add(curves{c, p, h})
	return paint(pl, panelWidth, panelHeight, h, description)
}

// newPlot is an empty panel.
func newPlot(title, xLabel, yLabel string) *plot.Plot {
	pl := plot.New()
	pl.BackgroundColor = nil
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.LineStyle = draw.LineStyle{Color: ink, Width: 0.7}
		a.Tick.LineStyle = draw.LineStyle{Color: ink, Width: 0.7}
		a.Tick.Length = 4
		a.Tick.Label.Color, a.Label.TextStyle.Color = ink, ink
		a.Tick.Label.Font = sans(9)
		a.Label.TextStyle.Font = sans(9.5)
		a.Label.Padding = 4
		a.Padding = 2
	}
	pl.Title.TextStyle.Color, pl.Title.TextStyle.Font, pl.Title.Padding = ink, sans(10), 6
	pl.Title.Text = title
	pl.X.Label.Text, pl.Y.Label.Text = xLabel, yLabel
	return pl
}

// paint draws a panel as an element of the page.
func paint(pl *plot.Plot, w, h float64, over *hits, description string) string {
	canvas := vgsvg.New(vg.Length(w), vg.Length(h))
	pl.Draw(draw.New(canvas))
	return inline(canvas, w, h, over, description)
}

// hits are what lies over a drawing, seen by the pointer alone: areas that tell what is below them, and lead to where it
// is told in full. Keyboards get there by the link below the figure, rather than by a stop at every point.
type hits struct {
	height float64 // drawings count y from below, pages from above
	areas  strings.Builder
}

func (h *hits) add(id, said, area string, args ...any) {
	fmt.Fprintf(&h.areas, `<a href="#%s" tabindex="-1"><title>%s</title>`, id, escape(said))
	fmt.Fprintf(&h.areas, area, args...)
	h.areas.WriteString("</a>\n")
}

func (h *hits) dot(p vg.Point, id, said string) {
	h.add(id, said, `<circle cx="%.1f" cy="%.1f" r="6"/>`, p.X.Points(), h.height-p.Y.Points())
}

func (h *hits) box(low, high vg.Point, id, said string) {
	h.add(id, said, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, low.X.Points(), h.height-high.Y.Points(), (high.X - low.X).Points(), (high.Y - low.Y).Points())
}

func (h *hits) path(points []vg.Point, id, said string) {
	var at strings.Builder
	for _, p := range points {
		fmt.Fprintf(&at, "%.1f,%.1f ", p.X.Points(), h.height-p.Y.Points())
	}
	h.add(id, said, `<polyline points="%s"/>`, strings.TrimSpace(at.String()))
}

// swatch draws a line's entry in the legend.
func swatch(line draw.LineStyle, glyph *draw.GlyphStyle) string {
	const w, h = 30, 10
	canvas := vgsvg.New(w, h)
	c := draw.New(canvas)
	c.StrokeLine2(line, 0, h/2, w, h/2)
	if glyph != nil {
		c.DrawGlyph(*glyph, vg.Point{X: w / 2, Y: h / 2})
	}
	return inline(canvas, w, h, nil, "")
}

// sans is Liberation Sans for measuring; the page shows any font of its widths, Arial and Helvetica among them.
func sans(size font.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

var (
	fonts   = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;`)
	colours = strings.NewReplacer(roles()...)
)

// roles pairs the colours that stand for roles with the style sheet's names for them.
func roles() []string {
	pairs := []string{hex(ink), "var(--ink)", hex(faint), "var(--faint)", hex(paper), "var(--paper)"}
	for i := range hues {
		pairs = append(pairs, hex(hue(i)), fmt.Sprintf("var(--hue%d)", i+1), hex(veil(i)), fmt.Sprintf("var(--hue%d);fill-opacity:.16", i+1),
			hex(faded(i)), fmt.Sprintf("var(--hue%d);stroke-opacity:.4", i+1))
	}
	return pairs
}

func hex(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)
}

// inline turns a drawing into an element for an HTML page, with what lies over it: colours and fonts from the style sheet,
// size from the layout.
func inline(canvas *vgsvg.Canvas, w, h float64, over *hits, description string) string {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		panic("report: a drawing in memory cannot fail")
	}
	s := b.String()
	s = s[strings.Index(s, "<svg"):]
	s = s[strings.Index(s, ">")+1:]
	open := fmt.Sprintf(`<svg viewBox="0 0 %g %g"`, w, h)
	if description == "" {
		open += ` aria-hidden="true">`
	} else {
		open += ` role="img" aria-label="` + escape(description) + `">`
	}
	s = colours.Replace(fonts.ReplaceAllString(s, ""))
	if over != nil {
		end := strings.LastIndex(s, "</svg>")
		s = s[:end] + `<g class="hits">` + "\n" + over.areas.String() + "</g>\n" + s[end:]
	}
	return open + s
}
