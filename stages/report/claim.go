package report

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Claim is a statement that the numbers may or may not bear out. It takes one of three shapes:
//
//	table or compare, metric, expected   a metric rises or falls along an axis
//	base, after                          what ranks lower by base ranks higher by after
//	criterion, criterion, …              the best place on the axis differs between criteria, the first against the rest
//
// Each is answered for every value of the columns of Within on its own, and for all of them together.
type Claim struct {
	Name     string      `hcl:"name,label"`
	Says     string      `hcl:"says" doc:"the statement, as the page quotes it"`
	Along    string      `hcl:"along" doc:"the axis: a column of numbers"`
	Table    string      `hcl:"table,optional" doc:"a table or comparison whose metric is expected to rise or fall"`
	Compare  string      `hcl:"compare,optional" doc:"likewise a comparison; its gain, where no metric is named"`
	Metric   string      `hcl:"metric,optional" doc:"a column of numbers"`
	Expected string      `hcl:"expected,optional" values:"increasing,decreasing" doc:"what the metric does along the axis"`
	Contrast string      `hcl:"contrast,optional" values:"ends,slope,tau" doc:"by what the metric rises or falls: ends, last place minus first; slope, least squares, a place of the axis; tau, Kendall's tau-b of metric and axis (5 places at least)"`
	Smallest float64     `hcl:"smallest,optional" doc:"the smallest change that matters, in units of the contrast: the claim is that it is larger"`
	Within   []string    `hcl:"within,optional" doc:"columns for every value of which the claim is answered on its own"`
	Over     []string    `hcl:"over,optional" doc:"columns averaged over, besides seeds"`
	Range    []float64   `hcl:"range,optional" doc:"[least, most] of the axis, both included"`
	Unit     string      `hcl:"unit,optional" doc:"the unit of replication: seed, or a coordinate that ends in _seed"`
	Where    []Where     `hcl:"where,block" doc:"which rows"`
	Base     *Criterion  `hcl:"base,block" doc:"a metric by which one place on the axis ranks below another"`
	After    *Criterion  `hcl:"after,block" doc:"a metric by which it ranks above it after all"`
	Criteria []Criterion `hcl:"criterion,block" doc:"a metric with a best place on the axis: two blocks or more, of which the first one's is another than the rest's"`
}

// Criterion is a metric to rank by.
type Criterion struct {
	Table  string   `hcl:"table" doc:"a table or comparison"`
	Metric string   `hcl:"metric" doc:"a column of numbers to rank by"`
	Better string   `hcl:"better,optional" values:"by_name,higher,lower" doc:"which end ranks first; by_name: lower for losses and perplexities"`
	Over   []string `hcl:"over,optional" doc:"columns averaged over, besides seeds"`
	Where  []Where  `hcl:"where,block" doc:"which rows"`
}

// Default takes the pretraining seed as unit, and both ends of the axis for a change.
func (Claim) Default() Claim {
	return Claim{Contrast: "ends", Unit: "seed", Base: &Criterion{Better: "by_name"}, After: &Criterion{Better: "by_name"}}
}

// Default takes the better direction from the metric's name.
func (Criterion) Default() Criterion { return Criterion{Better: "by_name"} }

