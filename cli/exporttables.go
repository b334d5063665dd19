package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"

	"anneal/artifacts"
	"anneal/pipeline"
)

// writeTable writes an output of several results as one table.
func (x *exporter) writeTable(f *exported) error {
	t, err := x.table(f, nil)
	if err != nil {
		return err
	}
	target := filepath.Join(x.dir, f.path)
	if err := replace(target, func(part string) error { return t.write(part, f.of) }); err != nil {
		return err
	}
	return x.wrote(target)
}

// joined is a table of one output of several results, with their coordinates.
type joined struct {
	*exporter
	output  string
	axes    []artifacts.Column // coordinates that become columns
	columns []artifacts.Column
	about   artifacts.Description
}

// table looks at what an output of several results has in common; the coordinates named do not become columns.
func (x *exporter) table(f *exported, without []string) (*joined, error) {
	t := &joined{exporter: x, output: f.output, axes: axes(points(f.of))}
	t.axes = slices.DeleteFunc(t.axes, func(c artifacts.Column) bool { return slices.Contains(without, c.Name) })
	whole := new(artifacts.Table)
	var own []artifacts.Column // of the stage
	for _, n := range f.of {
		from, err := x.stage(n, f.output)
		if err != nil {
			return nil, err
		}
		if own, err = artifacts.TableColumns(from); err != nil {
			return nil, err
		}
		head := &artifacts.Table{Columns: slices.Clone(own)}
		if err := errors.Join(join(head, t.axes, n.point), whole.Append(head)); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", n.title(), f.output, err)
		}
	}
	t.columns = whole.Columns
	t.about = x.about(f, own)
	t.about.Columns = append(sweepDocs(t.columns[:len(t.axes)]), t.about.Columns...)
	return t, nil
}

func points(all []*named) []pipeline.Point {
	points := make([]pipeline.Point, len(all))
	for i, n := range all {
		points[i] = n.point
	}
	return points
}

// sweepDocs describes coordinates.
func sweepDocs(columns []artifacts.Column) []artifacts.ColumnDoc {
	var docs []artifacts.ColumnDoc
	for _, c := range columns {
		d := artifacts.ColumnDoc{Name: c.Name, Type: c.Type, Doc: "coordinate of the sweep"}
		if c.Optional {
			d.Null = "the sweep has no such coordinate here"
		}
		docs = append(docs, d)
	}
	return docs
}

// write writes the rows of results to a file.
func (t *joined) write(path string, all []*named) error {
	w, err := artifacts.CreateTable(path, artifacts.Format(t.format), t.columns, t.about)
	if err != nil {
		return err
	}
	for _, n := range all {
		if err := t.rows(w, n); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

func (t *joined) rows(w artifacts.TableWriter, n *named) error {
	from, err := t.stage(n, t.output)
	if err != nil {
		return err
	}
	for batch, err := range artifacts.Batches(from) {
		if err != nil {
			return err
		}
		if err := errors.Join(join(batch, t.axes, n.point), w.Write(batch)); err != nil {
			return fmt.Errorf("%s.%s: %w", n.title(), t.output, err)
		}
	}
	return nil
}

// about says what is known of the columns of an output, which is nothing where they are not those of its schema.
func (x *exporter) about(f *exported, own []artifacts.Column) artifacts.Description {
	if s := x.schemaOf(pipeline.KindOf(f.of[0].addr), f.output, f.of[0].result.Outputs[f.output].Type); s != nil && s.Fits(own) {
		return describe(s)
	}
	return artifacts.Description{Anneal: version()}
}

// describe says what a schema says.
func describe(s *artifacts.Schema) artifacts.Description {
	return artifacts.Description{Schema: s.Name, Version: s.Version, Doc: s.Doc, Columns: slices.Clone(s.Columns), Anneal: version()}
}

// schemaOf returns the schema of an output of a kind, nil where none is named; what is no table of its own has that of its type.
func (c *command) schemaOf(kind, output, of string) *artifacts.Schema {
	for _, k := range c.describe().Kinds {
		for _, o := range k.Outputs {
			if k.Name == kind && o.Name == output && o.Schema != "" {
				return artifacts.SchemaNamed(o.Schema)
			}
		}
	}
	return artifacts.SchemaNamed(of)
}

// version is that of this program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}
