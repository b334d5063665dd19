// Package report is the kind of stage that reads what others measured and says what it shows: tables with coordinates,
// comparisons, claims, figures and samples, on one page.
//
// Its page needs nothing but itself, and equal rows make equal bytes on equal architectures. It holds coordinates and
// digests of what it was made of, never the addresses of stages, which may be renamed without changing a number.
package report

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Kind is registered as "report".
var Kind = &pipeline.Kind{Name: "report", Version: 2, Doc: doc, New: func() pipeline.Stage { return &Report{Title: "Report", Interval: new(standardInterval())} }}

const doc = `A page and its tables, from rows with their sweep coordinates. It is a small language of blocks, so that another study needs no Go.

Seeds are averaged over; whatever else varies is chosen with where, grouped, or named in over, and the stage says so if it is not. Where a table tells splits apart, only test rows are reported, unless it is said otherwise.

A claim takes one of three forms: table or compare, metric and expected, a metric that rises or falls; base and after, an order that turns round; or criterion blocks, a best place that differs. Its verdict is holds, does not hold or underpowered, by an interval over seeds; with one seed every claim is underpowered.`

// Report is the configuration of a report: blocks over rows. Tables and comparisons are what claims and figures read;
// each is left as a Parquet file too. Blocks appear on the page in the order of the file.
type Report struct {
	Title    string    `hcl:"title,optional" doc:"the page's heading"`
	Partial  bool      `hcl:"partial,optional" key:"-" doc:"take what there is: artifacts whose stage failed, was skipped or is left out of the run are listed on the page instead"`
	Tables   []Table   `hcl:"table,block" doc:"artifacts of a sweep, joined below each other with their coordinates as columns"`
	Besides  []Beside  `hcl:"beside,block" doc:"columns of a table, such as repetition and timescale of the trainings, put into every other table that has all of its coordinates, after comparisons are made"`
	Compares []Compare `hcl:"compare,block" doc:"two tables side by side, such as scores before and after fine-tuning: a table itself, with the columns before, after and gain, of which a positive one is an improvement"`
	Interval *Interval `hcl:"interval,block" doc:"how sure the numbers are; without one, 95 % by Student's t over seeds"`
	Claims   []Claim   `hcl:"claim,block" doc:"a statement that the numbers may or may not bear out"`
	Figures  []Figure  `hcl:"figure,block" doc:"a metric along an axis: one panel a facet, one line for each value of lines, means over seeds"`
	Samples  []Samples `hcl:"samples,block" doc:"generations before and after: the first examples of the test split, not picked, and of each seed the smallest"`
}

// Lenient tells whether the report may do without some of its rows.
func (r *Report) Lenient() bool { return r.Partial }

// Outputs is the page and its tables.
func (r *Report) Outputs() []pipeline.Output {
	return []pipeline.Output{{Name: "report", Type: "report", Doc: "the page, report.html, each table as Parquet, and the verdicts, claims.parquet; run leaves a copy under results/"}}
}

// Check demands that every block reads a table that exists, and that names can be names of files.
func (r *Report) Check() error {
	var errs []error
	known := map[string]bool{}
	name := func(block, s string) {
		field := block + "." + s
		if !fileName(s) {
			errs = append(errs, pipeline.Errorf(field, "%q names a file: use letters, digits, _ and -", s))
		}
		if s == "claims" {
			errs = append(errs, pipeline.Errorf(field, "claims is the name of the file with the verdicts: choose another"))
		}
		if known[s] {
			errs = append(errs, pipeline.Errorf(field, "there is a table or comparison %q already", s))
		}
		known[s] = true
	}
	within := func(field string, err error) {
		if err != nil {
			errs = append(errs, pipeline.Within(field, err))
		}
	}
	if len(r.Tables) == 0 {
		errs = append(errs, pipeline.Errorf("table", "a report needs at least one table"))
	}
	for _, t := range r.Tables {
		name("table", t.Name)
		within("table."+t.Name, t.Check())
	}
	for _, b := range r.Besides {
		within("beside."+b.Table, b.Check())
		within("beside."+b.Table, need(known, b.Table))
	}
	for _, c := range r.Compares {
		field := "compare." + c.Name
		within(field, c.Check())
		within(field+".before", need(known, c.Before))
		within(field+".after", need(known, c.After))
		for _, w := range c.Where {
			within(field+".where."+w.Column, w.Check())
		}
	}
	for _, c := range r.Compares {
		name("compare", c.Name)
	}
	if r.Interval != nil {
		within("interval", r.Interval.Check())
	}
	for _, c := range r.Claims {
		field := "claim." + c.Name
		within(field, c.Check())
		for _, u := range c.reads() {
			within(field+u.field, need(known, u.table))
			for _, w := range u.where {
				within(field+u.block+".where."+w.Column, w.Check())
			}
		}
	}
	for _, f := range r.Figures {
		within("figure."+f.Name, f.Check())
		within("figure."+f.Name+".table", need(known, f.Table))
	}
	for _, s := range r.Samples {
		within("samples."+s.Name, s.Check())
	}
	return errors.Join(errs...)
}

