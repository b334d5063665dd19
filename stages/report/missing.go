package report

import (
	"fmt"
	"slices"
	"strings"

	"anneal/pipeline"
)

// reasons say why an artifact is missing.
var reasons = map[string]string{"failed": "failed", "skipped": "was skipped", "excluded": "was left out of the run"}

// lost lists the artifacts that a report does without: of which table, where they would stand, and why.
func lost(missing []pipeline.Missing) []string {
	var all []string
	for _, m := range missing {
		block, where := strings.Split(m.Field, ".")[1], ""
		if m.Point != nil {
			var names []string
			var values []any
			for _, c := range m.Point {
				names, values = append(names, c.Name), append(values, c.Value)
			}
			where = " at " + label(names, values)
		}
		line := block + ": no artifact" + where + ", as its stage " + reasons[m.Reason]
		if !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// diverged lists the points whose training left numbers that are not finite, and at which step, each once.
func diverged(order []*frame) []string {
	var all []string
	for _, f := range order {
		at := f.column("diverged_at")
		if at == nil {
			continue
		}
		var names []string
		for _, c := range f.columns {
			if c.coordinate {
				names = append(names, c.name)
			}
		}
		for i, step := range at.values {
			if step == nil {
				continue
			}
			var here []string // the coordinates that this row has
			for _, n := range names {
				if f.column(n).values[i] != nil {
					here = append(here, n)
				}
			}
			line := "diverged at step " + plain(step)
			if len(here) > 0 {
				line = label(here, f.tuple(here, i)) + ": " + line
			}
			if !slices.Contains(all, line) {
				all = append(all, line)
			}
		}
	}
	return all
}

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
	var absent [][]any
	at := make([]int, len(axes))
	for range total {
		point := make([]any, len(axes))
		for i, k := range at {
			point[i] = axes[i][k]
		}
		if len(axes) > 0 && !have[id(point)] {
			absent = append(absent, point)
		}
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < len(axes[i]) {
				break
			}
			at[i] = 0
		}
	}
	for _, point := range merged(absent, axes) {
		var has []string
		var values []any
		for i, v := range point {
			if v != nil {
				has, values = append(has, names[i]), append(values, v)
			}
		}
		all = append(all, f.name+": no row has "+label(has, values))
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

// merged replaces points that are absent for every value of a coordinate by one that says nothing of it, nil.
func merged(absent [][]any, axes [][]any) [][]any {
	for i := range axes {
		rest := func(point []any) string {
			point = slices.Clone(point)
			point[i] = nil
			return id(point)
		}
		count := map[string]int{}
		for _, p := range absent {
			count[rest(p)]++
		}
		var kept [][]any
		said := map[string]bool{}
		for _, p := range absent {
			k := rest(p)
			if count[k] == len(axes[i]) && len(axes[i]) > 1 {
				if said[k] {
					continue
				}
				said[k] = true
				p = slices.Clone(p)
				p[i] = nil
			}
			kept = append(kept, p)
		}
		absent = kept
	}
	return absent
}