// Check demands exactly one shape.
func (c Claim) Check() error {
	var errs []error
	blame := func(field, format string, args ...any) { errs = append(errs, pipeline.Errorf(field, format, args...)) }
	trend, ranks, best := c.Table != "" || c.Compare != "", c.Base != nil || c.After != nil, len(c.Criteria) > 0
	switch {
	case !trend && !ranks && !best:
		blame("", "claim %s needs numbers: table or compare, or base and after, or criterion blocks", c.Name)
	case trend && (ranks || best), ranks && best:
		blame("", "claim %s mixes shapes: give table or compare, or base and after, or criterion blocks", c.Name)
	}
	if trend {
		if c.Table != "" && c.Compare != "" {
			blame("compare", "table is given too: name one of them")
		}
		if c.Table != "" && c.Metric == "" {
			blame("table", "needs a metric: a column of the table")
		}
		if c.Expected == "" {
			blame("expected", "must be given: what the metric does along the axis")
		}
		if c.Smallest < 0 {
			blame("smallest", "must be at least 0, is %g: expected says the direction", c.Smallest)
		}
	} else {
		if c.Contrast == "slope" || c.Contrast == "tau" {
			blame("contrast", "is of a metric that rises or falls: give table or compare, and expected")
		}
		if c.Smallest != 0 {
			blame("smallest", "is of a metric that rises or falls: give table or compare, and expected")
		}
	}
	if ranks && (c.Base == nil || c.After == nil) {
		blame("", "claim %s needs both a base and an after block", c.Name)
	}
	if len(c.Criteria) == 1 {
		blame("criterion", "needs at least one more criterion to differ from")
	}
	if len(c.Range) != 0 && (len(c.Range) != 2 || !(c.Range[0] < c.Range[1])) {
		blame("range", "must be two numbers, the smaller first, is %v", c.Range)
	}
	if !pipeline.IsSeed(c.Unit) {
		blame("unit", `must be a seed ("seed" or a name that ends in _seed), is %q`, c.Unit)
	}
	return errors.Join(errs...)
}

// claimRows are the answers as a table.
func claimRows(claims []claimView) []artifacts.ClaimRow {
	var rows []artifacts.ClaimRow
	for _, c := range claims {
		row := artifacts.ClaimRow{Name: c.Name, Says: c.Says, Verdict: c.Verdict, Sentence: c.Sentence, Cases: int64(c.Cases), Holds: int64(c.Holds), Fails: int64(c.Fails), Unit: c.answer.Unit}
		if c.answer.Seeds > 0 {
			row.MoreSeeds, row.Seeds = new(int64(c.MoreSeeds)), new(int64(c.answer.Seeds))
		}
		rows = append(rows, row)
	}
	return rows
}

// answer is what the numbers say to a claim.
type answer struct {
	Sentence  string
	Verdict   string
	Why       string
	Unit      string // of replication
	Cases     int    // that were told of on their own
	Holds     int    // cases for which the claim holds
	Fails     int    // cases for which it does not
	MoreSeeds int    // about how many more units would bring a verdict; 0 where none are needed, or no number would do
	Seeds     int    // how many there would be then; 0 likewise
	Along     string
	Axis      []float64
	Lines     []line
}

// line is one row of a claim's table: a metric of one group along the axis.
type line struct {
	Metric  string
	Group   string
	Values  []float64 // as Axis; NaN where nothing was measured
	Best    []bool    // as Axis; nil where no direction is better
	Reading string

	columns []string // of the group
	cells   []cell   // as Axis
	frame   *frame   // that they are from
	metric  string
}

// criterion reads a metric along the claim's axis: one line for each group.
func (c Claim) criterion(k Criterion, frames frames) ([]line, error) {
	f, err := frames.get(k.Table)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.need("metric", k.Metric), f.need("over", k.Over...)); err != nil {
		return nil, err
	}
	var by []string
	for _, n := range c.Within {
		if f.column(n) != nil {
			by = append(by, n)
		}
	}
	cells, err := f.means(query{metric: k.Metric, by: by, along: c.Along, over: k.Over, unit: c.Unit, where: k.Where})
	if err != nil {
		return nil, err
	}
	var lines []line
	for _, cell := range cells {
		if len(c.Range) == 2 && (cell.x < c.Range[0] || cell.x > c.Range[1]) {
			continue
		}
		if n := len(lines); n == 0 || compareTuples(lines[n-1].cells[0].group, cell.group) != 0 {
			lines = append(lines, line{Metric: f.words(k.Metric), Group: label(by, cell.group), columns: by, frame: f, metric: k.Metric})
		}
		last := &lines[len(lines)-1]
		last.cells = append(last.cells, cell)
	}
	return lines, nil
}

