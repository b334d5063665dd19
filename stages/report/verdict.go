package report

import "fmt"

// tally counts in how many units a claim's expectation is met, where it can be told.
type tally struct {
	what      string // the group, "" where there is one only
	agree, of int
}

// judge states the verdict and why. A verdict of holds or does not hold takes an interval over units; from means alone
// there is none, whatever they look like.
func (a *answer) judge(c Claim, tallies []tally) {
	units := len(a.units())
	a.Along, a.Unit = c.Along, c.Unit
	points := 0
	for _, l := range a.Lines {
		points = max(points, len(l.measured()))
	}
	noun := spaced(c.Unit)
	switch {
	case points == 0:
		a.Verdict, a.Why = "not measured", "No row has a value."
		return
	case points == 1:
		a.Verdict, a.Why = "not measured", fmt.Sprintf("There is one value of %s only: nothing to compare.", spaced(c.Along))
		return
	}
	a.Verdict = "underpowered"
	if units < 2 {
		a.Why = fmt.Sprintf("These are numbers of one %s, the unit of replication: how far another would move them is unknown, so no verdict can be drawn.", noun)
		return
	}
	const spelled = 4 // more cases than this are added up
	if len(tallies) > spelled {
		sum := tally{what: fmt.Sprintf("all %d cases together", len(tallies))}
		for _, t := range tallies {
			sum.agree, sum.of = sum.agree+t.agree, sum.of+t.of
		}
		tallies = []tally{sum}
	}
	var parts []string
	for _, t := range tallies {
		s := fmt.Sprintf("%d of %d", t.agree, t.of)
		if t.what != "" {
			s += " for " + t.what
		}
		parts = append(parts, s)
	}
	a.Why = fmt.Sprintf("%s that agree with the claim: %s. A verdict takes an interval over more of them.", sentenceCase(plural(noun)), list(parts))
}

func sentenceCase(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
