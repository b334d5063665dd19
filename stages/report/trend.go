package report

import (
	"fmt"
	"math"
	"slices"

	"anneal/stages/report/statistics"
)

// enoughForTau is how many places an order takes to mean anything: of three, one order in three has a tau-b of 1 or −1.
const enoughForTau = 5

// trend answers a claim that a metric rises or falls along the axis. Each case, a value of the columns of within, has its
// own verdict; that of the claim is of the mean over cases, unit by unit.
func (c Claim) trend(frames frames, v Interval) (*answer, error) {
	k := Criterion{Table: c.Table, Metric: c.Metric, Over: c.Over, Where: c.Where}
	if k.Table == "" {
		k.Table = c.Compare
	}
	if k.Metric == "" {
		k.Metric = "gain"
	}
	lines, err := c.criterion(k, frames)
	if err != nil {
		return nil, err
	}
	a := &answer{Lines: lines}
	a.align()
	if !a.open(c) {
		a.Sentence = fmt.Sprintf("No change of %s along %s can be told.", spaced(k.Metric), spaced(c.Along))
		return a, nil
	}
	var cases []effect
	for i := range a.Lines {
		l := &a.Lines[i]
		l.Reading = direction(l.measured())
		one, ok := c.contrast(*l)
		if !ok {
			continue
		}
		cases = append(cases, one)
		change, r, err := c.interval(v, one)
		if err != nil {
			return nil, err
		}
		verdict := c.weigh(change)
		a.count(verdict)
		if len(r.units) > 1 {
			l.Reading = verdict + ": " + c.movement(change, "", "") + "; " + l.Reading
		}
	}
	if len(cases) == 0 {
		a.Verdict = notMeasured
		a.Why = fmt.Sprintf("No case has a value at both ends of %s.", spaced(c.Along))
		if c.Contrast == "tau" {
			a.Why = fmt.Sprintf("Kendall's tau-b takes %d values of %s at least: with 3, its size is 1 with a probability of 0.33 by chance.", enoughForTau, spaced(c.Along))
		}
		a.Sentence = fmt.Sprintf("No change of %s along %s can be told.", spaced(k.Metric), spaced(c.Along))
		return a, nil
	}
	whole := pool(cases)
	change, r, err := c.interval(v, whole)
	if err != nil {
		return nil, err
	}
	a.Verdict = c.weigh(change)
	a.Sentence = fmt.Sprintf("From %s %s to %s, %s %s", spaced(c.Along), plain(a.Axis[0]), plain(a.Axis[len(a.Axis)-1]),
		frames[k.Table].axisLabel(k.Metric, false), c.movement(change, percent(v.Confidence)+" interval ", ", "+counted(len(r.units), spaced(c.Unit))))
	if len(cases) > 1 {
		a.Sentence += fmt.Sprintf(" on average over %d cases", len(cases))
	}
	a.Sentence += "." + a.tally()
	c.conclude(a, change)
	if a.Verdict == underpowered {
		p := tight((1 + v.Confidence) / 2)
		a.explain(v.drawnFor(p), r, func(draws [][]float64) bool {
			more := share(draws, func(means []float64) bool { return c.expected(whole.of(means)) > c.Smallest })
			less := share(draws, func(means []float64) bool { return c.expected(whole.of(means)) < c.Smallest })
			return more >= p || less >= p // neither, where every unit has just the smallest change
		})
	}
	a.leave(r.lost)
	if n := len(a.Lines) - len(cases); n > 0 {
		a.Why += fmt.Sprintf(" Left out: %s without the values that this takes.", counted(n, "case"))
	}
	return a, nil
}

// contrast is the change of a line, if what it takes was measured.
func (c Claim) contrast(l line) (effect, bool) {
	cells := l.measured()
	xs := make([]float64, len(cells))
	for i := range cells {
		xs[i] = cells[i].x
	}
	switch c.Contrast {
	case "tau":
		return effect{spans: []span{{l, cells}}, of: func(means []float64) float64 { return rankCorrelation(xs, means) }}, len(cells) >= enoughForTau
	}
	if len(l.cells) < 2 {
		return effect{}, false
	}
	ends := []cell{l.cells[0], l.cells[len(l.cells)-1]}
	ok := !math.IsNaN(ends[1].mean - ends[0].mean)
	if c.Contrast == "slope" {
		return linear(span{l, cells}, leastSquares(l.places())), ok
	}
	return linear(span{l, ends}, []float64{-1, 1}), ok
}

