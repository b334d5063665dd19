package report

import (
	"fmt"
	"slices"
	"strings"

	"anneal/pipeline"
)

// best answers a claim that criteria disagree on the best place of the axis: the first criterion against each other one.
func (c Claim) best(frames frames) (*answer, error) {
	a := &answer{}
	var sizes []int
	for i, k := range c.Criteria {
		lines, err := c.criterion(k, frames)
		if err != nil {
			return nil, pipeline.Within(fmt.Sprintf("criterion.%d", i), err)
		}
		a.Lines = append(a.Lines, lines...)
		sizes = append(sizes, len(lines))
	}
	a.align()
	var sentences []string
	var tallies []tally
	different, others := 0, 0
	start := 0
	names := c.criteriaNames(a.Lines, sizes)
	for i, k := range c.Criteria {
		lower := lowerBetter(k.Better, k.Metric)
		var parts []string
		for j := start; j < start+sizes[i]; j++ {
			l := &a.Lines[j]
			l.mark(lower)
			places := bestPlaces(*l, lower)
			if l.ranked() {
				l.Reading = "best: " + joinPlaces(places)
			}
			part := joinPlaces(places)
			if l.Group != "" {
				part += " for " + l.Group
			}
			parts = append(parts, part)
			if i == 0 {
				continue
			}
			firstLower := lowerBetter(c.Criteria[0].Better, c.Criteria[0].Metric)
			first, ok := partner(a.Lines[:sizes[0]], *l)
			if !ok || !l.ranked() || !first.ranked() {
				continue
			}
			others++
			if disjoint(places, bestPlaces(first, firstLower)) {
				different++
			}
			t := tally{what: names[i]}
			if l.Group != "" {
				t.what += ", " + l.Group
			}
			for _, u := range a.units() {
				x, y := first.only(u), l.only(u)
				if x.ranked() && y.ranked() {
					t.of++
					if disjoint(bestPlaces(y, lower), bestPlaces(x, firstLower)) {
						t.agree++
					}
				}
			}
			tallies = append(tallies, t)
		}
		start += sizes[i]
		if len(parts) > 0 {
			sentences = append(sentences, fmt.Sprintf("by %s %s", names[i], list(parts)))
		}
	}
	a.judge(c, tallies)
	if others == 0 {
		a.Sentence = "No two criteria can be compared."
		return a, nil
	}
	a.Sentence = fmt.Sprintf("Best %s: %s. In %d of %d cases the best is not the best by %s.",
		spaced(c.Along), strings.Join(sentences, "; "), different, others, names[0])
	return a, nil
}

// criteriaNames names each criterion by its metric, and by its table where two share a metric.
func (c Claim) criteriaNames(lines []line, sizes []int) []string {
	names := make([]string, len(c.Criteria))
	start := 0
	for i, k := range c.Criteria {
		names[i] = spaced(k.Metric)
		if sizes[i] > 0 {
			names[i] = lines[start].Metric
		}
		start += sizes[i]
	}
	for i, k := range c.Criteria {
		for j, other := range c.Criteria {
			if j != i && other.Metric == k.Metric && other.Table != k.Table {
				names[i] = spaced(k.Metric) + " of " + k.Table
			}
		}
	}
	return names
}

func joinPlaces(places []float64) string {
	if len(places) == 0 {
		return "nothing measured"
	}
	var all []string
	for _, x := range places {
		all = append(all, plain(x))
	}
	return strings.Join(all, " = ")
}

func disjoint(a, b []float64) bool {
	return !slices.ContainsFunc(a, func(x float64) bool { return slices.Contains(b, x) })
}
