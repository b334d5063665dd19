package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Figure draws a metric, one panel for each value of the facet. Its kinds:
//
//	line     y along x, one line for each value of lines and each metric
//	scatter  y against x, two metrics: a point for each value of along, joined in their order, one path for each value of lines
//	heat     value as a colour at each place of x and y
//
// Points are means over seeds.
type Figure struct {
	Name       string      `hcl:"name,label"`
	Title      string      `hcl:"title,optional" doc:"its heading; its name, where there is none"`
	Kind       string      `hcl:"kind,optional" values:"line,scatter,heat" doc:"line: y along x; scatter: the metric y against the metric x; heat: value as colour at x and y"`
	Table      string      `hcl:"table" doc:"a table or comparison"`
	X          string      `hcl:"x" doc:"a column of numbers; in a heat map any column"`
	Y          string      `hcl:"y" doc:"a column of numbers; in a heat map any column"`
	Value      string      `hcl:"value,optional" doc:"heat: a column of numbers"`
	XTable     string      `hcl:"x_table,optional" doc:"scatter: the table of x, where that is another one; its rows are matched by facet, lines and along, as far as it has them"`
	Along      string      `hcl:"along,optional" doc:"scatter: a column of numbers: a point for each of its values, joined in their order. Pairs of which the one worse by x is better by y are marked; losses and perplexities are better when lower, all else when higher"`
	With       []string    `hcl:"with,optional" doc:"line: more columns of the same unit, drawn beside y"`
	Lines      string      `hcl:"lines,optional" doc:"a column: one line for each of its values"`
	Facet      string      `hcl:"facet,optional" doc:"a column: one panel for each of its values"`
	Error      string      `hcl:"error,optional" doc:"line: a column with the standard error of y, drawn where a point is one row"`
	Over       []string    `hcl:"over,optional" doc:"columns averaged over, besides seeds"`
	Scale      string      `hcl:"scale,optional" values:"auto,linear,log" doc:"of x; a zero on a log scale has a tick of its own"`
	Where      []Where     `hcl:"where,block" doc:"which rows; with x_table, a condition holds for each of the tables that has its column"`
	References []Reference `hcl:"reference,block" doc:"line: a level to compare with, drawn as a horizontal line: the mean of y over the rows it selects"`
}

// Reference is a level to compare with, drawn as a horizontal line: the mean of y over the rows it selects.
type Reference struct {
	Name  string  `hcl:"name,label"`
	Where []Where `hcl:"where,block" doc:"which rows"`
}

// Default picks the scale by the axis: log for numbers without negatives whose positive values span a factor of 5 or
// more, unless they are all integers.
func (Figure) Default() Figure { return Figure{Kind: "line", Scale: "auto"} }

// Check checks the rows it selects, and refuses what its kind does not read.
func (f Figure) Check() error {
	var errs []error
	for _, w := range f.Where {
		errs = append(errs, pipeline.Within("where."+w.Column, w.Check()))
	}
	for _, r := range f.References {
		for _, w := range r.Where {
			errs = append(errs, pipeline.Within("reference."+r.Name+".where."+w.Column, w.Check()))
		}
	}
	for _, a := range []struct {
		name  string
		given bool
		kinds []string // that read it
		must  bool     // they have to have it
	}{
		{"value", f.Value != "", []string{"heat"}, true},
		{"along", f.Along != "", []string{"scatter"}, true},
		{"x_table", f.XTable != "", []string{"scatter"}, false},
		{"with", len(f.With) > 0, []string{"line"}, false},
		{"error", f.Error != "", []string{"line"}, false},
		{"reference", len(f.References) > 0, []string{"line"}, false},
		{"lines", f.Lines != "", []string{"line", "scatter"}, false},
		{"scale", f.Scale != "auto", []string{"line", "scatter"}, false},
	} {
		reads := slices.Contains(a.kinds, f.Kind)
		switch {
		case a.given && !reads:
			errs = append(errs, pipeline.Errorf(a.name, "belongs to a figure of kind %s, and this is a %s: leave it out", strings.Join(a.kinds, " or "), f.Kind))
		case !a.given && reads && a.must:
			errs = append(errs, pipeline.Errorf(a.name, "must name a column: a figure of kind %s needs it", f.Kind))
		}
	}
	if f.Kind == "heat" && (f.X == f.Y || f.X == f.Facet || f.Y == f.Facet) {
		errs = append(errs, pipeline.Errorf("x", "x, y and facet of a heat map must be columns of their own"))
	}
	return errors.Join(errs...)
}

// material is what figures are made of.
type material struct {
	frames   frames
	origins  []origin
	interval Interval
}

