package report

import (
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/plot"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Figure draws a metric along an axis: one panel for each value of the facet, one line for each value of lines and each
// metric. A line joins means over seeds; with several seeds each one's own mean is a small dot.
type Figure struct {
	Name       string      `hcl:"name,label"`
	Title      string      `hcl:"title,optional" doc:"its heading; its name, where there is none"`
	Table      string      `hcl:"table" doc:"a table or comparison"`
	X          string      `hcl:"x" doc:"a column of numbers"`
	Y          string      `hcl:"y" doc:"a column of numbers"`
	With       []string    `hcl:"with,optional" doc:"more columns of the same unit, drawn beside y"`
	Lines      string      `hcl:"lines,optional" doc:"a column: one line for each of its values"`
	Facet      string      `hcl:"facet,optional" doc:"a column: one panel for each of its values"`
	Error      string      `hcl:"error,optional" doc:"a column with the standard error of y, drawn where a point is one row"`
	Over       []string    `hcl:"over,optional" doc:"columns averaged over, besides seeds"`
	Scale      string      `hcl:"scale,optional" values:"auto,linear,log" doc:"of x; a zero on a log scale has a tick of its own"`
	Where      []Where     `hcl:"where,block" doc:"which rows"`
	References []Reference `hcl:"reference,block" doc:"a level to compare with, drawn as a horizontal line: the mean of y over the rows it selects"`
}

// Reference is a level to compare with, drawn as a horizontal line: the mean of y over the rows it selects.
type Reference struct {
	Name  string  `hcl:"name,label"`
	Where []Where `hcl:"where,block" doc:"which rows"`
}

// Default picks the scale by the axis: log for numbers without negatives whose positive values span a factor of 5 or
// more, unless they are all integers.
func (Figure) Default() Figure { return Figure{Scale: "auto"} }

// Check checks the rows it selects.
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
	return errors.Join(errs...)
}

// chart is a figure's numbers.
type chart struct {
	panels     []panel
	keys       []string // what the lines are, in the order of their styles
	references []string // likewise
	axis       axis
	low, high  float64     // of y over all panels
	ticks      []plot.Tick // of y
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
}

// point is one mean with the values it was made of.
type point struct {
	x, y   float64
	err    float64 // standard error, 0 where there is none
	values []float64
}

// level is a reference; style indexes the chart's references.
type level struct {
	style int
	y     float64
}

// chart reads the numbers of the figure.
func (f Figure) chart(frames frames) (*chart, error) {
	t, err := frames.get(f.Table)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.need("x", f.X), t.need("y", f.Y), t.need("with", f.With...), t.need("lines", f.Lines),
		t.need("facet", f.Facet), t.need("over", f.Over...), t.need("error", f.Error)); err != nil {
		return nil, err
	}
	by := slices.DeleteFunc([]string{f.Facet, f.Lines}, func(s string) bool { return s == "" })
	metrics := append([]string{f.Y}, f.With...)
	c := &chart{}
	var xs []float64
	for _, metric := range metrics {
		q := query{metric: metric, by: by, along: f.X, over: f.Over, unit: "seed", where: f.Where}
		cells, err := t.means(q)
		if err != nil {
			return nil, err
		}
		for _, cell := range cells {
			facet, line := f.split(cell.group)
			p := point{x: cell.x, y: cell.mean}
			if len(cell.rows) == 0 {
				continue
			}
			if len(cell.rows) == 1 && metric == f.Y && f.Error != "" {
				p.err, _ = t.column(f.Error).float(cell.rows[0])
			}
			if len(cell.units) > 1 {
				for _, u := range cell.units {
					p.values = append(p.values, u.mean)
				}
			}
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

// bounds finds the range of y over all panels, which share it so that they can be compared, with room around.
func (c *chart) bounds() {
	var ys []float64
	for _, p := range c.panels {
		for _, l := range p.lines {
			for _, q := range l.points {
				ys = append(ys, q.y-q.err, q.y+q.err)
				ys = append(ys, q.values...)
			}
		}
		for _, l := range p.level {
			ys = append(ys, l.y)
		}
	}
	c.low, c.high = slices.Min(ys), slices.Max(ys)
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

// describe says in words what a figure shows, for those who cannot see it.
func (f Figure) describe(c *chart, t *frame) string {
	s := fmt.Sprintf("%s by %s", t.words(f.Y), t.words(f.X))
	for _, p := range c.panels {
		for _, l := range p.lines {
			s += "; "
			if p.name != "" {
				s += p.name + ", "
			}
			s += c.keys[l.style] + ":"
			digits := decimals(l.ys())
			for _, q := range l.points {
				s += fmt.Sprintf(" %s at %s", fixed(q.y, digits), plain(q.x))
			}
		}
	}
	return s
}

func (l curve) ys() []float64 {
	var all []float64
	for _, q := range l.points {
		all = append(all, q.y)
	}
	return all
}
