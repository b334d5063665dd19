package report

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Where keeps the rows whose value of a column is one of those listed. Numbers are compared as numbers.
type Where struct {
	Column string   `hcl:"column,label"`
	Is     []string `hcl:"is" doc:"the values to keep; numbers are compared as numbers"`
}

// Check demands values to look for.
func (w Where) Check() error {
	if len(w.Is) == 0 {
		return pipeline.Errorf("is", "must list at least one value of %s", w.Column)
	}
	return nil
}

// matches tells whether v is the value written as s.
func matches(v any, s string) bool {
	switch v.(type) {
	case nil:
		return false
	case int64, float64:
		n, err := strconv.ParseFloat(s, 64)
		return err == nil && n == toFloat(v)
	}
	return plain(v) == s
}

// keep returns the rows that satisfy every condition. Where the frame tells test from other splits and neither a condition
// nor one of the columns named does, only test rows stay: the others serve to choose by, never to report. Likewise rows of
// a comparison at the best setting stay, and those at each of its settings where a column that makes them is named.
func (f *frame) keep(where []Where, columns []string) ([]int, error) {
	rows := make([]int, f.rows)
	for i := range rows {
		rows[i] = i
	}
	for _, w := range where {
		c := f.column(w.Column)
		if c == nil {
			return nil, pipeline.Errorf("where", "table %s has no column %s; it has %s", f.name, w.Column, f.names())
		}
		for _, s := range w.Is {
			if !slices.ContainsFunc(c.values, func(v any) bool { return matches(v, s) }) {
				return nil, pipeline.Errorf("where", "no row of table %s has %s %s; there are %s", f.name, w.Column, s, values(c))
			}
		}
		rows = slices.DeleteFunc(rows, func(i int) bool {
			return !slices.ContainsFunc(w.Is, func(s string) bool { return matches(c.values[i], s) })
		})
	}
	named := func(n string) bool {
		return slices.Contains(columns, n) || slices.ContainsFunc(where, func(w Where) bool { return w.Column == n })
	}
	split := f.column("split")
	if split != nil && !named("split") && slices.Contains(split.values, any("test")) {
		rows = slices.DeleteFunc(rows, func(i int) bool { return split.values[i] != any("test") })
	}
	if len(f.bestOver) > 0 && !named("setting") {
		wanted := !slices.ContainsFunc(f.bestOver, named)
		setting := f.column("setting")
		rows = slices.DeleteFunc(rows, func(i int) bool { return (setting.values[i] == any(atBest)) != wanted })
	}
	return rows, nil
}

// values lists the values of a column, for messages.
func values(c *column) string {
	rows := make([]int, len(c.values))
	for i := range rows {
		rows[i] = i
	}
	var all []string
	for _, v := range c.distinct(rows) {
		all = append(all, plain(v))
	}
	const most = 12
	if len(all) > most {
		all = append(all[:most], "…")
	}
	return strings.Join(all, ", ")
}

// need blames the field for the first of the columns it names that the frame does not have. An empty name is none.
func (f *frame) need(field string, columns ...string) error {
	for _, n := range columns {
		if n != "" && f.column(n) == nil {
			return pipeline.Errorf(field, "table %s has no column %s; it has %s", f.name, n, f.names())
		}
	}
	return nil
}

// query asks for means of a metric.
type query struct {
	metric string
	by     []string // columns whose values make groups
	along  string   // a column of numbers, or none: ""
	over   []string // columns to average over, besides seeds
	unit   string   // the seed that is the unit of replication
	where  []Where
}

// cell is the mean of a metric over the rows that share a group and a place along the axis.
type cell struct {
	group []any
	x     float64
	mean  float64 // over units; NaN where nothing was measured
	units []unit  // sorted
	rows  []int   // those with a value
}

// unit is the mean over the rows of one cell that share one value of the unit column, nil where there is no such column.
type unit struct {
	value any
	mean  float64
}

