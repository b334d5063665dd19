package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"anneal/pipeline"
)

// choice is the best place by one criterion: of the mean over lines, at places that all of them measured.
type choice struct {
	lines  []line
	places []int
	lower  bool
}

// best answers a claim that criteria disagree on the best place of the axis: the first criterion against each other one.
// The places that may be best by a criterion are the fewest that are best in a share (1+confidence)/2 of draws together.
// Two criteria disagree where they have none of these in common, and agree where they have one, the same.
func (c Claim) best(frames frames, v Interval) (*answer, error) {
	a := &answer{}
	starts := []int{0}
	for i, k := range c.Criteria {
		lines, err := c.criterion(k, frames)
		if err != nil {
			return nil, pipeline.Within(fmt.Sprintf("criterion.%d", i), err)
		}
		a.Lines = append(a.Lines, lines...)
		starts = append(starts, len(a.Lines))
	}
	a.align()
	level := (1 + v.Confidence) / 2
	names := c.criteriaNames(a.Lines, starts)
	var whole []choice
	for i, k := range c.Criteria {
		lower := lowerBetter(k.Better, k.Metric)
		lines := a.Lines[starts[i]:starts[i+1]]
		for j := range lines {
			l := &lines[j]
			l.mark(lower)
			if !l.ranked() {
				continue
			}
			one := []choice{newChoice([]line{*l}, lower)}
			r, err := c.repeats(v, spans(one))
			if err != nil {
				return nil, err
			}
			l.Reading = "best: " + candidates(one, v.method().Draws(r.units), level)[0].String()
		}
		lines = slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return !l.ranked() })
		whole = append(whole, newChoice(lines, lower))
	}
	open := a.open(c)
	firsts := a.Lines[:starts[1]]
	for i := 1; open && i < len(whole); i++ {
		for j := starts[i]; j < starts[i+1]; j++ {
			l := &a.Lines[j]
			first, ok := partner(firsts, *l)
			both := shared([]choice{newChoice([]line{first}, whole[0].lower), newChoice([]line{*l}, whole[i].lower)})
			if !ok || both == nil {
				continue
			}
			r, err := c.repeats(v, spans(both))
			if err != nil {
				return nil, err
			}
			verdict := disagree(both, v.method().Draws(r.units), level)
			a.count(verdict)
			if len(r.units) > 1 {
				l.Reading = fmt.Sprintf("%s: another than by %s; %s", verdict, names[0], l.Reading)
			}
		}
	}
	whole = shared(whole)
	if !open || whole == nil {
		if open {
			a.Verdict, a.Why = notMeasured, fmt.Sprintf("No two values of %s were measured by all criteria.", spaced(c.Along))
		}
		a.Sentence = "No two criteria can be compared."
		return a, nil
	}
	r, err := c.repeats(v, spans(whole))
	if err != nil {
		return nil, err
	}
	draws := v.method().Draws(r.units)
	a.Verdict = disagree(whole, draws, level)
	var parts []string
	for i, s := range candidates(whole, draws, level) {
		part := fmt.Sprintf("by %s %s", names[i], s)
		if n := len(whole[i].lines); n > 1 {
			part += fmt.Sprintf(" on average over %d cases", n)
		}
		parts = append(parts, part)
	}
	a.Sentence = fmt.Sprintf("Best %s: %s.", spaced(c.Along), strings.Join(parts, "; "))
	if len(draws) > 0 {
		a.Sentence = a.Sentence[:len(a.Sentence)-1] + fmt.Sprintf(" (share of resamples, %s).", counted(len(r.units), spaced(c.Unit)))
	}
	a.Sentence += a.tally()
	a.Why = fmt.Sprintf("Places that may be best are the fewest that are it in %s of resamples together; the claim is that %s shares none with the rest.", percent(level), names[0])
	if a.Verdict == underpowered {
		a.explain(v, r, func(draws [][]float64) bool { return disagree(whole, draws, tight(level)) != underpowered })
	}
	a.leave(r.lost)
	return a, nil
}

// newChoice is the best place by the mean of lines.
func newChoice(lines []line, lower bool) choice {
	k := choice{lines: lines, lower: lower}
	for i := range lines {
		if i == 0 {
			for j := range lines[0].cells {
				k.places = append(k.places, j)
			}
		}
		k.places = slices.DeleteFunc(k.places, func(j int) bool { return math.IsNaN(lines[i].cells[j].mean) })
	}
	return k
}

// shared leaves choices the places that all of them have, nil where these are fewer than two.
func shared(all []choice) []choice {
	all = slices.Clone(all)
	places := all[0].places
	for _, k := range all[1:] {
		places = slices.DeleteFunc(slices.Clone(places), func(j int) bool { return !slices.Contains(k.places, j) })
	}
	for i := range all {
		all[i].places = places
	}
	if len(places) < 2 {
		return nil
	}
	return all
}

// spans lists the cells that choices are made of.
func spans(all []choice) []span {
	var spans []span
	for _, k := range all {
		for _, l := range k.lines {
			s := span{line: l}
			for _, j := range k.places {
				s.cells = append(s.cells, l.cells[j])
			}
			spans = append(spans, s)
		}
	}
	return spans
}

// candidate is a place that may be the best, with the share of draws in which it is.
type candidate struct {
	place float64
	share float64 // NaN without draws
}

// contenders are the places that may be best, the likeliest first.
type contenders []candidate

func (s contenders) String() string {
	var parts []string
	for _, k := range s {
		part := plain(k.place)
		if !math.IsNaN(k.share) {
			part += " (" + shareText(k.share) + ")"
		}
		parts = append(parts, part)
	}
	if len(s) > 0 && math.IsNaN(s[0].share) {
		return strings.Join(parts, " = ")
	}
	return strings.Join(parts, " or ")
}

// candidates lists for each choice the fewest places that are best in a share level of draws together. Without draws
// they are the places with the best mean.
func candidates(all []choice, draws [][]float64, level float64) []contenders {
	seen := draws
	if len(draws) == 0 {
		seen = [][]float64{means(spans(all))}
	}
	var sets []contenders
	from := 0
	for _, k := range all {
		n := len(k.places)
		ranked := make(contenders, n)
		for i, j := range k.places {
			ranked[i].place = k.lines[0].cells[j].x
		}
		worth := make([]float64, n)
		for _, means := range seen {
			clear(worth)
			for l := range k.lines {
				for i := range worth {
					worth[i] += merit(means[from+l*n+i], k.lower)
				}
			}
			top, equals := slices.Max(worth), 0
			for _, w := range worth {
				if w == top {
					equals++
				}
			}
			for i, w := range worth {
				if w == top {
					ranked[i].share += 1 / float64(equals) / float64(len(seen))
				}
			}
		}
		from += n * len(k.lines)
		slices.SortStableFunc(ranked, func(a, b candidate) int { return cmp.Compare(b.share, a.share) })
		sum, few := 0.0, 0
		for few < n && sum < level-1e-9 { // shares of equals do not sum exactly
			sum += ranked[few].share
			few++
		}
		ranked = ranked[:few]
		if len(draws) == 0 {
			for i := range ranked {
				ranked[i].share = math.NaN()
			}
		}
		sets = append(sets, ranked)
	}
	return sets
}

// disagree is the verdict on the first choice being another than each of the rest.
func disagree(all []choice, draws [][]float64, level float64) string {
	if len(draws) == 0 {
		return underpowered
	}
	sets := candidates(all, draws, level)
	first, verdict := sets[0], holds
	for _, set := range sets[1:] {
		switch {
		case len(first) == 1 && len(set) == 1 && first[0].place == set[0].place:
			return doesNotHold
		case slices.ContainsFunc(set, func(k candidate) bool {
			return slices.ContainsFunc(first, func(f candidate) bool { return f.place == k.place })
		}):
			verdict = underpowered
		}
	}
	return verdict
}

// criteriaNames names each criterion by its metric, and by its table where two share a metric. Its lines start where told.
func (c Claim) criteriaNames(lines []line, starts []int) []string {
	names := make([]string, len(c.Criteria))
	for i, k := range c.Criteria {
		names[i] = spaced(k.Metric)
		if starts[i] < starts[i+1] {
			names[i] = lines[starts[i]].Metric
		}
		for j, other := range c.Criteria {
			if j != i && other.Metric == k.Metric && other.Table != k.Table {
				names[i] = spaced(k.Metric) + " of " + k.Table
			}
		}
	}
	return names
}
