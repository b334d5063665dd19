package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"anneal/pipeline"
)

// scatter draws one metric against another.
func (f Figure) scatter(v *figureView, t *frame, m material) error {
	xt := t
	if f.XTable != "" {
		var err error
		if xt, err = m.frames.get(f.XTable); err != nil {
			return err
		}
	}
	c, err := f.pairs(t, xt, m)
	if err != nil || len(c.panels) == 0 {
		return err
	}
	v.Head = append(f.by(), f.Along, xt.words(f.X), t.words(f.Y), "overtakes")
	var xs []float64
	c.each(func(p point) { xs = append(xs, p.x) })
	xDigits, yDigits := decimals(xs), c.digits()
	found := 0
	for i := range c.panels {
		for j := range c.panels[i].lines {
			l := &c.panels[i].lines[j]
			l.pairs = reversedPoints(l.points, lowerBetter("by_name", f.X), lowerBetter("by_name", f.Y))
			found += len(l.pairs)
			for k := range l.points {
				p := &l.points[k]
				var overtaken []string
				for _, pair := range l.pairs {
					if pair[1] == k {
						overtaken = append(overtaken, l.points[pair[0]].label)
					}
				}
				cells := append(tell(p.cell.group), p.label, fixed(p.x, xDigits)+p.xBar.words(xDigits), fixed(p.y, yDigits)+p.yBar.words(yDigits), strings.Join(overtaken, ", "))
				across, up := xt.sources(f.X, p.from.rows, xDigits, m.origins), t.sources(f.Y, p.cell.rows, yDigits, m.origins)
				across[0].Label, up[0].Label = xt.words(f.X)+": "+across[0].Label, t.words(f.Y)+": "+up[0].Label
				p.id = v.spot(cells, slices.Concat(across, up)).ID
				p.said = fmt.Sprintf("%s: %s %s; %s %s", f.place(append(slices.Clone(p.cell.group), p.cell.x), f.Along),
					xt.words(f.X), m.told(p.x, p.xBar, len(p.from.units), xDigits), t.words(f.Y), m.told(p.y, p.yBar, len(p.cell.units), yDigits))
			}
		}
	}
	v.show(f, c, f.describePairs(c, xt.words(f.X), t.words(f.Y), xDigits, yDigits))
	several, bars := false, false
	c.each(func(p point) {
		several = several || len(p.cell.units) > 1
		bars = bars || p.xBar.known() || p.yBar.known()
	})
	v.Caption = f.averaged() + f.seeds(several, m)
	if bars {
		v.Caption += m.intervals("Bars")
	}
	switch found {
	case 0:
		v.Caption += fmt.Sprintf("Of no pair is the one worse in %s better in %s.", xt.words(f.X), t.words(f.Y))
	default:
		v.Caption += fmt.Sprintf("Dotted: %s of which the one worse in %s is better in %s, by their means.", counted(found, "pair"), xt.words(f.X), t.words(f.Y))
	}
	return nil
}

// pairs reads the points: for each line and place along the axis one of each metric.
func (f Figure) pairs(t, xt *frame, m material) (*chart, error) {
	if err := errors.Join(t.need("along", f.Along), xt.need("x", f.X), xt.need("along", f.Along)); err != nil {
		return nil, err
	}
	for _, n := range f.Over {
		if t.column(n) == nil {
			if err := xt.need("over", n); err != nil {
				return nil, err
			}
		}
	}
	for _, w := range f.Where {
		if t.column(w.Column) == nil && xt.column(w.Column) == nil {
			return nil, pipeline.Errorf("where", "neither table %s nor table %s has a column %s", t.name, xt.name, w.Column)
		}
	}
	read := func(t *frame, metric string) ([]string, []cell, error) {
		has := func(n string) bool { return t.column(n) != nil }
		q := query{metric: metric, along: f.Along, unit: m.unit()}
		q.by = slices.DeleteFunc(f.by(), func(n string) bool { return !has(n) })
		q.over = slices.DeleteFunc(slices.Clone(f.Over), func(n string) bool { return !has(n) })
		q.where = slices.DeleteFunc(slices.Clone(f.Where), func(w Where) bool { return !has(w.Column) })
		cells, err := t.means(q)
		return q.by, cells, err
	}
	_, ys, err := read(t, f.Y)
	if err != nil {
		return nil, err
	}
	by, xs, err := read(xt, f.X)
	if err != nil {
		return nil, err
	}
	c := &chart{xLabel: direct(xt, f.X), yLabel: direct(t, f.Y)}
	for _, y := range ys {
		i := slices.IndexFunc(xs, func(x cell) bool {
			return x.x == y.x && !slices.ContainsFunc(by, func(n string) bool {
				return compareValues(x.group[slices.Index(by, n)], y.group[slices.Index(f.by(), n)]) != 0
			})
		})
		if i < 0 || len(y.rows) == 0 || len(xs[i].rows) == 0 {
			continue
		}
		facet, line := f.split(y.group)
		c.add(facet, line, point{x: xs[i].mean, y: y.mean, xBar: m.bar(xt, f.X, xs[i]), yBar: m.bar(t, f.Y, y), label: plain(y.x), cell: y, from: xs[i]})
	}
	if len(c.panels) > 0 {
		c.across(f.Scale)
		c.bounds()
	}
	return c, nil
}

// direct names a metric with the direction in which it is better.
func direct(t *frame, metric string) string {
	if lowerBetter("by_name", metric) {
		return t.axisLabel(metric, false) + ", lower is better"
	}
	return t.axisLabel(metric, false)
}

// across makes the axis of a metric: wide enough for bars, and without a tick for each value.
func (c *chart) across(scale string) {
	var xs []float64
	var bars []bar
	c.each(func(p point) {
		xs = append(xs, p.x)
		bars = append(bars, p.xBar)
	})
	low, high := reach(xs, bars)
	if scale != "log" || low <= 0 {
		scale = "linear"
	}
	c.axis = newAxis(scale, false, []float64{low, high})
	if scale == "linear" {
		c.axis.ticks = niceTicks(c.axis.min, c.axis.max, 6)
	}
}

// reversedPoints lists the pairs of which the second is worse by x and better by y.
func reversedPoints(points []point, xLower, yLower bool) [][2]int {
	better := func(lower bool, a, b float64) bool { return lower && a < b || !lower && a > b }
	var all [][2]int
	for i, p := range points {
		for j, q := range points {
			if better(xLower, p.x, q.x) && better(yLower, q.y, p.y) {
				all = append(all, [2]int{i, j})
			}
		}
	}
	return all
}

// describePairs says in words what a scatter shows.
func (f Figure) describePairs(c *chart, x, y string, xDigits, yDigits int) string {
	s := y + " against " + x
	for _, p := range c.panels {
		for _, l := range p.lines {
			s += "; "
			if p.name != "" {
				s += p.name + ", "
			}
			if c.keys[l.style] != "" {
				s += c.keys[l.style] + ", "
			}
			s += "by " + spaced(f.Along) + ":"
			for _, q := range l.points {
				s += fmt.Sprintf(" %s has %s and %s", q.label, fixed(q.x, xDigits), fixed(q.y, yDigits))
			}
		}
	}
	return s
}