// unit is the seed over whose values means are taken and intervals found.
func (m material) unit() string { return m.interval.Levels[0] }

// bar is the interval about a cell's mean, empty where there are too few units for one.
func (m material) bar(t *frame, metric string, c cell) bar {
	r, err := m.interval.repeats(m.unit(), quantity{t, metric, c})
	if err != nil || len(r.units) < 2 {
		return bar{}
	}
	i := m.interval.method().Linear(r.units, []float64{1})
	return bar{i.Low, i.High}
}

// draw makes the figure, the n-th of the page.
func (f Figure) draw(n int, m material) (figureView, error) {
	t, err := m.frames.get(f.Table)
	if err != nil {
		return figureView{}, err
	}
	if err := errors.Join(t.need("y", f.Y), t.need("facet", f.Facet), t.need("lines", f.Lines)); err != nil {
		return figureView{}, err
	}
	v := figureView{Number: n, Title: title(f.Title, f.Name)}
	switch f.Kind {
	case "heat":
		err = f.heat(&v, t, m)
	case "scatter":
		err = f.scatter(&v, t, m)
	default:
		err = f.line(&v, t, m)
	}
	if len(v.Panels) == 0 {
		v.Caption = "Nothing was measured."
	}
	v.Wide = len(v.Panels) > 1
	for i := range v.Head {
		v.Head[i] = spaced(v.Head[i])
	}
	return v, err
}

// by lists the columns that tell the lines of all panels apart.
func (f Figure) by() []string {
	return slices.DeleteFunc([]string{f.Facet, f.Lines}, func(s string) bool { return s == "" })
}

// chart is the numbers of a figure with lines.
type chart struct {
	panels         []panel
	keys           []string // what the lines are, in the order of their styles
	references     []string // likewise
	xLabel, yLabel string
	axis           axis
	low, high      float64     // of y over all panels
	ticks          []plot.Tick // of y
}

// panel is one small plot of a figure.
type panel struct {
	name  string // its facet
	lines []curve
	level []level
}

// curve is one line; style indexes the chart's keys.
type curve struct {
	style  int
	points []point
	pairs  [][2]int // of points, the second of which overtakes the first
	id     string   // of what is told of the line as a whole; "" where each point has its own
	said   string
}

// point is one mean with the values it was made of.
type point struct {
	x, y       float64
	xBar, yBar bar
	values     []float64 // of units, where there are several
	label      string    // written beside it
	id, said   string    // of what is told of it: the place on the page, and in short
	cell, from cell      // of y, and of x where that is a metric too
	metric     string
}

// bar is an interval about a point, empty where none is known.
type bar struct{ low, high float64 }

func (b bar) known() bool { return b.high > b.low }

// dense tells whether the line has too many points for bars and dots at each.
func (l curve) dense() bool { return len(l.points) > markers }

// level is a reference; style indexes the chart's references.
type level struct {
	style int
	y     float64
}

// long is how many points a line has at most that are links of their own. A longer one is one link.
const long = 50

// chart reads the numbers of a figure of lines.
func (f Figure) chart(t *frame, m material) (*chart, error) {
	if err := errors.Join(t.need("x", f.X), t.need("with", f.With...), t.need("over", f.Over...), t.need("error", f.Error)); err != nil {
		return nil, err
	}
	metrics := append([]string{f.Y}, f.With...)
	c := &chart{xLabel: t.axisLabel(f.X, false), yLabel: t.axisLabel(f.Y, len(f.With) > 0)}
	var xs []float64
	for _, metric := range metrics {
		cells, err := t.means(query{metric: metric, by: f.by(), along: f.X, over: f.Over, unit: m.unit(), where: f.Where})
		if err != nil {
			return nil, err
		}
		for _, cell := range cells {
			if len(cell.rows) == 0 {
				continue
			}
			facet, line := f.split(cell.group)
			p := point{x: cell.x, y: cell.mean, cell: cell, metric: metric, yBar: m.bar(t, metric, cell)}
			if len(cell.rows) == 1 && metric == f.Y && f.Error != "" {
				if e, ok := t.column(f.Error).float(cell.rows[0]); ok {
					p.yBar = bar{p.y - e, p.y + e}
				}
			}
			p.values = cell.spread()
			c.add(facet, key(t.words(metric), line, len(metrics) > 1), p)
			xs = append(xs, p.x)
		}
	}
	if len(c.panels) == 0 {
		return c, nil
	}
	if err := f.levels(t, c); err != nil {
		return nil, err
	}
	c.axis = newAxis(f.Scale, t.column(f.X).kind == artifacts.Int64, xs)
	c.bounds()
	return c, nil
}

