package report

import (
	"slices"

	"anneal/artifacts"
)

// trainings tells of each point of the sweep, seeds aside, how often its data was read and how far back its weights
// average their updates: from the first table of trainings' summaries. It is nil where there is none.
func trainings(order []*frame) *tableView {
	told := []string{"parameters", "steps", "tokens", "repetition", "timescale_peak", "timescale"}
	for _, f := range order {
		if f.need("", told...) != nil {
			continue
		}
		var by []string
		rows := make([]int, f.rows)
		for i := range rows {
			rows[i] = i
		}
		for i := range f.columns {
			if c := &f.columns[i]; c.coordinate && !c.seed() && len(c.distinct(rows)) > 1 {
				by = append(by, c.name)
			}
		}
		groups := map[string][]int{}
		var points [][]any
		for i := range rows {
			point := f.tuple(by, i)
			if groups[id(point)] == nil {
				points = append(points, point)
			}
			groups[id(point)] = append(groups[id(point)], i)
		}
		slices.SortFunc(points, compareTuples)
		v := &tableView{Name: f.name, Total: len(points), Rows: make([]rowView, len(points))}
		for j, n := range by {
			v.Head = append(v.Head, headCell{spaced(n), f.column(n).numeric()})
			for i, p := range points {
				v.Rows[i].Cells = append(v.Rows[i].Cells, plain(p[j]))
			}
		}
		for _, n := range told {
			v.Head = append(v.Head, headCell{f.words(n), true})
			c := f.column(n)
			means := make([]float64, len(points))
			known := make([]bool, len(points))
			var all []float64
			for i, p := range points {
				var values []float64
				for _, row := range groups[id(p)] {
					if x, ok := c.float(row); ok {
						values = append(values, x)
					}
				}
				if known[i] = len(values) > 0; known[i] {
					means[i] = mean(values)
					all = append(all, means[i])
				}
			}
			digits := decimals(all)
			if c.kind == artifacts.Int64 {
				digits = 0
			}
			for i := range points {
				s := "∞" // a timescale without weight decay; all else has a value
				if known[i] {
					s = fixed(means[i], digits)
				}
				v.Rows[i].Cells = append(v.Rows[i].Cells, s)
			}
		}
		return v
	}
	return nil
}
