package report

import (
	"errors"
	"math"
	"slices"

	"anneal/pipeline"
	"anneal/stages/report/statistics"
)

// Interval says how sure the numbers of a report are: how intervals of means, of differences and of all that claims ask
// of them are found. A single unit gives none.
type Interval struct {
	Method     string   `hcl:"method,optional" values:"t,hierarchical_bootstrap" doc:"t: Student's, over units' means. hierarchical_bootstrap: levels are drawn anew within one another; it takes at least 5 units, for over fewer it covers far less than it says"`
	Levels     []string `hcl:"levels,optional" doc:"what varies, the outer first: the unit of replication, seeds that replicate within it, and example for the standard errors over test examples. Seeds left out are averaged over; to t all that varies within units shows in how they differ"`
	Paired     []string `hcl:"paired,optional" doc:"seeds by which what is compared is paired, the unit among them: a unit, or a replicate in it, counts where all that is compared has it; if left out, the unit alone"`
	Confidence float64  `hcl:"confidence,optional" doc:"the share of repeated studies whose interval holds the true value"`
	Resamples  int      `hcl:"resamples,optional" doc:"how many draws"`
	Seed       int64    `hcl:"seed,optional" doc:"of the draws"`
}

// standardInterval is Student's over seeds' means.
func standardInterval() Interval {
	return Interval{Method: statistics.T, Levels: []string{"seed"}, Confidence: 0.95, Resamples: 2000, Seed: 1}
}

// interval is the one given, or the standard one.
func (r *Report) interval() Interval {
	if r.Interval == nil {
		return standardInterval()
	}
	return *r.Interval
}

const (
	examples                      = "example" // the innermost level
	fewest                        = 5         // units of a bootstrap
	leastResamples, mostResamples = 100, 1_000_000
)

// Check checks all that does not depend on rows.
func (v Interval) Check() error {
	var errs []error
	blame := func(field, format string, args ...any) { errs = append(errs, pipeline.Errorf(field, format, args...)) }
	for i, n := range v.Levels {
		switch {
		case slices.Contains(v.Levels[:i], n):
			blame("levels", "%s is named twice", n)
		case n == examples && (i == 0 || i < len(v.Levels)-1):
			blame("levels", "%s must be the last of several: a unit of replication stands before it, such as seed", n)
		case n != examples && !pipeline.IsSeed(n):
			blame("levels", `%q is neither a seed ("seed" or a name that ends in _seed) nor %q`, n, examples)
		}
	}
	if len(v.Levels) == 0 {
		blame("levels", `must name the unit of replication at least, such as "seed"`)
	} else if len(v.Paired) > 0 && !slices.Contains(v.Paired, v.Levels[0]) {
		blame("paired", "must have %s, the unit of replication: differences are taken within a unit", v.Levels[0])
	}
	for _, n := range v.Paired {
		if n == examples || !slices.Contains(v.Levels, n) {
			blame("paired", "%q is none of the seeds in levels: %s", n, list(v.Levels))
		}
	}
	if !(v.Confidence > 0 && v.Confidence < 1) {
		blame("confidence", "must be between 0 and 1, such as 0.95, is %g", v.Confidence)
	}
	if v.Resamples < leastResamples || v.Resamples > mostResamples {
		blame("resamples", "must be from %d to %d, is %d", leastResamples, mostResamples, v.Resamples)
	}
	return errors.Join(errs...)
}

// check demands each level of some table.
func (v Interval) check(tables []*frame) error {
	for _, n := range v.Levels {
		has := func(f *frame) bool { c := f.column(n); return c != nil && c.coordinate }
		if n != examples && !slices.ContainsFunc(tables, has) {
			return pipeline.Errorf("levels", "no table has a coordinate %s", n)
		}
	}
	return nil
}

// method is the interval's, as the statistics know it.
func (v Interval) method() statistics.Method {
	m := statistics.Method{Name: v.Method, Confidence: v.Confidence, Resamples: v.Resamples, Seed: v.Seed, Levels: min(len(v.Levels), 2)}
	if slices.Contains(v.Levels, examples) {
		m.Levels = 3
	}
	return m
}

// quantity is a mean that is compared with others: a cell of a table, by one of its metrics.
type quantity struct {
	table  *frame
	metric string
	cell   cell
}

