package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// tables are the types of artifacts that are one flat Parquet table.
var tables = []string{"table", "samples", "examples", "passages", "text"}

// safetensors is the format of weights that is no format of tables.
const safetensors = "safetensors"

func (c *command) export() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export ADDR[.OUTPUT]...",
		Short: "Write artifacts, or the history of all runs, as files",
		Example: `  anneal export probe.after --format csv
  anneal export pretrain.base.metrics finetune.sft.metrics --partition stage,seed
  anneal export checkpoint.final --format safetensors
  anneal export --runs --to history`,
		Long: `Writes the artifacts of stages as files: tables as Parquet, CSV or Arrow IPC, those of a sweep as one table with its
coordinates as columns; weights, tokens and reports as folders.

With --partition a table becomes a folder of Parquet files, hive's way: DIR/metrics/stage=pretrain.base/seed=1/part.parquet.
It takes coordinates, pipeline and stage; what it leaves out stays a column. What an earlier export left there is replaced.

With --format safetensors it writes the parameters of weights alone, those of the last save point.

Beside Parquet files stands load.sql, which makes DuckDB a catalogue of all tables in the folder.

With --runs it writes what the journals and results of all runs hold, as tables that join: runs, steps, coordinates,
configuration and metrics.`,
		Args: cobra.ArbitraryArgs,
	}
	x := &exporter{command: c}
	cmd.Flags().StringVar(&x.dir, "to", "export", "write into `DIR`")
	cmd.Flags().StringVar(&x.format, "format", string(artifacts.Parquet), "write as `parquet|csv|arrow|safetensors`")
	cmd.Flags().StringSliceVar(&x.partition, "partition", nil, "a file for each value of `COLUMN,...`: coordinates, pipeline, stage")
	runs := cmd.Flags().Bool("runs", false, "write the history of all runs instead of artifacts")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		parquet := x.format == string(artifacts.Parquet)
		switch {
		case !parquet && !slices.Contains([]string{string(artifacts.CSV), string(artifacts.Arrow), safetensors}, x.format):
			return usagef("--format must be parquet, csv, arrow or safetensors, is %s", x.format)
		case *runs && (len(args) > 0 || !parquet || x.partition != nil):
			return usagef("export --runs writes all runs as Parquet; it takes no address, no other format and no partition")
		case *runs:
			return c.exportRuns(x.dir)
		case len(args) == 0:
			return usagef("export needs an ADDR, such as pretrain.base; `anneal ls` lists them. export --runs writes the history of all runs")
		case x.partition != nil && !parquet:
			return usagef("--partition writes Parquet, not %s", x.format)
		case x.partition != nil && len(x.partition) == 0:
			return usagef("--partition needs columns: coordinates, pipeline, stage")
		}
		return x.export(args)
	}
	return cmd
}

// exporter writes artifacts as files.
type exporter struct {
	*command
	dir       string
	format    string
	partition []string // columns that become folders

	st     *store.Store
	staged string // where artifacts of the file that is written wait, checked
	files  []*exported
}

// exported is a file or folder that export writes.
type exported struct {
	path   string // from the folder of the export
	output string
	table  bool
	of     []*named
}

