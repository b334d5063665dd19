package report

import (
	"fmt"
	"math"
	"slices"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Table joins artifacts of one schema below each other, their coordinates in front as typed columns: seeds as int64,
// other numbers as double. A coordinate that a row's node does not have is missing there.
type Table struct {
	Name string         `hcl:"name,label"`
	From []pipeline.Row `hcl:"from" artifact:"table,samples" doc:"artifacts of one schema: [for p in probe.loss : p.losses]"`
}

// Check demands rows.
func (t Table) Check() error {
	if len(t.From) == 0 {
		return pipeline.Errorf("from", "table %s needs at least one artifact", t.Name)
	}
	return nil
}

// part is one artifact that was read, with where it stands.
type part struct {
	point  pipeline.Point
	table  *artifacts.Table
	origin int // its place among the report's origins
}

// frames are the tables and comparisons of a report by name.
type frames map[string]*frame

// get returns the table or comparison named.
func (f frames) get(name string) (*frame, error) {
	if t := f[name]; t != nil {
		return t, nil
	}
	var names []string
	for n := range f {
		names = append(names, n)
	}
	slices.Sort(names)
	return nil, pipeline.Errorf("", "there is no table or comparison %q here; there are %s", name, list(names))
}

// join makes a frame of parts: the union of their coordinates, sorted by name, then their columns.
func join(name string, parts []part) (*frame, error) {
	var coordinates []string
	for _, p := range parts {
		for _, c := range p.point {
			if !slices.Contains(coordinates, c.Name) {
				coordinates = append(coordinates, c.Name)
			}
		}
	}
	slices.Sort(coordinates)
	all := &artifacts.Table{}
	columns := make([]column, len(coordinates))
	var from [][]int
	for i, n := range coordinates {
		columns[i] = column{name: n, coordinate: true}
	}
	for _, p := range parts {
		for i, n := range coordinates {
			c := &columns[i]
			v := pipeline.Typed(n, p.point.Get(n))
			if v != nil {
				kind := artifacts.TypeOf(v)
				if c.kind != "" && c.kind != kind {
					return nil, fmt.Errorf("coordinate %s is %s here and %s there", n, c.kind, kind)
				}
				c.kind = kind
			}
			c.values = append(c.values, slices.Repeat([]any{v}, p.table.Rows())...)
		}
		if err := all.Append(p.table); err != nil {
			return nil, err
		}
		from = append(from, slices.Repeat([][]int{{p.origin}}, p.table.Rows())...)
	}
	for _, c := range all.Columns {
		if slices.Contains(coordinates, c.Name) {
			return nil, fmt.Errorf("%s is a coordinate and a column too: give the axis another name", c.Name)
		}
		columns = append(columns, column{name: c.Name, kind: c.Type, values: slices.Clone(c.Values)})
	}
	for _, c := range columns {
		for i, v := range c.values {
			if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
				c.values[i] = nil
			}
		}
	}
	return &frame{name: name, columns: columns, rows: all.Rows(), from: from}, nil
}

// table returns the frame as an artifact. A column is optional where a value is missing.
func (f *frame) table() *artifacts.Table {
	t := &artifacts.Table{}
	for _, c := range f.columns {
		kind := c.kind
		if kind == "" {
			kind = artifacts.String
		}
		t.Columns = append(t.Columns, artifacts.Column{Name: c.name, Type: kind, Optional: slices.Contains(c.values, nil), Values: c.values})
	}
	return t
}
