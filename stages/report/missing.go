package report

import (
	"fmt"
	"slices"
)

// missing lists what a frame lacks: combinations of its coordinates' values that no row has, and values that are missing
// in a comparison.
func (f *frame) missing() []string {
	var names []string
	var axes [][]any
	rows := make([]int, f.rows)
	for i := range rows {
		rows[i] = i
	}
	total := 1
	for _, c := range f.columns {
		if !c.coordinate || slices.Contains(c.values, nil) {
			continue
		}
		names = append(names, c.name)
		axes = append(axes, c.distinct(rows))
		total *= len(axes[len(axes)-1])
	}
	var all []string
	const most = 50 // more are counted; a page is no place for thousands
	if total > most*len(rows)+most {
		return []string{fmt.Sprintf("%s: far from a full grid of %s", f.name, list(names))}
	}
	have := map[string]bool{}
	for _, i := range rows {
		have[id(f.tuple(names, i))] = true
	}
	at := make([]int, len(axes))
	for range total {
		point := make([]any, len(axes))
		for i, k := range at {
			point[i] = axes[i][k]
		}
		if len(axes) > 0 && !have[id(point)] {
			all = append(all, f.name+": no row has "+label(names, point))
		}
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < len(axes[i]) {
				break
			}
			at[i] = 0
		}
	}
	for _, n := range []string{"before", "after"} {
		if c := f.column(n); c != nil {
			for i, v := range c.values {
				if v == nil {
					all = append(all, f.name+": no value "+n+" at "+label(names, f.tuple(names, i)))
				}
			}
		}
	}
	if len(all) > most {
		all = append(all[:most], fmt.Sprintf("%s: %d more", f.name, len(all)-most))
	}
	return all
}
