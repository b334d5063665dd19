package report

import (
	"fmt"
	"math"
	"strings"
)

// trend answers a claim that a metric rises or falls along the axis, by its change from the first point to the last.
func (c Claim) trend(frames frames) (*answer, error) {
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
	var tallies []tally
	var rises, falls, stays []string
	told := 0
	for i := range a.Lines {
		l := &a.Lines[i]
		l.Reading = direction(l.measured())
		change, ok := l.change()
		if !ok {
			continue
		}
		told++
		group := ""
		if l.Group != "" {
			group = " for " + l.Group
		}
		by := "by " + fixed(math.Abs(change), a.digits(l.Metric)) + group
		switch {
		case change > 0:
			rises = append(rises, by)
		case change < 0:
			falls = append(falls, by)
		default:
			stays = append(stays, strings.TrimSpace(group))
		}
		t := tally{what: l.Group}
		for _, u := range a.units() {
			if d, ok := l.only(u).change(); ok {
				t.of++
				if c.Expected == "increasing" && d > 0 || c.Expected == "decreasing" && d < 0 {
					t.agree++
				}
			}
		}
		tallies = append(tallies, t)
	}
	a.judge(c, tallies)
	if told == 0 {
		a.Sentence = fmt.Sprintf("No change of %s along %s can be told.", spaced(k.Metric), spaced(c.Along))
		return a, nil
	}
	a.Sentence = fmt.Sprintf("From %s %s to %s, %s %s; the claim expects a %s.",
		spaced(c.Along), plain(a.Axis[0]), plain(a.Axis[len(a.Axis)-1]), a.Lines[0].Metric,
		changes(rises, falls, stays), map[string]string{"increasing": "rise", "decreasing": "fall"}[c.Expected])
	return a, nil
}

// changes spells out what rises, falls and stays, or counts where there is too much to read in a sentence.
func changes(rises, falls, stays []string) string {
	const spelled = 4
	all := len(rises) + len(falls) + len(stays)
	var parts []string
	say := func(verb string, which []string) {
		switch {
		case len(which) == 0:
		case all <= spelled:
			parts = append(parts, strings.TrimSpace(verb+" "+list(which)))
		default:
			parts = append(parts, fmt.Sprintf("%s in %d of %d cases", verb, len(which), all))
		}
	}
	say("rises", rises)
	say("falls", falls)
	say("does not change", stays)
	return strings.Join(parts, "; ")
}

// change is the last mean of the axis minus the first, where both were measured.
func (l line) change() (float64, bool) {
	if len(l.cells) < 2 {
		return 0, false
	}
	d := l.cells[len(l.cells)-1].mean - l.cells[0].mean
	return d, !math.IsNaN(d)
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