// leastSquares are the weights that make a slope of values at places: (i − mean)/Σ(i − mean)², i the places.
func leastSquares(places []float64) []float64 {
	middle, square := mean(places), 0.0
	for _, i := range places {
		square += (i - middle) * (i - middle)
	}
	weights := make([]float64, len(places))
	for k, i := range places {
		weights[k] = (i - middle) / square
	}
	return weights
}

// expected turns a change so that more is what the claim expects.
func (c Claim) expected(change float64) float64 {
	if c.Expected == "decreasing" {
		return -change
	}
	return change
}

// weigh is the verdict of an interval: it lies wholly beyond the smallest change that matters, or wholly short of it.
func (c Claim) weigh(i statistics.Interval) string {
	least, most := c.expected(i.Low), c.expected(i.High)
	if c.Expected == "decreasing" {
		least, most = most, least
	}
	switch {
	case least > c.Smallest:
		return holds
	case most < c.Smallest:
		return doesNotHold
	}
	return underpowered
}

// conclude says why the verdict is what it is.
func (c Claim) conclude(a *answer, change statistics.Interval) {
	expects := map[string]string{"increasing": "a rise", "decreasing": "a fall"}[c.Expected]
	edge := "0"
	if c.Smallest > 0 {
		edge = plain(c.Smallest)
		expects += " of more than " + edge
	}
	a.Why = "The claim expects " + expects
	switch {
	case math.IsNaN(change.Low):
		a.Why += "."
	case a.Verdict == underpowered:
		a.Why += fmt.Sprintf("; %s lies within the interval.", edge)
	case a.Verdict == holds:
		a.Why += ", and all of the interval is."
	default:
		a.Why += ", and none of the interval is."
	}
}

// movement spells out a change, with its interval where there is one, between the words given.
func (c Claim) movement(i statistics.Interval, before, after string) string {
	does, digits := "rises by ", 2
	switch {
	case c.Contrast == "tau":
		does = "has Kendall's tau-b with " + spaced(c.Along) + " "
	default:
		if i.Estimate == 0 {
			does = "changes by "
		} else if i.Estimate < 0 {
			does = "falls by "
			i.Estimate, i.Low, i.High = -i.Estimate, -i.High, -i.Low
		}
		digits = decimals(slices.DeleteFunc([]float64{i.Estimate, i.Low, i.High}, math.IsNaN))
	}
	does += fixed(i.Estimate, digits)
	if c.Contrast == "slope" {
		does += " a place"
	}
	if math.IsNaN(i.Low) {
		return does
	}
	return fmt.Sprintf("%s (%s%s to %s%s)", does, before, fixed(i.Low, digits), fixed(i.High, digits), after)
}

// rankCorrelation is Kendall's tau-b, 0 where one of both is constant.
func rankCorrelation(x, y []float64) float64 {
	if tau := statistics.TauB(x, y); !math.IsNaN(tau) {
		return tau
	}
	return 0
}

// direction describes how means move from point to point.
func direction(cells []cell) string {
	if len(cells) < 2 {
		return ""
	}
	up, down := 0, 0
	lowest, highest := cells[0], cells[0]
	for i, c := range cells[1:] {
		switch {
		case c.mean > cells[i].mean:
			up++
		case c.mean < cells[i].mean:
			down++
		}
		if c.mean > highest.mean {
			highest = c
		}
		if c.mean < lowest.mean {
			lowest = c
		}
	}
	switch steps := len(cells) - 1; {
	case up == steps:
		return "rises at every step"
	case down == steps:
		return "falls at every step"
	case up == 0 && down == 0:
		return "does not change"
	case down == 0:
		return "never falls"
	case up == 0:
		return "never rises"
	}
	return fmt.Sprintf("not monotone: lowest at %s, highest at %s", plain(lowest.x), plain(highest.x))
}