// repeated is what several quantities were in each unit of replication that all of them have.
type repeated struct {
	units []statistics.Unit
	names []any // of the units, sorted
	lost  []any // units that some of the quantities lack, left out
}

// repeats pairs quantities by unit. Replicates within a unit are the seeds of the inner levels, in one order; rows that
// differ in anything else are averaged, and so are their standard errors, an upper bound of the mean's: such rows are
// scored on the same examples.
func (v Interval) repeats(unit string, quantities ...quantity) (repeated, error) {
	var inner []string
	if i := slices.Index(v.Levels, unit); i >= 0 {
		inner = slices.DeleteFunc(slices.Clone(v.Levels[i+1:]), func(n string) bool { return n == examples })
	}
	byUnit := make([]map[any][]int, len(quantities))
	var r repeated
	for i, q := range quantities {
		byUnit[i] = map[any][]int{}
		for _, row := range q.cell.rows {
			var u any
			if c := q.table.column(unit); c != nil {
				u = c.values[row]
			}
			byUnit[i][u] = append(byUnit[i][u], row)
			if !slices.Contains(r.names, u) {
				r.names = append(r.names, u)
			}
		}
	}
	slices.SortFunc(r.names, compareValues)
	r.names = slices.DeleteFunc(r.names, func(u any) bool {
		rows := make([][]int, len(quantities))
		for i := range quantities {
			rows[i] = byUnit[i][u]
		}
		for _, n := range inner {
			if slices.Contains(v.Paired, n) {
				match(n, quantities, rows)
			}
		}
		var s statistics.Unit
		for i, q := range quantities {
			if len(rows[i]) == 0 {
				r.lost = append(r.lost, u)
				return true
			}
			s.Values = append(s.Values, q.replicates(rows[i], inner))
		}
		r.units = append(r.units, s)
		return false
	})
	if n := len(r.units); v.Method == statistics.Bootstrap && n > 0 && n < fewest {
		return r, pipeline.Errorf("interval.method", "hierarchical_bootstrap takes at least %d values of %s, here are %d: use t, or run more of them", fewest, unit, n)
	}
	return r, nil
}

// match keeps the rows of each quantity whose value of column n all have, those without the column aside.
func match(n string, quantities []quantity, rows [][]int) {
	keep := func(value any) bool {
		for i, q := range quantities {
			c := q.table.column(n)
			if c != nil && !slices.ContainsFunc(rows[i], func(row int) bool { return c.values[row] == value }) {
				return false
			}
		}
		return true
	}
	kept := make([][]int, len(rows))
	for i, q := range quantities {
		c := q.table.column(n)
		for _, row := range rows[i] {
			if c == nil || keep(c.values[row]) {
				kept[i] = append(kept[i], row)
			}
		}
	}
	copy(rows, kept)
}

// replicates are the quantity's measurements in the rows of one unit, one for each value of the columns that it has.
func (q quantity) replicates(rows []int, columns []string) []statistics.Measurement {
	columns = slices.DeleteFunc(slices.Clone(columns), func(n string) bool { return q.table.column(n) == nil })
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b int) int { return compareTuples(q.table.tuple(columns, a), q.table.tuple(columns, b)) })
	var all []statistics.Measurement
	for len(rows) > 0 {
		here := q.table.tuple(columns, rows[0])
		n := slices.IndexFunc(rows, func(row int) bool { return compareTuples(q.table.tuple(columns, row), here) != 0 })
		if n < 0 {
			n = len(rows)
		}
		all = append(all, q.measurement(rows[:n]))
		rows = rows[n:]
	}
	return all
}

// measurement is the mean of rows.
func (q quantity) measurement(rows []int) statistics.Measurement {
	var m statistics.Measurement
	for _, row := range rows {
		x, _ := q.table.column(q.metric).float(row)
		m.Value += x / float64(len(rows))
	}
	if se := q.se(rows); !math.IsNaN(se) {
		m.SE = se
	}
	return m
}

// se is the mean of the rows' standard errors over examples, NaN where one is unknown or there are no rows.
func (q quantity) se(rows []int) float64 {
	errs := q.table.column(q.metric + "_se")
	if errs == nil || len(rows) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, row := range rows {
		x, ok := errs.float(row)
		if !ok {
			return math.NaN()
		}
		sum += x
	}
	return sum / float64(len(rows))
}
