package report

import (
	"errors"
	"math"
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Compare sets two tables side by side, such as scores before and after fine-tuning. It is a table itself, with the
// columns of On, before, after and gain, and the standard errors over examples of each: before_se, after_se, gain_se.
//
// gain is after − before where higher is better and before − after where lower is: positive is always an improvement.
// gain_se is √(before_se² + after_se²), an upper bound where both are scored on the same examples.
//
// With BestOver, such as the learning rate, there are rows at each of its values, and one more at the best: the column
// setting says "learning_rate=0.001" or "best", the column learning_rate which it is. The best is chosen on the ChosenOn
// split for each value of On, seeds that Before lacks averaged: of the values with the most rows the one with the best
// mean, the first of equals.
type Compare struct {
	Name     string   `hcl:"name,label"`
	After    string   `hcl:"after" doc:"a table"`
	Before   string   `hcl:"before" doc:"a table"`
	On       []string `hcl:"on" doc:"coordinates of after; before is matched on those of them that it has; seeds left out are averaged over"`
	Metric   string   `hcl:"metric" doc:"a column of numbers that both have"`
	Better   string   `hcl:"better,optional" values:"by_name,higher,lower" doc:"which way is an improvement; by_name: lower for losses and perplexities"`
	BestOver []string `hcl:"best_over,optional" doc:"coordinates of after, such as learning_rate: there are rows at each value and at the best one for each of on, told apart by the column setting. Who asks for no setting gets the best, who asks for a learning_rate gets that"`
	ChosenOn string   `hcl:"chosen_on,optional" doc:"the split that the best is chosen on, never test"`
	Where    []Where  `hcl:"where,block" doc:"which rows, of each table that has the column"`
}

// Default takes the better direction from the metric's name and chooses on validation examples.
func (Compare) Default() Compare { return Compare{Better: "by_name", ChosenOn: "validation"} }

// Check rules out choosing on test examples.
func (c Compare) Check() error {
	var errs []error
	if len(c.On) == 0 {
		errs = append(errs, pipeline.Errorf("on", "must name at least one coordinate"))
	}
	columns := slices.Concat(c.On, c.BestOver)
	for i, n := range columns {
		field := "on"
		if i >= len(c.On) {
			field = "best_over"
		}
		switch {
		case slices.Contains(columns[:i], n):
			errs = append(errs, pipeline.Errorf(field, "%s is named twice, in on or best_over", n))
		case slices.Contains(append(compared, "setting"), n):
			errs = append(errs, pipeline.Errorf(field, "%s is a column of every comparison: give the axis another name", n))
		case field == "best_over" && pipeline.IsSeed(n):
			errs = append(errs, pipeline.Errorf(field, "%s is a seed: seeds are averaged over, not chosen among", n))
		}
	}
	if c.ChosenOn == "test" {
		errs = append(errs, pipeline.Errorf("chosen_on", "must not be test: a score at the best of several settings is fair only where they are chosen on other examples"))
	}
	return errors.Join(errs...)
}

// lowerBetter tells which direction of a metric is the better one.
func lowerBetter(better, metric string) bool {
	return better == "lower" || better == "by_name" && (strings.HasSuffix(metric, "loss") || strings.HasSuffix(metric, "perplexity"))
}

// compared are the columns that a comparison computes.
var compared = []string{"before", "after", "gain", "before_se", "after_se", "gain_se"}

// atBest is the setting of a comparison's rows at the best of BestOver.
const atBest = "best"

// frame computes the comparison.
func (c Compare) frame(before, after *frame) (*frame, error) {
	if err := errors.Join(after.need("on", c.On...), after.need("best_over", c.BestOver...), before.need("metric", c.Metric), after.need("metric", c.Metric)); err != nil {
		return nil, err
	}
	had := func(n string) bool { return before.column(n) != nil }
	shared := slices.DeleteFunc(slices.Clone(c.On), func(n string) bool { return !had(n) })
	if len(shared) == 0 {
		return nil, pipeline.Errorf("on", "table %s has none of %s; it has %s", before.name, list(c.On), before.names())
	}
	if len(c.BestOver) > 0 && after.column("split") == nil {
		return nil, pipeline.Errorf("best_over", "table %s has no column split to choose by %s on", after.name, c.ChosenOn)
	}
	befores, err := before.means(query{metric: c.Metric, by: shared, unit: "seed", where: c.conditions(before, after)})
	if err != nil {
		return nil, pipeline.Within("before", err)
	}
	where := c.conditions(after, before)
	by := slices.Concat(c.On, c.BestOver)
	afters, err := after.means(query{metric: c.Metric, by: by, unit: "seed", where: where})
	if err != nil {
		return nil, pipeline.Within("after", err)
	}
	out := &frame{name: c.Name, metric: c.Metric, bestOver: c.BestOver}
	add := func(name string, kind artifacts.Type, coordinate bool) {
		out.columns = append(out.columns, column{name: name, kind: kind, coordinate: coordinate})
	}
	for _, n := range c.On {
		add(n, after.column(n).kind, true)
	}
	if len(c.BestOver) > 0 {
		add("setting", artifacts.String, true)
	}
	for _, n := range c.BestOver {
		add(n, after.column(n).kind, false)
	}
	for _, n := range compared {
		add(n, artifacts.Float64, false)
	}
	row := func(setting string, is cell) {
		on := is.group[:len(c.On)]
		var old []any
		for i, n := range c.On {
			if had(n) {
				old = append(old, on[i])
			}
		}
		was := find(befores, old)
		values := slices.Clone(on)
		if setting != "" {
			values = append(append(values, setting), is.group[len(c.On):]...)
		}
		b, a := quantity{before, c.Metric, was}.se(was.rows), quantity{after, c.Metric, is}.se(is.rows)
		gain := is.mean - was.mean
		if lowerBetter(c.Better, c.Metric) {
			gain = -gain
		}
		for _, x := range []float64{was.mean, is.mean, gain, b, a, math.Hypot(b, a)} {
			values = append(values, finite(x))
		}
		for i, v := range values {
			out.columns[i].values = append(out.columns[i].values, v)
		}
		out.from = append(out.from, union(before.origins(was.rows), after.origins(is.rows)))
		out.rows++
	}
	if len(c.BestOver) == 0 {
		for _, is := range afters {
			row("", is)
		}
		return out, nil
	}
	alike := slices.DeleteFunc(slices.Clone(c.On), func(n string) bool { return pipeline.IsSeed(n) && !had(n) }) // what the choice is made for
	chosen, err := c.choose(after, alike, where)
	if err != nil {
		return nil, err
	}
	for i, is := range afters {
		on := is.group[:len(c.On)]
		if i == 0 || compareTuples(afters[i-1].group[:len(c.On)], on) != 0 {
			var mine []any
			for j, n := range c.On {
				if slices.Contains(alike, n) {
					mine = append(mine, on[j])
				}
			}
			if pick, ok := chosen[id(mine)]; ok {
				row(atBest, find(afters, slices.Concat(on, pick)))
			}
		}
		var setting []string
		for j, n := range c.BestOver {
			setting = append(setting, n+"="+plain(is.group[len(c.On)+j]))
		}
		row(strings.Join(setting, ","), is)
	}
	return out, nil
}

// conditions are those that concern a table: whose column it has, or neither table has, so that it is blamed.
func (c Compare) conditions(table, other *frame) []Where {
	return slices.DeleteFunc(slices.Clone(c.Where), func(w Where) bool { return table.column(w.Column) == nil && other.column(w.Column) != nil })
}

// choose returns the best values of BestOver by what they are chosen for.
func (c Compare) choose(after *frame, alike []string, where []Where) (map[string][]any, error) {
	where = slices.DeleteFunc(slices.Clone(where), func(w Where) bool { return w.Column == "split" })
	where = append(where, Where{Column: "split", Is: []string{c.ChosenOn}})
	cells, err := after.means(query{metric: c.Metric, by: slices.Concat(alike, c.BestOver), unit: "seed", where: where})
	if err != nil {
		return nil, pipeline.Within("chosen_on", err)
	}
	lower := lowerBetter(c.Better, c.Metric)
	leading := map[string]cell{}
	for _, is := range cells {
		key := id(is.group[:len(alike)])
		lead, ok := leading[key]
		n, most := len(is.rows), len(lead.rows)
		if n > 0 && (!ok || n > most || n == most && (lower && is.mean < lead.mean || !lower && is.mean > lead.mean)) {
			leading[key] = is
		}
	}
	chosen := map[string][]any{}
	for key, lead := range leading {
		chosen[key] = lead.group[len(alike):]
	}
	return chosen, nil
}

// find returns the cell of a group, one without a mean where there is none.
func find(cells []cell, group []any) cell {
	for _, c := range cells {
		if compareTuples(c.group, group) == 0 {
			return c
		}
	}
	return cell{group: group, mean: math.NaN()}
}

// union joins two ascending lists into one.
func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// finite returns v as a value of a column: missing where it is not finite.
func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}