// spread lists the means of a cell's units, where there are several.
func (c cell) spread() []float64 {
	var all []float64
	if len(c.units) > 1 {
		for _, u := range c.units {
			all = append(all, u.mean)
		}
	}
	return all
}

// line draws a figure of lines.
func (f Figure) line(v *figureView, t *frame, m material) error {
	c, err := f.chart(t, m)
	if err != nil || len(c.panels) == 0 {
		return err
	}
	v.Head = append(v.Head, f.by()...)
	if len(f.With) > 0 {
		v.Head = append(v.Head, "metric")
	}
	v.Head = append(v.Head, f.X, "value")
	if len(f.With) == 0 {
		v.Head[len(v.Head)-1] = t.words(f.Y)
	}
	digits := c.digits()
	for i := range c.panels {
		for j := range c.panels[i].lines {
			l := &c.panels[i].lines[j]
			whole := len(l.points) > long
			var rows []int
			for k := range l.points {
				p := &l.points[k]
				at := tell(p.cell.group)
				if len(f.With) > 0 {
					at = append(at, t.words(p.metric))
				}
				if whole {
					if rows = append(rows, p.cell.rows...); k == len(l.points)-1 {
						s := v.spot(append(at, plain(l.points[0].x)+" to "+plain(p.x), "ends at "+fixed(p.y, digits)), t.sources("", rows, digits, m.origins))
						l.id, l.said = s.ID, f.place(p.cell.group)+c.keys[l.style]
					}
					continue
				}
				s := v.spot(append(at, plain(p.x), fixed(p.y, digits)+p.yBar.words(digits)), t.sources(p.metric, p.cell.rows, digits, m.origins))
				p.id = s.ID
				p.said = f.place(append(slices.Clone(p.cell.group), p.x), f.X) + ": " + t.words(p.metric) + " " + m.told(p.y, p.yBar, len(p.cell.units), digits)
			}
		}
	}
	v.show(f, c, f.describe(c, t))
	v.Caption = f.caption(c, m)
	return nil
}

// tell prints the parts of a group.
func tell(group []any) []string {
	var all []string
	for _, g := range group {
		all = append(all, plain(g))
	}
	return all
}

// place names a group, and further columns after those that tell lines apart.
func (f Figure) place(group []any, more ...string) string {
	return label(append(f.by(), more...), group)
}

// words prints an interval, nothing where there is none.
func (b bar) words(digits int) string {
	if !b.known() {
		return ""
	}
	return " (" + fixed(b.low, digits) + " to " + fixed(b.high, digits) + ")"
}

// told prints a mean with its interval and the number of its units.
func (m material) told(v float64, b bar, units, digits int) string {
	s := fixed(v, digits) + b.words(digits)
	if units > 1 {
		s += fmt.Sprintf(", %d %s", units, plural(spaced(m.unit())))
	}
	return s
}

// split tells a group's facet and line apart.
func (f Figure) split(group []any) (facet, line string) {
	if f.Facet != "" {
		facet, group = spaced(f.Facet)+" "+plain(group[0]), group[1:]
	}
	if f.Lines != "" {
		line = spaced(f.Lines) + " " + plain(group[0])
	}
	return facet, line
}

// key names a line in the legend.
func key(metric, line string, several bool) string {
	switch {
	case line == "":
		return metric
	case several:
		return metric + ", " + line
	}
	return line
}

// add appends a point to the line of its facet and key.
func (c *chart) add(facet, key string, p point) {
	i := slices.IndexFunc(c.panels, func(p panel) bool { return p.name == facet })
	if i < 0 {
		i = len(c.panels)
		c.panels = append(c.panels, panel{name: facet})
	}
	style := slices.Index(c.keys, key)
	if style < 0 {
		style = len(c.keys)
		c.keys = append(c.keys, key)
	}
	lines := &c.panels[i].lines
	j := slices.IndexFunc(*lines, func(l curve) bool { return l.style == style })
	if j < 0 {
		j = len(*lines)
		*lines = append(*lines, curve{style: style})
	}
	(*lines)[j].points = append((*lines)[j].points, p)
}

// levels reads the references: one level in each panel whose facet they have, and in all panels where their facet is
// missing.
func (f Figure) levels(t *frame, c *chart) error {
	for i, r := range f.References {
		c.references = append(c.references, r.Name)
		rows, err := t.keep(r.Where, nil)
		if err != nil {
			return pipeline.Within("reference."+r.Name, err)
		}
		for j := range c.panels {
			var vs []float64
			for _, row := range rows {
				if f.Facet != "" {
					facet := t.column(f.Facet).values[row]
					if facet != nil && spaced(f.Facet)+" "+plain(facet) != c.panels[j].name {
						continue
					}
				}
				if v, ok := t.column(f.Y).float(row); ok {
					vs = append(vs, v)
				}
			}
			if len(vs) > 0 {
				c.panels[j].level = append(c.panels[j].level, level{i, mean(vs)})
			}
		}
	}
	return nil
}