// means returns one cell for each group and place along the axis, sorted. Each is the mean over units of the means over
// their rows, so that a unit with more rows weighs no more. Rows may share a cell only where they differ in a seed or in
// a column of over: whatever else is averaged must be said.
//
// Rows without a value do not count, for a table may have rows of some metrics only, such as those for each k. A place
// that has no other rows is told, by a cell without a mean, unless a part of its group is missing.
func (f *frame) means(q query) ([]cell, error) {
	grouped := slices.Clone(q.by)
	if q.along != "" {
		grouped = append(grouped, q.along)
	}
	if err := f.need("", slices.Concat(grouped, q.over, []string{q.metric})...); err != nil {
		return nil, err
	}
	metric := f.column(q.metric)
	if !metric.numeric() {
		return nil, pipeline.Errorf("", "column %s of table %s holds no numbers", q.metric, f.name)
	}
	if q.along != "" && !f.column(q.along).numeric() {
		return nil, pipeline.Errorf("", "column %s of table %s holds no numbers to order by", q.along, f.name)
	}
	rows, err := f.keep(q.where, slices.Concat(grouped, q.over))
	if err != nil {
		return nil, err
	}
	identity := slices.Concat(grouped, q.over)
	for i := range f.columns {
		if f.columns[i].seed() && !slices.Contains(identity, f.columns[i].name) {
			identity = append(identity, f.columns[i].name)
		}
	}
	first := map[string]int{}
	cells := map[string]*cell{}
	byUnit := map[string]map[string][]float64{}
	unitValue := map[string]any{}
	unitColumn := f.column(q.unit)
	for _, i := range rows {
		if q.along != "" && f.column(q.along).values[i] == nil {
			continue
		}
		group := f.tuple(q.by, i)
		v, measured := metric.float(i)
		if !measured && slices.Contains(group, nil) {
			continue
		}
		key := id(f.tuple(grouped, i))
		c := cells[key]
		if c == nil {
			c = &cell{group: group, mean: math.NaN()}
			if q.along != "" {
				c.x, _ = f.column(q.along).float(i)
			}
			cells[key], byUnit[key] = c, map[string][]float64{}
		}
		if !measured {
			continue
		}
		self := id(f.tuple(identity, i))
		if j, ok := first[self]; ok {
			return nil, pipeline.Errorf("", "several rows of table %s have %s; they differ in %s: choose with where, or average with over",
				f.name, label(identity, f.tuple(identity, i)), f.differing(i, j, identity))
		}
		first[self] = i
		c.rows = append(c.rows, i)
		var u any
		if unitColumn != nil {
			u = unitColumn.values[i]
		}
		unitValue[id([]any{u})] = u
		byUnit[key][id([]any{u})] = append(byUnit[key][id([]any{u})], v)
	}
	all := make([]cell, 0, len(cells))
	for key, c := range cells {
		for u, vs := range byUnit[key] {
			c.units = append(c.units, unit{unitValue[u], mean(vs)})
		}
		slices.SortFunc(c.units, func(a, b unit) int { return compareValues(a.value, b.value) })
		if len(c.units) > 0 {
			sum := 0.0
			for _, u := range c.units {
				sum += u.mean
			}
			c.mean = sum / float64(len(c.units))
		}
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b cell) int {
		if c := compareTuples(a.group, b.group); c != 0 {
			return c
		}
		return compareValues(a.x, b.x)
	})
	return all, nil
}

// differing lists the columns that tell rows i and j apart: coordinates, and what is not a measurement.
func (f *frame) differing(i, j int, except []string) string {
	var all []string
	for _, c := range f.columns {
		if (c.coordinate || c.kind != artifacts.Float64) && !slices.Contains(except, c.name) && c.values[i] != c.values[j] {
			all = append(all, c.name)
		}
	}
	if all == nil {
		return "no column that names them"
	}
	return list(all)
}

func mean(vs []float64) float64 {
	sum := 0.0
	for _, v := range vs {
		sum += v
	}
	return sum / float64(len(vs))
}
