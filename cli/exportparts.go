package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"anneal/artifacts"
	"anneal/pipeline"
)

// Hive's names: of the folder for rows that have no such coordinate, and, ours, of the file in the innermost folder.
const (
	nullFolder = "__HIVE_DEFAULT_PARTITION__"
	partFile   = "part.parquet"
)

// Columns that --partition takes besides coordinates.
var origin = []string{"pipeline", "stage"}

// part is a file of a partitioned table.
type part struct {
	folder string
	of     []*named
}

// checkPartition tells whether an output of several results can be taken apart as asked.
func (x *exporter) checkPartition(f *exported) error {
	have := slices.Clone(origin)
	for _, c := range axes(points(f.of)) {
		if slices.Contains(origin, c.Name) {
			return usagef("%s has a coordinate %s, which --partition could not tell from its %s: export it without", f.of[0].block(), c.Name, c.Name)
		}
		have = append(have, c.Name)
	}
	for i, name := range x.partition {
		if slices.Contains(x.partition[:i], name) {
			return usagef("--partition names %s twice", name)
		}
		if !slices.Contains(have, name) {
			return usagef("--partition %s: no point of %s has such a coordinate; there are %s", name, f.of[0].block(), strings.Join(have, ", "))
		}
	}
	for _, n := range f.of {
		if n.pipeline != f.of[0].pipeline && !slices.Contains(x.partition, "pipeline") {
			return usagef("%s and %s are of two pipelines, which rows of %s would not tell: add pipeline to --partition", f.of[0].title(), n.title(), f.path)
		}
	}
	return nil
}

// writeParts writes an output of several results as a folder of files, in the place of those of an earlier export. Columns that
// are folders are not in the files: readers disagree on what holds where both say something.
func (x *exporter) writeParts(f *exported) error {
	t, err := x.table(f, x.partition)
	if err != nil {
		return err
	}
	all := axes(points(f.of))
	names := make([]string, len(x.partition))
	for i, name := range x.partition {
		c := artifacts.Column{Name: name, Type: artifacts.String}
		doc := artifacts.ColumnDoc{Name: name, Type: artifacts.String, Doc: map[string]string{"pipeline": "that the stage is of", "stage": "that left the rows"}[name]}
		if j := slices.IndexFunc(all, func(c artifacts.Column) bool { return c.Name == name }); j >= 0 {
			c = all[j]
			if slices.ContainsFunc(t.columns, func(d artifacts.Column) bool { return d.Name == name }) {
				c.Name += ofSweep
			}
			doc = sweepDocs([]artifacts.Column{c})[0]
		} else if slices.ContainsFunc(t.columns, func(d artifacts.Column) bool { return d.Name == name }) {
			return usagef("--partition %s: %s has a column of that name", name, f.path)
		}
		names[i] = c.Name
		t.about.Partitions = append(t.about.Partitions, doc)
	}
	parts, err := x.parts(f.of, names)
	if err != nil {
		return err
	}
	staged, target := filepath.Join(x.staged, "parts"), filepath.Join(x.dir, f.path)
	for _, p := range parts {
		folder := filepath.Join(staged, p.folder)
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
		if err := t.write(filepath.Join(folder, partFile), p.of); err != nil {
			return err
		}
	}
	if err := x.setAside(target); err != nil {
		return err
	}
	if err := os.Rename(staged, target); err != nil {
		return err
	}
	for _, p := range parts {
		if err := x.wrote(filepath.Join(target, p.folder, partFile)); err != nil {
			return err
		}
	}
	return nil
}

// parts sorts results by what becomes their folder. Columns are called names there.
func (x *exporter) parts(all []*named, names []string) ([]part, error) {
	var parts []part
	for _, n := range all {
		var folders []string
		for i, name := range x.partition {
			value := n.point.Get(name)
			switch {
			case name == "pipeline" && n.pipeline != "":
				value = n.pipeline
			case name == "stage" && n.addr != "":
				value = n.block()
			}
			text := nullFolder
			if value != nil {
				text = plainText(pipeline.Coordinate{Name: name, Value: value})
				if text == "" || text == nullFolder {
					return nil, usagef("--partition %s: %s has the value %q there, which names no folder", name, n.title(), text)
				}
			}
			folders = append(folders, hiveEscape(names[i])+"="+hiveEscape(text))
		}
		folder := filepath.Join(folders...)
		i := slices.IndexFunc(parts, func(p part) bool { return p.folder == folder })
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{folder: folder})
		}
		parts[i].of = append(parts[i].of, n)
	}
	return parts, nil
}

// plainText prints the value of a coordinate as it is, where Text puts quotes around some.
func plainText(c pipeline.Coordinate) string {
	if s, ok := c.Value.(string); ok {
		return s
	}
	return c.Text()
}

// hiveEscape makes the name of a folder of a text, as DuckDB, Arrow and Polars do: all but unreserved characters as %XX.
func hiveEscape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// setAside moves a folder that writeParts made, and no other, to where it goes with what is staged.
func (x *exporter) setAside(dir string) error {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (path == dir || strings.Contains(e.Name(), "=")), e.Type().IsRegular() && path != dir && e.Name() == partFile:
			return nil
		}
		return fmt.Errorf("%s is nothing that an export with --partition writes: move it, or give another --to", path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Rename(dir, filepath.Join(x.staged, "before"))
}