// each calls do with every point.
func (c *chart) each(do func(p point)) {
	for _, p := range c.panels {
		for _, l := range p.lines {
			for _, q := range l.points {
				do(q)
			}
		}
	}
}

// digits is how many digits after the point show y.
func (c *chart) digits() int {
	var ys []float64
	c.each(func(p point) { ys = append(ys, p.y) })
	return decimals(ys)
}

// bounds finds the range of y over all panels, which share it so that they can be compared, with room around.
func (c *chart) bounds() {
	var ys []float64
	var bars []bar
	c.each(func(p point) {
		ys = append(append(ys, p.y), p.values...)
		bars = append(bars, p.yBar)
	})
	for _, p := range c.panels {
		for _, l := range p.level {
			ys = append(ys, l.y)
		}
	}
	c.low, c.high = reach(ys, bars)
	room := 0.08 * (c.high - c.low)
	if room == 0 {
		room = max(0.05*max(c.high, -c.high), 0.01)
	}
	least := c.low
	c.low, c.high = c.low-room, c.high+room
	if least >= 0 {
		c.low = max(c.low, -0.08*c.high) // nothing but zeros stands at the bottom
	}
	c.ticks = slices.DeleteFunc(niceTicks(c.low, c.high, 6), func(t plot.Tick) bool {
		return least >= 0 && t.Value < 0 // room below a share of 0 is no share
	})
}

// reach is the range of values with their bars. Bars widen it to no more than twice the range of the values: one of two
// seeds can be many times as long as all that there is to see, and ends at the edge.
func reach(values []float64, bars []bar) (low, high float64) {
	low, high = slices.Min(values), slices.Max(values)
	span := (high - low) / 2
	if span == 0 {
		span = math.Inf(1)
	}
	least, most := low-span, high+span
	for _, b := range bars {
		if b.known() {
			low, high = max(least, min(low, b.low)), min(most, max(high, b.high))
		}
	}
	return low, high
}

// describe says in words what a figure shows, for those who cannot see it. Of long lines it tells the ends.
func (f Figure) describe(c *chart, t *frame) string {
	s := fmt.Sprintf("%s by %s", t.words(f.Y), t.words(f.X))
	digits := c.digits()
	for _, p := range c.panels {
		for _, l := range p.lines {
			s += "; "
			if p.name != "" {
				s += p.name + ", "
			}
			s += c.keys[l.style] + ":"
			points := l.points
			if len(points) > long {
				points = []point{points[0], points[len(points)-1]}
			}
			for _, q := range points {
				s += fmt.Sprintf(" %s at %s", fixed(q.y, digits), plain(q.x))
			}
		}
	}
	return s
}

// caption says how points were made.
func (f Figure) caption(c *chart, m material) string {
	s := f.averaged()
	seeds, bars, bands, errors := false, false, false, false
	for _, p := range c.panels {
		for _, l := range p.lines {
			for _, q := range l.points {
				several := len(q.values) > 0
				seeds = seeds || several
				bars = bars || several && q.yBar.known() && !l.dense()
				bands = bands || several && q.yBar.known() && l.dense()
				errors = errors || !several && q.yBar.known() && !l.dense()
			}
		}
	}
	s += f.seeds(seeds, m)
	if bars {
		s += m.intervals("Bars")
	}
	if bands {
		s += m.intervals("Bands")
	}
	if errors {
		s += "Bars: one standard error to each side, within one seed. "
	}
	if c.axis.zero {
		s += "The axis is logarithmic; 0 stands apart. "
	}
	return s[:len(s)-1]
}

func (f Figure) averaged() string {
	if len(f.Over) == 0 {
		return ""
	}
	var over []string
	for _, n := range f.Over {
		over = append(over, spaced(n))
	}
	return "Means over " + list(over) + ". "
}

func (f Figure) seeds(several bool, m material) string {
	unit := spaced(m.unit())
	switch {
	case !several:
		return fmt.Sprintf("One %s: no spread over %s is known. ", unit, plural(unit))
	case f.Kind == "line":
		return fmt.Sprintf("Lines join means over %s; small dots are single %[1]s. ", plural(unit))
	}
	return "Means over " + plural(unit) + ". "
}

// intervals says what bars or bands are.
func (m material) intervals(what string) string {
	return fmt.Sprintf("%s: %s %% intervals over %s. ", what, plain(100*m.interval.Confidence), plural(spaced(m.unit())))
}