// align gives all lines one axis, with gaps where a line has no value.
func (a *answer) align() {
	for _, l := range a.Lines {
		for _, c := range l.cells {
			if !slices.Contains(a.Axis, c.x) {
				a.Axis = append(a.Axis, c.x)
			}
		}
	}
	slices.Sort(a.Axis)
	for i := range a.Lines {
		l := &a.Lines[i]
		cells := make([]cell, len(a.Axis))
		l.Values = make([]float64, len(a.Axis))
		for j, x := range a.Axis {
			cells[j] = cell{group: l.cells[0].group, x: x, mean: math.NaN()}
			if k := slices.IndexFunc(l.cells, func(c cell) bool { return c.x == x }); k >= 0 {
				cells[j] = l.cells[k]
			}
			l.Values[j] = cells[j].mean
		}
		l.cells = cells
	}
}

// digits is how many digits after the point show the numbers of a metric in all its lines alike.
func (a *answer) digits(metric string) int {
	var all []float64
	for _, l := range a.Lines {
		if l.Metric == metric {
			for _, c := range l.measured() {
				all = append(all, c.mean)
			}
		}
	}
	return decimals(all)
}

// measured returns the cells of a line that hold numbers.
func (l line) measured() []cell {
	return slices.DeleteFunc(slices.Clone(l.cells), func(c cell) bool { return math.IsNaN(c.mean) })
}

// places tells where on the axis the measured cells stand, from 0.
func (l line) places() []float64 {
	var all []float64
	for i, c := range l.cells {
		if !math.IsNaN(c.mean) {
			all = append(all, float64(i))
		}
	}
	return all
}

// ranked tells whether the line was measured at two places or more, so that one of them can be the better.
func (l line) ranked() bool { return len(l.measured()) > 1 }

// units lists the values of the unit of replication among all lines, sorted.
func (a *answer) units() []any {
	var all []any
	for _, l := range a.Lines {
		for _, c := range l.cells {
			for _, u := range c.units {
				if !slices.Contains(all, u.value) {
					all = append(all, u.value)
				}
			}
		}
	}
	slices.SortFunc(all, compareValues)
	return all
}

// columns demands the axis of every table that the claim uses, and of some of them each column it looks within.
func (c Claim) columns(frames frames) error {
	found := make([]bool, len(c.Within))
	for _, u := range c.reads() {
		f, err := frames.get(u.table)
		if err != nil {
			return err
		}
		if err := f.need("along", c.Along); err != nil {
			return err
		}
		for i, n := range c.Within {
			found[i] = found[i] || f.column(n) != nil
		}
	}
	if i := slices.Index(found, false); i >= 0 {
		return pipeline.Errorf("within", "no table of the claim has a column %s", c.Within[i])
	}
	return nil
}

// answer reads the numbers for a claim, as sure as the interval says.
func (c Claim) answer(frames frames, v Interval) (*answer, error) {
	if err := c.columns(frames); err != nil {
		return nil, err
	}
	switch {
	case c.Base != nil:
		return c.reversals(frames, v)
	case len(c.Criteria) > 0:
		return c.best(frames, v)
	}
	return c.trend(frames, v)
}

// use is a table that a claim reads: the field that names it, the block that says which rows.
type use struct {
	field, table string
	block        string
	where        []Where
}

// reads lists the tables that the claim uses.
func (c Claim) reads() []use {
	var all []use
	switch {
	case c.Table != "":
		all = append(all, use{".table", c.Table, "", c.Where})
	case c.Compare != "":
		all = append(all, use{".compare", c.Compare, "", c.Where})
	}
	if c.Base != nil {
		all = append(all, use{".base.table", c.Base.Table, ".base", c.Base.Where})
	}
	if c.After != nil {
		all = append(all, use{".after.table", c.After.Table, ".after", c.After.Where})
	}
	for i, k := range c.Criteria {
		block := fmt.Sprintf(".criterion.%d", i)
		all = append(all, use{block + ".table", k.Table, block, k.Where})
	}
	return all
}