func need(known map[string]bool, table string) error {
	if known[table] {
		return nil
	}
	return pipeline.Errorf("", "there is no table or comparison %q in this report", table)
}

// fileName tells whether a table's name can be that of a file anywhere.
func fileName(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return false
		}
	}
	return s != ""
}

// Run reads the rows, writes each table as Parquet and the page.
func (r *Report) Run(ctx context.Context, t *pipeline.Task) error {
	dir := t.Output("report")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	in := inputs{missing: t.Missing}
	for _, table := range r.Tables {
		parts, err := read(ctx, t, table.Name, table.From, &in)
		if err != nil {
			return err
		}
		in.tables = append(in.tables, parts)
	}
	for _, s := range r.Samples {
		before, err := read(ctx, t, s.Name, s.Before, &in)
		if err != nil {
			return err
		}
		after, err := read(ctx, t, s.Name, s.After, &in)
		if err != nil {
			return err
		}
		in.before, in.after = append(in.before, before), append(in.after, after)
	}
	p, tables, err := r.page(in)
	if err != nil {
		return err
	}
	for _, f := range tables {
		if err := f.table().Write(filepath.Join(dir, f.name+".parquet"), artifacts.Uncompressed); err != nil {
			return err
		}
	}
	if len(r.Claims) > 0 {
		if err := artifacts.WriteRows(filepath.Join(dir, "claims.parquet"), claimRows(p.Claims)); err != nil {
			return err
		}
	}
	html, err := p.html()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.html"), html, 0o666)
}

// inputs is all that a report is made of: parts by table and by samples block, and where each came from.
type inputs struct {
	tables        [][]part
	before, after [][]part
	origins       []origin
	missing       []pipeline.Missing
}

// origin tells the content that a row of the report was made of.
type origin struct {
	Block  string
	Point  string
	Digest string
}

// read reads the artifacts of a field.
func read(ctx context.Context, t *pipeline.Task, name string, rows []pipeline.Row, in *inputs) ([]part, error) {
	var parts []part
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		input := t.Input(row.Ref)
		table, err := artifacts.ReadTable(input.Path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{row.Point, table, len(in.origins)})
		in.origins = append(in.origins, origin{name, row.Point.String(), input.Blob.Digest.String()})
	}
	return parts, nil
}

// build makes the frames of the tables and comparisons, in the order of the file.
func (r *Report) build(in inputs) (frames, []*frame, error) {
	all := frames{}
	var order []*frame
	for i, t := range r.Tables {
		f, err := join(t.Name, in.tables[i])
		if err != nil {
			return nil, nil, pipeline.Within("table."+t.Name+".from", err)
		}
		all[t.Name], order = f, append(order, f)
	}
	for _, c := range r.Compares {
		f, err := c.frame(all[c.Before], all[c.After])
		if err != nil {
			return nil, nil, pipeline.Within("compare."+c.Name, err)
		}
		all[c.Name], order = f, append(order, f)
	}
	for _, b := range r.Besides {
		if err := b.add(all[b.Table], order); err != nil {
			return nil, nil, pipeline.Within("beside."+b.Table, err)
		}
	}
	if r.Interval != nil {
		if err := r.Interval.check(order); err != nil {
			return nil, nil, pipeline.Within("interval", err)
		}
	}
	return all, order, nil
}
