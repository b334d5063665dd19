package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"anneal/pipeline"
	"anneal/stages/report/statistics"
)

// ranking is a case of reversals: a group's lines by base and by after, and the places where both were measured.
type ranking struct {
	base, after line
	row         *line // of after, as it is shown
	places      []int
}

// reversal is a pair of places of one case: worse is the worse by base and the better by after, in this share of draws.
type reversal struct {
	worse, better float64
	group         string
	seen          bool                       // it is so in the means
	share         float64                    // NaN with fewer than two units
	repeated                                 // the units with all four values
	is            func(means []float64) bool // of base at two places, and of after
}

// reversals answers a claim that what is worse by one criterion can be better by another. It holds where of some pair of
// some case the share of draws is at least 1 − (1−confidence)/pairs, so that of all the pairs looked at, one seems
// reversed by chance in no more than 1−confidence of studies.
func (c Claim) reversals(frames frames, v Interval) (*answer, error) {
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
	bases, afters = a.Lines[:len(bases)], a.Lines[len(bases):]
	for i := range bases {
		bases[i].rank(baseLower)
	}
	var cases []ranking
	pairs := 0
	for i := range afters {
		afters[i].rank(afterLower)
		if base, ok := partner(bases, afters[i]); ok {
			k := ranking{base: base, after: afters[i], row: &afters[i]}
			for j := range a.Axis {
				if !math.IsNaN(base.cells[j].mean + afters[i].cells[j].mean) {
					k.places = append(k.places, j)
				}
			}
			if n := len(k.places); n > 1 {
				cases = append(cases, k)
				pairs += n * (n - 1) / 2
			}
		}
	}
	if !a.open(c) || pairs == 0 {
		if pairs == 0 && a.Verdict == underpowered {
			a.Verdict, a.Why = notMeasured, fmt.Sprintf("No two values of %s were measured by both.", spaced(c.Along))
		}
		a.Sentence = "No pair can be ranked by both criteria."
		return a, nil
	}
	doubt := 1 - v.Confidence
	level := 1 - doubt/float64(pairs)
	fine := v.drawnFor(level)
	var all []reversal
	var orders []effect
	for _, k := range cases {
		found, err := c.pairs(k, v, fine, baseLower, afterLower)
		if err != nil {
			return nil, err
		}
		verdict := judge(found, level, doubt)
		a.count(verdict)
		if len(found[0].units) > 1 {
			k.row.Reading = verdict + ": " + listed(found, 3, false) + "; " + k.row.Reading
		}
		all = append(all, found...)
		if len(k.places) >= enoughForTau {
			orders = append(orders, k.order(baseLower, afterLower))
		}
	}
	slices.SortStableFunc(all, surer)
	a.Verdict = judge(all, level, doubt)
	seen := 0
	for _, r := range all {
		if r.seen {
			seen++
		}
	}
	a.Sentence = fmt.Sprintf("Of %s of %s, %d %s reversed in the means, worse by %s and better by %s: %s.", counted(pairs, "pair"),
		plural(spaced(c.Along)), seen, map[bool]string{true: "is", false: "are"}[seen == 1], bases[0].Metric, afters[0].Metric, listed(all, 3, true))
	a.Sentence += a.tally()
	if len(orders) > 0 {
		tau, _, err := c.interval(v, pool(orders))
		if err != nil {
			return nil, err
		}
		a.Sentence += fmt.Sprintf(" Kendall's tau-b of both orders is %s", fixed(tau.Estimate, 2))
		if !math.IsNaN(tau.Low) {
			a.Sentence += fmt.Sprintf(" (%s interval %s to %s)", percent(v.Confidence), fixed(tau.Low, 2), fixed(tau.High, 2))
		}
		if len(orders) > 1 {
			a.Sentence += fmt.Sprintf(" on average over %d cases", len(orders))
		}
		a.Sentence += "."
	}
	switch a.Verdict {
	case holds:
		a.Why = fmt.Sprintf("Chance alone would show one of %s with a share of %.5g or more in %s of studies at most.", counted(pairs, "pair"), level, percent(doubt))
	case doesNotHold:
		a.Why = fmt.Sprintf("No pair has a share above %.4g.", doubt)
	default:
		surest := all[0]
		a.Why = fmt.Sprintf("The claim takes one pair with a share of %.5g or more, 1 − %.4g/%d.", level, doubt, pairs)
		a.explain(fine, surest.repeated, func(draws [][]float64) bool {
			if surest.seen {
				return share(draws, surest.is) >= tight(level)
			}
			return share(draws, surest.is) <= 1-tight(v.Confidence)
		})
	}
	var lost []any
	for _, r := range all {
		for _, u := range r.lost {
			if !slices.Contains(lost, u) {
				lost = append(lost, u)
			}
		}
	}
	slices.SortFunc(lost, compareValues)
	a.leave(lost)
	return a, nil
}

