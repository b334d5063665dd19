package report

import (
	"fmt"
	"slices"
	"strings"

	"anneal/pipeline"
)

// reversals answers a claim that what is worse by one criterion can be better by another. A pair (a, b) of places on the
// axis is reversed when a is worse than b by base and better than b by after.
func (c Claim) reversals(frames frames) (*answer, error) {
	bases, err := c.criterion(*c.Base, frames)
	if err != nil {
		return nil, pipeline.Within("base", err)
	}
	afters, err := c.criterion(*c.After, frames)
	if err != nil {
		return nil, pipeline.Within("after", err)
	}
	a := &answer{Lines: slices.Concat(bases, afters)}
	a.align()
	baseLower := lowerBetter(c.Base.Better, c.Base.Metric)
	afterLower := lowerBetter(c.After.Better, c.After.Metric)
	var found, orders []string
	var tallies []tally
	bases, afters = a.Lines[:len(bases)], a.Lines[len(bases):]
	for i := range bases {
		bases[i].rank(baseLower)
	}
	for i := range afters {
		after := &afters[i]
		after.rank(afterLower)
		base, ok := partner(bases, *after)
		if !ok || !base.ranked() || !after.ranked() {
			continue
		}
		pairs := reversed(base, *after, baseLower, afterLower)
		n := len(pairs)
		s := "none"
		if n > 0 {
			s = list(pairs)
		}
		if after.Group != "" {
			s += " (" + after.Group + ")"
		}
		found = append(found, s)
		t := tally{what: after.Group}
		for _, u := range a.units() {
			b, f := base.only(u), after.only(u)
			if b.ranked() && f.ranked() {
				t.of++
				if len(reversed(b, f, baseLower, afterLower)) > 0 {
					t.agree++
				}
			}
		}
		tallies = append(tallies, t)
		group := after.Group
		if group != "" {
			group = " for " + group
		}
		orders = append(orders, order(*after, afterLower)+group)
	}
	a.judge(c, tallies)
	if len(found) == 0 {
		a.Sentence = "No pair can be ranked by both criteria."
		return a, nil
	}
	a.Sentence = fmt.Sprintf("Best first, %s by %s: %s; by %s: %s. Pairs in which the worse base ends better: %s.",
		spaced(c.Along), bases[0].Metric, orderAll(bases, baseLower), afters[0].Metric, strings.Join(orders, "; "), strings.Join(found, "; "))
	return a, nil
}

func orderAll(lines []line, lower bool) string {
	var all []string
	for _, l := range lines {
		s := order(l, lower)
		if l.Group != "" {
			s += " for " + l.Group
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

// partner finds the line whose group agrees with that of l in every column that both have.
func partner(lines []line, l line) (line, bool) {
	for _, p := range lines {
		agrees := true
		for i, n := range p.columns {
			j := slices.Index(l.columns, n)
			agrees = agrees && (j < 0 || compareValues(p.cells[0].group[i], l.cells[0].group[j]) == 0)
		}
		if agrees {
			return p, true
		}
	}
	return line{}, false
}

// reversed lists the pairs in which the worse by base is the better by after: "1 over 0.1".
func reversed(base, after line, baseLower, afterLower bool) []string {
	sign := func(lower bool, d float64) float64 {
		if lower {
			return -d
		}
		return d
	}
	var all []string
	for i := range base.cells {
		for j := range base.cells {
			worse := sign(baseLower, base.cells[i].mean-base.cells[j].mean) < 0
			better := sign(afterLower, after.cells[i].mean-after.cells[j].mean) > 0
			if worse && better {
				all = append(all, plain(base.cells[i].x)+" over "+plain(base.cells[j].x))
			}
		}
	}
	return all
}

// order lists the measured places of the axis, best first, equals joined by =.
func order(l line, lower bool) string {
	cells := l.measured()
	slices.SortStableFunc(cells, func(a, b cell) int {
		if lower {
			return compareValues(a.mean, b.mean)
		}
		return compareValues(b.mean, a.mean)
	})
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			if c.mean == cells[i-1].mean {
				b.WriteString(" = ")
			} else {
				b.WriteString(", ")
			}
		}
		b.WriteString(plain(c.x))
	}
	if b.Len() == 0 {
		return "nothing measured"
	}
	return b.String()
}

// rank reads a line as an order of its places.
func (l *line) rank(lower bool) {
	l.mark(lower)
	if l.ranked() {
		l.Reading = "order: " + order(*l, lower)
	}
}

// mark finds the best places of a line, all of equals. One place alone is not the best.
func (l *line) mark(lower bool) {
	l.Best = make([]bool, len(l.cells))
	if !l.ranked() {
		return
	}
	for _, x := range bestPlaces(*l, lower) {
		for i, c := range l.cells {
			l.Best[i] = l.Best[i] || c.x == x
		}
	}
}

// bestPlaces lists the places of the axis with the best mean.
func bestPlaces(l line, lower bool) []float64 {
	var places []float64
	var top float64
	for _, c := range l.measured() {
		switch {
		case len(places) == 0 || lower && c.mean < top || !lower && c.mean > top:
			places, top = []float64{c.x}, c.mean
		case c.mean == top:
			places = append(places, c.x)
		}
	}
	return places
}
