package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// column is one column of a frame. A nil value is missing, and so is a number that is not finite.
type column struct {
	name       string
	kind       artifacts.Type
	coordinate bool
	values     []any
}

// frame is a table in memory, coordinates in front.
type frame struct {
	name     string
	metric   string   // what a comparison compares, "" for a table
	bestOver []string // columns of which its rows have each value, or the best by the column setting; none for a table
	columns  []column
	rows     int
	from     [][]int // of each row the origins it was made of, by their places among the report's, ascending
}

// column returns the column named, nil where there is none.
func (f *frame) column(name string) *column {
	for i := range f.columns {
		if f.columns[i].name == name {
			return &f.columns[i]
		}
	}
	return nil
}

// origins returns those that the rows given were made of, ascending.
func (f *frame) origins(rows []int) []int {
	var all []int
	for _, i := range rows {
		all = append(all, f.from[i]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// names lists the columns, for messages.
func (f *frame) names() string {
	var all []string
	for _, c := range f.columns {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

// numeric tells whether the column holds numbers.
func (c *column) numeric() bool { return c.kind == artifacts.Int64 || c.kind == artifacts.Float64 }

// seed tells whether the column numbers repetitions of one experiment.
func (c *column) seed() bool { return c.coordinate && pipeline.IsSeed(c.name) }

// float returns the number in row i, and whether there is one.
func (c *column) float(i int) (float64, bool) {
	switch v := c.values[i].(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// distinct lists the values of the column in the rows given, sorted, without missing ones.
func (c *column) distinct(rows []int) []any {
	var all []any
	seen := map[any]bool{}
	for _, i := range rows {
		if v := c.values[i]; v != nil && !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	slices.SortFunc(all, compareValues)
	return all
}

// compareValues orders missing before numbers by size, before truths (no, yes), before text by its bytes.
func compareValues(a, b any) int {
	rank := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case int64, float64:
			return 1
		case bool:
			return 2
		}
		return 3
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case bool:
		return cmp.Compare(strconv.FormatBool(a), strconv.FormatBool(b.(bool)))
	case string:
		return cmp.Compare(a, b.(string))
	case nil:
		return 0
	}
	return cmp.Compare(toFloat(a), toFloat(b))
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

// plain prints a value in full, as a coordinate is written in the configuration. A missing one prints as "missing".
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "missing"
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// tuple is a value of several columns: a key to group rows by.
func (f *frame) tuple(names []string, row int) []any {
	all := make([]any, len(names))
	for i, n := range names {
		all[i] = f.column(n).values[row]
	}
	return all
}

// id makes a tuple comparable, its parts framed so that no two tuples share one.
func id(tuple []any) string {
	var b strings.Builder
	for _, v := range tuple {
		s := plain(v)
		fmt.Fprintf(&b, "%T %d %s;", v, len(s), s)
	}
	return b.String()
}

// compareTuples orders tuples of equal length part by part.
func compareTuples(a, b []any) int {
	for i := range a {
		if c := compareValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// label prints names and values of a tuple: "task sort, layer 2".
func label(names []string, tuple []any) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = spaced(n) + " " + plain(tuple[i])
	}
	return strings.Join(parts, ", ")
}

// spaced prints a column's name as words.
func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }
