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

// choice is the best place by one criterion: of the mean over lines, at places that all of them measured.
type choice struct {
	lines  []line
	places []int
	lower  bool
}

// best answers a claim that criteria disagree on the best place of the axis: the first criterion against each other one.
// A place may be the best by a criterion unless some other beats it in a share 1 − (1−confidence)/criteria/(places−1) of
// draws, so that no more than (1−confidence)/criteria of studies leave out the best place (as multiple comparisons with the best do: Hsu,
// "Constrained simultaneous confidence intervals for multiple comparisons with the best", Annals of Statistics 1984).
// Two criteria disagree where no place may be the best by both, and agree where one alone may be, by both.
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
			d, err := c.choose(v, one)
			if err != nil {
				return nil, err
			}
			l.Reading = "best: " + candidates(one, d.draws, d.beaten)[0].String()
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
			d, err := c.choose(v, both)
			if err != nil {
				return nil, err
			}
			verdict := disagree(both, d.draws, d.beaten)
			a.count(verdict)
			if len(d.units) > 1 {
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
	d, err := c.choose(v, whole)
	if err != nil {
		return nil, err
	}
	a.Verdict = disagree(whole, d.draws, d.beaten)
	var parts []string
	for i, s := range candidates(whole, d.draws, d.beaten) {
		part := fmt.Sprintf("by %s %s", names[i], s)
		if n := len(whole[i].lines); n > 1 {
			part += fmt.Sprintf(" on average over %d cases", n)
		}
		parts = append(parts, part)
	}
	a.Sentence = "Best " + spaced(c.Along)
	if len(d.units) > 1 {
		a.Sentence += fmt.Sprintf(", with its share of resamples of %s", counted(len(d.units), spaced(c.Unit)))
	}
	a.Sentence += ": " + strings.Join(parts, "; ") + "." + a.tally()
	a.Why = fmt.Sprintf("Places are named that no other beats in a share of %.5g of resamples; the claim is that %s shares none with the rest.", d.beaten, names[0])
	if a.Verdict == underpowered {
		a.explain(d.method, d.repeated, func(draws [][]float64) bool { return disagree(whole, draws, tight(d.beaten)) != underpowered })
	}
	a.leave(d.lost)
	var without []string
	for j, x := range a.Axis {
		if !slices.Contains(whole[0].places, j) {
			without = append(without, plain(x))
		}
	}
	if len(without) > 0 {
		a.Why += fmt.Sprintf(" Left out, as not every case has it: %s %s.", spaced(c.Along), list(without))
	}
	return a, nil
}

// decision is what choices among equal places are drawn from, and how.
type decision struct {
	repeated
	method statistics.Method
	draws  [][]float64
	beaten float64 // a place is out if another is better in this share of draws
}

// choose draws the means that choices are made by.
func (c Claim) choose(v Interval, all []choice) (decision, error) {
	r, err := c.repeats(v, spans(all))
	beaten := 1 - (1-v.Confidence)/float64(len(c.Criteria))/float64(len(all[0].places)-1)
	m := v.drawnFor(beaten)
	return decision{r, m, m.Draws(r.units), beaten}, err
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
	if math.IsNaN(s[0].share) {
		return strings.Join(parts, " = ")
	}
	const most = 4
	if n := len(parts); n > most {
		parts = append(parts[:most-1], fmt.Sprintf("%d more", n-most+1))
	}
	return strings.Join(parts, " or ")
}

// candidates lists for each choice the places that no other beats in a share beaten of draws, the likeliest best first.
// Without draws they are the places with the best mean.
func candidates(all []choice, draws [][]float64, beaten float64) []contenders {
	seen := draws
	if len(draws) == 0 {
		seen = [][]float64{means(spans(all))}
	}
	n := len(all[0].places)
	one := 1 / float64(len(seen))
	worth := make([]float64, n)
	var sets []contenders
	from := 0
	for _, k := range all {
		best := make([]float64, n)    // share of draws in which each place is the best, that of equals parted
		beats := make([][]float64, n) // in which one beats another
		for i := range beats {
			beats[i] = make([]float64, n)
		}
		for _, means := range seen {
			clear(worth)
			for l := range k.lines {
				for i := range worth {
					worth[i] += merit(means[from+l*n+i], k.lower)
				}
			}
			top, equals := slices.Max(worth), 0.0
			for i, w := range worth {
				if w == top {
					equals++
				}
				for j, other := range worth {
					if w > other {
						beats[i][j] += one
					}
				}
			}
			for i, w := range worth {
				if w == top {
					best[i] += one / equals
				}
			}
		}
		from += n * len(k.lines)
		var set contenders
		for i, j := range k.places {
			out := slices.ContainsFunc(beats, func(b []float64) bool { return b[i] >= beaten })
			if place := (candidate{k.lines[0].cells[j].x, best[i]}); !out && len(draws) > 0 {
				set = append(set, place)
			} else if len(draws) == 0 && best[i] > 0 {
				set = append(set, candidate{place.place, math.NaN()})
			}
		}
		slices.SortStableFunc(set, func(a, b candidate) int { return cmp.Compare(b.share, a.share) })
		sets = append(sets, set)
	}
	return sets
}

// disagree is the verdict on the first choice being another than each of the rest.
func disagree(all []choice, draws [][]float64, beaten float64) string {
	if len(draws) == 0 {
		return underpowered
	}
	sets := candidates(all, draws, beaten)
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