// pairs looks at every pair of places of a case, each in the order of the two that more draws show. The surest come first.
func (c Claim) pairs(k ranking, v Interval, m statistics.Method, baseLower, afterLower bool) ([]reversal, error) {
	var all []reversal
	for j, to := range k.places {
		for _, from := range k.places[:j] {
			spans := []span{{k.base, []cell{k.base.cells[from], k.base.cells[to]}}, {k.after, []cell{k.after.cells[from], k.after.cells[to]}}}
			// reversed tells whether place i of the two is worse than place o by base, and better by after.
			reversed := func(i, o int) func(means []float64) bool {
				return func(means []float64) bool {
					return merit(means[i], baseLower) < merit(means[o], baseLower) && merit(means[2+i], afterLower) > merit(means[2+o], afterLower)
				}
			}
			r := reversal{worse: k.base.cells[to].x, better: k.base.cells[from].x, group: k.after.Group, share: math.NaN(), is: reversed(1, 0)}
			var err error
			if r.repeated, err = c.repeats(v, spans); err != nil {
				return nil, err
			}
			other, means := reversed(0, 1), means(spans)
			turn := other(means)
			if len(r.units) > 1 {
				draws := m.Draws(r.units)
				means = statistics.Means(r.units)
				r.share = share(draws, r.is)
				back := share(draws, other)
				turn = back > r.share
				r.share = max(r.share, back)
			}
			if turn {
				r.worse, r.better, r.is = r.better, r.worse, other
			}
			r.seen = r.is(means)
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, surer)
	return all, nil
}

// surer orders reversals: larger shares first, those without one by whether the means show them.
func surer(a, b reversal) int {
	if c := cmp.Compare(b.share, a.share); c != 0 { // NaN is the least
		return c
	}
	switch {
	case a.seen && !b.seen:
		return -1
	case b.seen && !a.seen:
		return 1
	}
	return 0
}

// judge is the verdict of pairs: one has a share of at least level, or none one above doubt.
func judge(all []reversal, level, doubt float64) string {
	verdict := doesNotHold
	for _, r := range all {
		switch {
		case r.share >= level:
			return holds
		case !(r.share <= doubt):
			verdict = underpowered
		}
	}
	return verdict
}

// listed names the surest reversals that the means show: "1 over 0.1 (0.98 of resamples)".
func listed(all []reversal, most int, grouped bool) string {
	var parts []string
	for _, r := range all {
		if !r.seen {
			continue
		}
		s := plain(r.worse) + " over " + plain(r.better)
		if grouped && r.group != "" {
			s += " for " + r.group
		}
		if !math.IsNaN(r.share) {
			s += fmt.Sprintf(" (%s of resamples)", shareText(r.share))
		}
		parts = append(parts, s)
	}
	switch {
	case len(parts) == 0:
		return "none"
	case len(parts) > most:
		parts = append(parts[:most], fmt.Sprintf("%d more", len(parts)-most))
	}
	return list(parts)
}

// shareText prints a share of draws. Only a share of all of them prints as 1.
func shareText(p float64) string {
	if p > 0.999 && p < 1 {
		return "over 0.999"
	}
	return fixed(p, 3)
}

// order is Kendall's tau-b of the orders by base and by after.
func (k ranking) order(baseLower, afterLower bool) effect {
	n := len(k.places)
	spans := []span{{line: k.base}, {line: k.after}}
	for _, j := range k.places {
		spans[0].cells = append(spans[0].cells, k.base.cells[j])
		spans[1].cells = append(spans[1].cells, k.after.cells[j])
	}
	return effect{spans: spans, of: func(means []float64) float64 {
		tau := rankCorrelation(means[:n], means[n:])
		if baseLower != afterLower {
			return -tau
		}
		return tau
	}}
}

// merit turns a metric so that more is better.
func merit(v float64, lower bool) float64 {
	if lower {
		return -v
	}
	return v
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

// order lists the measured places of the axis, best first, equals joined by =.
func order(l line, lower bool) string {
	cells := l.measured()
	slices.SortStableFunc(cells, func(a, b cell) int { return cmp.Compare(merit(b.mean, lower), merit(a.mean, lower)) })
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
	top := math.Inf(-1)
	for _, c := range l.measured() {
		top = max(top, merit(c.mean, lower))
	}
	for i, c := range l.cells {
		l.Best[i] = merit(c.mean, lower) == top
	}
}
