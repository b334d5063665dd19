package report

import (
	"bytes"
	"fmt"
	"image/color"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours of a drawing are roles, which the page's style sheet fills in for light, dark and print. gonum knows colours
// only by value: these values stand for the roles until svg replaces them.
var (
	ink   = color.RGBA{1, 1, 1, 255} // axes and text
	faint = color.RGBA{1, 1, 2, 255} // grid
	paper = color.RGBA{1, 1, 3, 255} // background
)

// hues is the number of line colours in the style sheet.
const hues = 7

func hue(style int) color.Color { return color.RGBA{1, 2, uint8(style%hues + 1), 255} }

// A line is told by colour, marker and dash, so that no reader needs the colour.
var (
	glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, diamond{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
	dashes = [][]vg.Length{nil, {6, 3}, {2, 2.5}, {8, 3, 2, 3}}
)

func lineStyle(style int) draw.LineStyle {
	return draw.LineStyle{Color: hue(style), Width: 1.5, Dashes: dashes[style%len(dashes)]}
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
}

// Plot implements plot.Plotter.
func (d curves) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, t := range d.ticks {
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: 0.6}, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
	}
	for _, l := range d.panel.level {
		c.StrokeLine2(referenceStyle(l.style), c.Min.X, y(l.y), c.Max.X, y(l.y))
	}
	for _, l := range d.panel.lines {
		var path []vg.Point
		for _, q := range l.points {
			path = append(path, vg.Point{X: x(d.axis.place(q.x)), Y: y(q.y)})
		}
		c.StrokeLines(lineStyle(l.style), path)
		every := (len(path) + markers - 1) / markers
		for i, q := range l.points {
			if q.err > 0 {
				c.StrokeLine2(draw.LineStyle{Color: hue(l.style), Width: 0.8}, path[i].X, y(q.y-q.err), path[i].X, y(q.y+q.err))
			}
			for _, v := range q.values {
				c.DrawGlyph(draw.GlyphStyle{Color: hue(l.style), Radius: 1.3, Shape: draw.CircleGlyph{}}, vg.Point{X: path[i].X, Y: y(v)})
			}
			if i%every == l.style%every {
				c.DrawGlyph(glyphStyle(l.style), path[i])
			}
		}
	}
	if d.axis.zero {
		breakAxis(c, x((d.axis.origin+d.axis.ticks[1].Value)/2), c.Min.Y-p.X.Padding-p.X.Width/2)
	}
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
func (c *chart) svg(p panel, xLabel, yLabel, description string) string {
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
	}
	pl.Title.TextStyle.Color, pl.Title.TextStyle.Font, pl.Title.Padding = ink, sans(10), 6
	pl.Title.Text = p.name
	pl.X.Label.Text, pl.Y.Label.Text = xLabel, yLabel
	pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = c.axis.min, c.axis.max, c.low, c.high
	pl.X.Padding, pl.Y.Padding = 2, 2
	pl.X.Tick.Marker = plot.ConstantTicks(c.axis.ticks)
	pl.Y.Tick.Marker = plot.ConstantTicks(c.ticks)
	pl.Add(curves{c, p})
	canvas := vgsvg.New(panelWidth, panelHeight)
	pl.Draw(draw.New(canvas))
	return inline(canvas, panelWidth, panelHeight, description)
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
	return inline(canvas, w, h, "")
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
		pairs = append(pairs, hex(hue(i)), fmt.Sprintf("var(--hue%d)", i+1))
	}
	return pairs
}

func hex(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)
}

// inline turns a drawing into an element for an HTML page: colours and fonts from the style sheet, size from the layout.
func inline(canvas *vgsvg.Canvas, w, h float64, description string) string {
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
	return open + colours.Replace(fonts.ReplaceAllString(s, ""))
}
