package report

import (
	"slices"

	"anneal/pipeline"
)

// Beside puts columns of one table into all others whose coordinates tell its rows apart: those that have all of its
// coordinates, and no column of that name. So the repetition of the data stands beside every number of a model.
type Beside struct {
	Table   string   `hcl:"table,label"`
	Columns []string `hcl:"columns" doc:"columns of the table, such as repetition and timescale"`
}

// Check demands columns.
func (b Beside) Check() error {
	if len(b.Columns) == 0 {
		return pipeline.Errorf("columns", "must name at least one column of table %s", b.Table)
	}
	return nil
}

// add puts the columns into those of the tables that can take them. Their rows' origins stay: what is measured in them was
// not made of what stands beside it.
func (b Beside) add(from *frame, tables []*frame) error {
	if err := from.need("columns", b.Columns...); err != nil {
		return err
	}
	var coordinates []string
	for _, c := range from.columns {
		if c.coordinate {
			coordinates = append(coordinates, c.name)
		}
	}
	if i := slices.IndexFunc(b.Columns, func(n string) bool { return slices.Contains(coordinates, n) }); i >= 0 {
		return pipeline.Errorf("columns", "%s is a coordinate of table %s: who shares it has it", b.Columns[i], from.name)
	}
	at := map[string]int{}
	for i := range from.rows {
		point := from.tuple(coordinates, i)
		if _, ok := at[id(point)]; ok {
			return pipeline.Errorf("", "several rows of table %s have %s: one must stand beside each", from.name, label(coordinates, point))
		}
		at[id(point)] = i
	}
	taken := false
	for _, f := range tables {
		if f == from || f.need("", coordinates...) != nil {
			continue
		}
		taken = true
		for _, n := range b.Columns {
			if f.column(n) != nil {
				continue
			}
			source := from.column(n)
			c := column{name: n, kind: source.kind}
			for i := range f.rows {
				var v any
				if j, ok := at[id(f.tuple(coordinates, i))]; ok {
					v = source.values[j]
				}
				c.values = append(c.values, v)
			}
			f.columns = append(f.columns, c)
		}
	}
	if !taken {
		return pipeline.Errorf("", "no other table has all of its coordinates: %s", list(coordinates))
	}
	return nil
}
