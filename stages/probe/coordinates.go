package probe

import (
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// coordinatesOf returns the coordinates of tasks as columns by name, a row a task, null where it has none of that name. Those
// that cannot be columns before those of the schemas named are an error.
func coordinatesOf(tasks []pipeline.Row, schemas ...string) ([]artifacts.Column, error) {
	var columns []artifacts.Column
	for i, t := range tasks {
		for _, c := range t.Point {
			value := pipeline.Typed(c.Name, c.Value)
			at := slices.IndexFunc(columns, func(d artifacts.Column) bool { return d.Name == c.Name })
			if at < 0 {
				at = len(columns)
				columns = append(columns, artifacts.Column{Name: c.Name, Type: artifacts.TypeOf(value), Values: make([]any, len(tasks))})
			}
			if want := columns[at].Type; artifacts.TypeOf(value) != want {
				return nil, pipeline.Errorf("tasks", "has %v as %s in element %d, where others have a coordinate of type %s", value, c.Name, i, want)
			}
			columns[at].Values[i] = value
		}
	}
	for i, c := range columns {
		columns[i].Optional = slices.Contains(c.Values, nil)
		for _, schema := range schemas {
			if slices.ContainsFunc(artifacts.SchemaNamed(schema).Columns, func(d artifacts.ColumnDoc) bool { return d.Name == c.Name }) {
				return nil, pipeline.Errorf("tasks", "has a coordinate %s, as a column of the table %s is named: give the axis another name", c.Name, schema)
			}
		}
	}
	slices.SortFunc(columns, func(a, b artifacts.Column) int { return strings.Compare(a.Name, b.Name) })
	return columns, nil
}

// writeBehind writes rows as a table at path, each behind the coordinates of its task.
func writeBehind[T any](path string, coordinates []artifacts.Column, rows []T, task func(T) int64) error {
	if err := artifacts.WriteRows(path, rows); err != nil || len(coordinates) == 0 {
		return err
	}
	table, err := artifacts.ReadTable(path)
	if err != nil {
		return err
	}
	var columns []artifacts.Column
	for _, c := range coordinates {
		byTask := c.Values
		c.Values = make([]any, len(rows))
		for i, r := range rows {
			c.Values[i] = byTask[task(r)]
		}
		columns = append(columns, c)
	}
	table.Columns = append(columns, table.Columns...)
	return table.Write(path, artifacts.Uncompressed)
}
