package report

import (
	"fmt"
	"slices"
)

// spot is one point of a figure, told in numbers, with the rows it was made of. Points in figures link to theirs.
type spot struct {
	ID      string
	Cells   []string // as the figure's Head
	Sources []source
}

// source is one row, or the rows of one artifact, that a point was made of.
type source struct {
	Label string // how it differs from the point's other rows
	Value string // "" where rows were not averaged
	Links []link
}

// link leads to an artifact in the list of those that the page was made of.
type link struct{ ID, Text string }

// originID is where the page tells of an artifact.
func (o origin) id() string { return "origin-" + o.short() }

// short is the part of a digest that people tell artifacts by.
func (o origin) short() string { return o.Digest[:min(12, len(o.Digest))] }

// spot appends one to the figure's list.
func (v *figureView) spot(cells []string, sources []source) *spot {
	v.Spots = append(v.Spots, spot{fmt.Sprintf("point-%d-%d", v.Number, len(v.Spots)+1), cells, sources})
	return &v.Spots[len(v.Spots)-1]
}

// sources tells what rows were made of: rows of the same artifacts together, with the mean of their metric.
func (f *frame) sources(metric string, rows []int, digits int, origins []origin) []source {
	var varying []string
	for i := range f.columns {
		c := &f.columns[i]
		if c.coordinate && slices.ContainsFunc(rows, func(row int) bool { return c.values[row] != c.values[rows[0]] }) {
			varying = append(varying, c.name)
		}
	}
	var keys []string
	groups := map[string][]int{}
	for _, i := range rows {
		k := fmt.Sprint(f.from[i])
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], i)
	}
	var all []source
	for _, k := range keys {
		group := groups[k]
		s := source{Label: label(varying, f.tuple(varying, group[0]))}
		if metric != "" {
			var values []float64
			for _, i := range group {
				if v, ok := f.column(metric).float(i); ok {
					values = append(values, v)
				}
			}
			s.Value = fixed(mean(values), digits)
		}
		for _, o := range f.from[group[0]] {
			s.Links = append(s.Links, link{origins[o].id(), origins[o].Block})
		}
		all = append(all, s)
	}
	return all
}

// made is an artifact that the page was made of, with each block that reads it and where it stands in the sweep.
type made struct {
	origin
	ID   string
	Uses []string
}

// madeOf lists the origins, each content once.
func madeOf(origins []origin) []made {
	var all []made
	place := map[string]int{}
	for _, o := range origins {
		i, ok := place[o.Digest]
		if !ok {
			i = len(all)
			place[o.Digest] = i
			all = append(all, made{origin: o, ID: o.id()})
		}
		use := o.Block
		if o.Point != "" {
			use += ": " + o.Point
		}
		if !slices.Contains(all[i].Uses, use) {
			all[i].Uses = append(all[i].Uses, use)
		}
	}
	return all
}
