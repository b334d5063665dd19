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
// columns of On, those of BestOver (as chosen), before, after and gain.
//
// gain is after − before where higher is better and before − after where lower is: positive is always an improvement.
type Compare struct {
	Name     string   `hcl:"name,label"`
	After    string   `hcl:"after" doc:"a table"`
	Before   string   `hcl:"before" doc:"a table"`
	On       []string `hcl:"on" doc:"coordinates that both have; seeds left out are averaged over"`
	Metric   string   `hcl:"metric" doc:"a column of numbers that both have"`
	Better   string   `hcl:"better,optional" values:"by_name,higher,lower" doc:"which way is an improvement; by_name: lower for losses and perplexities"`
	BestOver []string `hcl:"best_over,optional" doc:"coordinates of after of which the best value is taken, for each of on"`
	ChosenOn string   `hcl:"chosen_on,optional" doc:"the split that the best is chosen on, never test"`
	Where    []Where  `hcl:"where,block" doc:"which rows, of both tables"`
}

// Default takes the better direction from the metric's name and chooses on validation examples.
func (Compare) Default() Compare { return Compare{Better: "by_name", ChosenOn: "validation"} }

// Check rules out choosing on test examples.
func (c Compare) Check() error {
	var errs []error
	if len(c.On) == 0 {
		errs = append(errs, pipeline.Errorf("on", "must name at least one coordinate"))
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

// frame computes the comparison.
func (c Compare) frame(before, after *frame) (*frame, error) {
	if err := errors.Join(before.need("on", c.On...), after.need("on", c.On...), after.need("best_over", c.BestOver...),
		before.need("metric", c.Metric), after.need("metric", c.Metric)); err != nil {
		return nil, err
	}
	if len(c.BestOver) > 0 && after.column("split") == nil {
		return nil, pipeline.Errorf("best_over", "table %s has no column split to choose by %s on", after.name, c.ChosenOn)
	}
	lower := lowerBetter(c.Better, c.Metric)
	befores, err := before.means(query{metric: c.Metric, by: c.On, unit: "seed", where: c.Where})
	if err != nil {
		return nil, pipeline.Within("before", err)
	}
	by := slices.Concat(c.On, c.BestOver)
	afters, err := after.means(query{metric: c.Metric, by: by, unit: "seed", where: c.Where})
	if err != nil {
		return nil, pipeline.Within("after", err)
	}
	chosen := afters
	if len(c.BestOver) > 0 {
		if chosen, err = c.choose(after, by, lower); err != nil {
			return nil, err
		}
	}
	out := &frame{name: c.Name, metric: c.Metric}
	for i, n := range by {
		out.columns = append(out.columns, column{name: n, kind: after.column(n).kind, coordinate: i < len(c.On)})
	}
	for _, n := range []string{"before", "after", "gain"} {
		out.columns = append(out.columns, column{name: n, kind: artifacts.Float64})
	}
	for _, pick := range chosen {
		was, is := find(befores, pick.group[:len(c.On)]), find(afters, pick.group)
		a, b := is.mean, was.mean
		gain := a - b
		if lower {
			gain = b - a
		}
		for i, v := range slices.Concat(pick.group, []any{finite(b), finite(a), finite(gain)}) {
			out.columns[i].values = append(out.columns[i].values, v)
		}
		out.from = append(out.from, union(before.origins(was.rows), after.origins(is.rows)))
		out.rows++
	}
	return out, nil
}

// choose returns, for each value of On, the cell whose mean on the ChosenOn split is best; the first of equals.
func (c Compare) choose(after *frame, by []string, lower bool) ([]cell, error) {
	where := slices.DeleteFunc(slices.Clone(c.Where), func(w Where) bool { return w.Column == "split" })
	where = append(where, Where{Column: "split", Is: []string{c.ChosenOn}})
	cells, err := after.means(query{metric: c.Metric, by: by, unit: "seed", where: where})
	if err != nil {
		return nil, pipeline.Within("chosen_on", err)
	}
	var best []cell
	for _, cell := range cells {
		last := len(best) - 1
		switch {
		case last < 0 || compareTuples(best[last].group[:len(c.On)], cell.group[:len(c.On)]) != 0:
			best = append(best, cell)
		case math.IsNaN(best[last].mean) || lower && cell.mean < best[last].mean || !lower && cell.mean > best[last].mean:
			best[last] = cell
		}
	}
	return best, nil
}

// find returns the cell of a group, one without a mean where there is none.
func find(cells []cell, group []any) cell {
	for _, c := range cells {
		if compareTuples(c.group, group) == 0 {
			return c
		}
	}
	return cell{mean: math.NaN()}
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