// export writes what args name.
func (x *exporter) export(args []string) error {
	x.st = x.store()
	for _, arg := range args {
		if err := x.gather(arg); err != nil {
			return err
		}
	}
	for _, f := range x.files {
		if f.table && x.partition != nil {
			if err := x.checkPartition(f); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(x.dir, 0o777); err != nil {
		return err
	}
	for _, f := range x.files {
		if err := x.put(f); err != nil {
			return err
		}
	}
	if x.format != string(artifacts.Parquet) {
		return nil
	}
	return x.loadScript(x.dir)
}

// put writes a file or folder, by way of a folder beside it: not in the store, which may be one that is only to be read.
func (x *exporter) put(f *exported) (err error) {
	if x.staged, err = os.MkdirTemp(x.dir, ".export-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(x.staged)) }()
	switch {
	case f.table && x.partition != nil:
		return x.writeParts(f)
	case f.table:
		return x.writeTable(f)
	case x.format == safetensors:
		return x.writeSafetensors(f)
	}
	return x.copy(f)
}

// gather finds the outputs that arg names, and what becomes of them.
func (x *exporter) gather(arg string) error {
	all, err := x.stored(arg)
	if err != nil {
		return err
	}
	var outputs []string
	for _, n := range all {
		if err := n.need(x.st); err != nil {
			return err
		}
		if n.output != "" {
			outputs = append(outputs, n.output)
		} else {
			outputs = append(outputs, sortedNames(n.result.Outputs)...)
		}
	}
	slices.Sort(outputs)
	weights := false
	for _, output := range slices.Compact(outputs) {
		var here []*named
		for _, n := range all {
			b, has := n.result.Outputs[output]
			switch {
			case !has || n.output != "" && n.output != output:
			case x.format == safetensors && b.Type != "weights":
			case x.st.Dropped(b) && n.output != "":
				return fmt.Errorf("%s.%s was dropped; `anneal run %s --replace '%s'` makes it again", n.title(), output, n.pipeline, n.addr)
			case x.st.Dropped(b):
				fmt.Fprintf(x.stderr, "%s.%s was dropped, and is left out\n", n.title(), output)
			default:
				here = append(here, n)
			}
			weights = weights || b.Type == "weights"
		}
		if err := x.plan(output, here); err != nil {
			return err
		}
	}
	if x.format == safetensors && !weights {
		return usagef("--format safetensors is for weights, which %s has none of", arg)
	}
	return nil
}

// plan decides where an output of several results goes.
func (x *exporter) plan(output string, all []*named) error {
	var tabular []*named
	for _, n := range all {
		b := n.result.Outputs[output]
		if slices.Contains(tables, b.Type) {
			tabular = append(tabular, n)
			continue
		}
		path := n.fileName() + "." + output
		if x.format == safetensors {
			path += ".safetensors"
		} else if !b.Tree { // a table that is not flat
			path += ".parquet"
		}
		if err := x.add(&exported{path: path, output: output, of: []*named{n}}); err != nil {
			return err
		}
	}
	if len(tabular) == 0 {
		return nil
	}
	path := tabular[0].fileName()
	if len(tabular) > 1 || x.partition != nil {
		path = tabular[0].block()
	}
	path += "." + output
	switch {
	case slices.Contains(x.partition, "stage"):
		path = output
	case x.partition == nil:
		path += "." + x.format
	}
	return x.add(&exported{path, output, true, tabular})
}

// add takes up a file. What is named twice is written once; stages that share a folder of partitions share its table.
func (x *exporter) add(f *exported) error {
	i := slices.IndexFunc(x.files, func(g *exported) bool { return g.path == f.path })
	if i < 0 {
		x.files = append(x.files, f)
		return nil
	}
	g := x.files[i]
	for _, n := range f.of {
		if slices.ContainsFunc(g.of, func(m *named) bool { return m.key == n.key && m.title() == n.title() }) {
			continue
		}
		if !f.table || x.partition == nil {
			return usagef("%s.%s and %s.%s would both be %s: export one of them with another --to", g.of[0].title(), f.output, n.title(), f.output, f.path)
		}
		g.of = append(g.of, n)
	}
	return nil
}

// copy writes an artifact as it is.
func (x *exporter) copy(f *exported) error {
	from, err := x.stage(f.of[0], f.output)
	if err != nil {
		return err
	}
	target := filepath.Join(x.dir, f.path)
	if f.of[0].result.Outputs[f.output].Tree {
		if err = onlyFilesOf(from, target); err == nil {
			err = copyTree(from, target, copyFile)
		}
	} else {
		err = replace(target, func(part string) error { return copyFile(from, part) })
	}
	if err != nil {
		return err
	}
	return x.wrote(target)
}

// onlyFilesOf refuses a folder that has files which are not to be replaced: beside model.safetensors of an earlier export, say,
// nobody reads the shards of this one.
func onlyFilesOf(from, target string) error {
	err := filepath.WalkDir(target, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(target, path)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Join(from, rel)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is not of what is exported there: remove the folder, or give another --to", path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// stage checks an artifact and returns where it may be read.
func (x *exporter) stage(n *named, output string) (string, error) {
	b := n.result.Outputs[output]
	path := filepath.Join(x.staged, b.Digest.String())
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, stage(x.st, b, path)
}

// writeSafetensors writes the parameters of the last save point, by the names and in the shapes that they have here.
func (x *exporter) writeSafetensors(f *exported) error {
	from, err := x.stage(f.of[0], f.output)
	if err != nil {
		return err
	}
	w, err := artifacts.OpenWeights(from)
	if err != nil {
		return err
	}
	p, err := w.Parameters(w.Last())
	if err != nil {
		return err
	}
	defer p.Close()
	shapes := make([]artifacts.TensorShape, len(p.List))
	for i, tensor := range p.List {
		shapes[i] = artifacts.TensorShape{Name: tensor.Name, Shape: tensor.Shape}
	}
	target := filepath.Join(x.dir, f.path)
	err = replace(target, func(part string) error {
		return artifacts.WriteSafetensors(part, artifacts.F32, shapes, func(i int, to []float32) error {
			copy(to, p.List[i].Values)
			return nil
		})
	})
	if err != nil {
		return err
	}
	return x.wrote(target)
}

// wrote tells of a file or folder that a command has written.
func (c *command) wrote(path string) error {
	if !c.json {
		_, err := fmt.Fprintln(c.stdout, path)
		return err
	}
	return c.line(struct {
		File string `json:"file"`
	}{path})
}

// fileName names a file after where n stood.
func (n *named) fileName() string {
	if n.addr == "" {
		return n.block()
	}
	return fileName(n.block(), n.point)
}

// block is the address of n without coordinates, or its key where no address is known.
func (n *named) block() string {
	if n.addr == "" {
		return n.key.Short()
	}
	block, _, _ := strings.Cut(n.addr, "[")
	return block
}

// fileName turns an address into the name of a file that no shell trips over: pretrain.base[seed=1] becomes
// pretrain.base.seed=1. Two addresses never share one.
func fileName(block string, point pipeline.Point) string {
	name := block
	for _, c := range point {
		name += "." + c.Name + "=" + url.QueryEscape(c.Text())
	}
	return name
}
