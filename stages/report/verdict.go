package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"anneal/stages/report/statistics"
)

// The verdicts.
const (
	holds        = "holds"
	doesNotHold  = "does not hold"
	underpowered = "underpowered"
	notMeasured  = "not measured"
)

// most is how many more units are worth naming; useful is the least number of them whose interval is of use: that of two,
// by Student's t, reaches 6 times their distance to each side.
const most, useful = 100, 3

// tight is the share that draws must show on the average study for it to show p in four of five.
func tight(p float64) float64 {
	return distuv.UnitNormal.CDF(distuv.UnitNormal.Quantile(p) + distuv.UnitNormal.Quantile(0.8))
}

// span is some cells of a line.
type span struct {
	line  line
	cells []cell
}

// repeats pairs all cells of the spans by the claim's unit.
func (c Claim) repeats(v Interval, spans []span) (repeated, error) {
	var all []quantity
	for _, s := range spans {
		for _, k := range s.cells {
			all = append(all, quantity{s.line.frame, s.line.metric, k})
		}
	}
	return v.repeats(c.Unit, all...)
}

// means are those of all cells of the spans.
func means(spans []span) []float64 {
	var all []float64
	for _, s := range spans {
		for _, k := range s.cells {
			all = append(all, k.mean)
		}
	}
	return all
}

// effect is a number made of the means of cells.
type effect struct {
	spans   []span
	of      func(means []float64) float64
	weights []float64 // where it is linear: of(means) = Σ weights·means
}

// linear makes an effect of weights.
func linear(s span, weights []float64) effect {
	return effect{[]span{s}, func(means []float64) float64 {
		sum := 0.0
		for i, w := range weights {
			sum += w * means[i]
		}
		return sum
	}, weights}
}

// pool is the mean of effects of one kind, unit by unit.
func pool(all []effect) effect {
	var p effect
	n := float64(len(all))
	for _, k := range all {
		p.spans = append(p.spans, k.spans...)
		for _, w := range k.weights {
			p.weights = append(p.weights, w/n)
		}
	}
	p.of = func(means []float64) float64 {
		sum, from := 0.0, 0
		for _, k := range all {
			to := from
			for _, s := range k.spans {
				to += len(s.cells)
			}
			sum, from = sum+k.of(means[from:to]), to
		}
		return sum / n
	}
	return p
}

// interval returns an effect's, and the units that it rests on. With fewer than two of them it has no ends, and its
// estimate is that of all that was measured.
func (c Claim) interval(v Interval, k effect) (statistics.Interval, repeated, error) {
	m := v.method()
	r, err := c.repeats(v, k.spans)
	switch {
	case err != nil:
		return statistics.Interval{}, r, err
	case len(r.units) < 2:
		return statistics.Interval{Estimate: k.of(means(k.spans)), Low: math.NaN(), High: math.NaN()}, r, nil
	case k.weights != nil:
		return m.Linear(r.units, k.weights), r, nil
	}
	var drawn []float64
	for _, d := range m.Draws(r.units) {
		drawn = append(drawn, k.of(d))
	}
	low, high := m.Percentiles(drawn)
	return statistics.Interval{Estimate: k.of(statistics.Means(r.units)), Low: low, High: high}, r, nil
}

// share is the share of draws of which it is true.
func share(draws [][]float64, is func(means []float64) bool) float64 {
	n := 0
	for _, d := range draws {
		if is(d) {
			n++
		}
	}
	return float64(n) / float64(len(draws))
}

// drawnFor is the interval's method, with enough draws to see shares as large as this.
func (v Interval) drawnFor(share float64) statistics.Method {
	m := v.method()
	m.Resamples = max(m.Resamples, int(math.Ceil(4/(1-share))))
	return m
}

// count takes up the verdict of one case.
func (a *answer) count(verdict string) {
	a.Cases++
	switch verdict {
	case holds:
		a.Holds++
	case doesNotHold:
		a.Fails++
	}
}

// tally tells in how many cases the claim holds for itself.
func (a *answer) tally() string {
	if a.Cases < 2 || len(a.units()) < 2 {
		return ""
	}
	return fmt.Sprintf(" Of %d cases, each on its own, it holds in %d, does not hold in %d and is underpowered in %d.", a.Cases, a.Holds, a.Fails, a.Cases-a.Holds-a.Fails)
}

// open starts an answer's verdict: it is not measured where there is nothing to compare, and false.
func (a *answer) open(c Claim) bool {
	a.Along, a.Unit, a.Verdict = c.Along, c.Unit, underpowered
	points := 0
	for _, l := range a.Lines {
		points = max(points, len(l.measured()))
	}
	switch {
	case points == 0:
		a.Verdict, a.Why = notMeasured, "No row has a value."
	case points == 1:
		a.Verdict, a.Why = notMeasured, fmt.Sprintf("There is one value of %s only: nothing to compare.", spaced(c.Along))
	}
	return points > 1
}

// explain states why a claim is underpowered, and how many more units it takes until the draws decide, if effect and
// spread are as these show them.
func (a *answer) explain(m statistics.Method, r repeated, decided func(draws [][]float64) bool) {
	noun := spaced(a.Unit)
	all := a.units()
	switch {
	case slices.Equal(all, []any{nil}):
		a.Why = fmt.Sprintf("The tables do not tell one %s from another: no verdict can be drawn.", noun)
		return
	case len(all) < 2:
		a.MoreSeeds, a.Seeds = useful-len(all), useful
		a.Why = fmt.Sprintf("These are numbers of one %s, the unit of replication: how far another would move them is unknown, so no verdict can be drawn. %d is the least number of %s whose interval is of use.",
			noun, useful, plural(noun))
		return
	case len(r.units) < 2:
		a.Why = fmt.Sprintf("Of %d %s, %s every value that this takes: too few for an interval.", len(all), plural(noun), []string{"none has", "one has"}[len(r.units)])
		if len(r.units) == 1 { // where none has, more may have none either
			a.MoreSeeds = useful - 1
			a.Seeds = len(all) + a.MoreSeeds
		}
		return
	}
	more, ok := m.More(r.units, decided, most)
	if !ok {
		a.Sentence += fmt.Sprintf(" More than %d more %s would be needed: the effect, if any, is too small at this scale.", most, plural(noun))
	} else {
		a.MoreSeeds = max(more, 1)
		a.Seeds = len(all) + a.MoreSeeds
		a.Sentence += fmt.Sprintf(" About %s would settle it, if effect and spread are what they seem.", counted(a.MoreSeeds, "more "+noun))
	}
}

// leave tells which units lack a value and were left out.
func (a *answer) leave(lost []any) {
	var all []string
	for _, u := range lost {
		all = append(all, plain(u))
	}
	if len(all) > 0 && len(a.units()) > 1 {
		a.Why += fmt.Sprintf(" Left out where it lacks a value: %s %s.", spaced(a.Unit), list(all))
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, plural(noun))
}

func sentenceCase(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

// percent prints a share: "95 %".
func percent(p float64) string { return fmt.Sprintf("%.4g %%", 100*p) }
