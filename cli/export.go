package cli

import (
	"errors"
	"fmt"
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

func (c *command) export() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export ADDR[.OUTPUT]...",
		Short: "Write artifacts, or the history of all runs, as files",
		Example: `  anneal export probe.after --format csv
  anneal export --runs --to history`,
		Long: `Writes the artifacts of stages as files: tables as Parquet or CSV, those of a sweep as one table with its coordinates
as columns; weights, tokens and reports as folders.

With --runs it writes what the journals and results of all runs hold, as tables that join: runs, steps, coordinates,
configuration and metrics.`,
		Args: cobra.ArbitraryArgs,
	}
	to := cmd.Flags().String("to", "export", "write into `DIR`")
	format := cmd.Flags().String("format", "parquet", "write tables as `parquet|csv`")
	runs := cmd.Flags().Bool("runs", false, "write the history of all runs instead of artifacts")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		switch {
		case *format != "parquet" && *format != "csv":
			return usagef("--format must be parquet or csv, is %s", *format)
		case *runs && (len(args) > 0 || *format != "parquet"):
			return usagef("export --runs writes all runs as Parquet; it takes no address and no other format")
		case *runs:
			return c.exportRuns(*to)
		case len(args) == 0:
			return usagef("export needs an ADDR, such as pretrain.base; `anneal ls` lists them. export --runs writes the history of all runs")
		}
		for _, arg := range args {
			if err := c.exportNamed(arg, *to, *format); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// exportNamed writes the outputs that arg names.
func (c *command) exportNamed(arg, dir, format string) error {
	all, err := c.stored(arg)
	if err != nil {
		return err
	}
	st := c.store()
	var outputs []string
	for _, n := range all {
		if err := n.need(st); err != nil {
			return err
		}
		if n.output != "" {
			outputs = append(outputs, n.output)
		} else {
			outputs = append(outputs, sortedNames(n.result.Outputs)...)
		}
	}
	slices.Sort(outputs)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, output := range slices.Compact(outputs) {
		var here []*named
		for _, n := range all {
			b, has := n.result.Outputs[output]
			switch {
			case !has || n.output != "" && n.output != output:
			case st.Dropped(b) && n.output != "":
				return fmt.Errorf("%s.%s was dropped; `anneal run %s --replace '%s'` makes it again", n.title(), output, n.pipeline, n.addr)
			case st.Dropped(b):
				fmt.Fprintf(c.stderr, "%s.%s was dropped, and is left out\n", n.title(), output)
			default:
				here = append(here, n)
			}
		}
		if len(here) > 0 {
			if err := c.exportOutput(st, here, output, dir, format); err != nil {
				return err
			}
		}
	}
	return nil
}

// exportOutput writes one output of several results.
func (c *command) exportOutput(st *store.Store, all []*named, output, dir, format string) error {
	staged, err := os.MkdirTemp(dir, ".export-") // not in the store, which may be one that is only to be read
	if err != nil {
		return err
	}
	defer os.RemoveAll(staged)
	points := make([]pipeline.Point, len(all))
	for i, n := range all {
		points[i] = n.point
	}
	columns := axes(points)
	whole := new(artifacts.Table)
	for i, n := range all {
		b := n.result.Outputs[output]
		from := filepath.Join(staged, fmt.Sprint(i))
		if err := stage(st, b, from); err != nil {
			return err
		}
		if !slices.Contains(tables, b.Type) {
			target := filepath.Join(dir, n.fileName()+"."+output)
			if b.Tree {
				err = copyTree(from, target, copyFile)
			} else { // a table that is not flat
				target += ".parquet"
				err = replace(target, func(part string) error { return copyFile(from, part) })
			}
			if err == nil {
				err = c.wrote(target)
			}
			if err != nil {
				return err
			}
			continue
		}
		table, err := artifacts.ReadTable(from)
		if err != nil {
			return err
		}
		if err := errors.Join(join(table, columns, n.point), whole.Append(table)); err != nil {
			return fmt.Errorf("%s.%s: %w", n.title(), output, err)
		}
	}
	if len(whole.Columns) == 0 {
		return nil
	}
	name := all[0].fileName()
	if len(all) > 1 {
		name, _, _ = strings.Cut(all[0].addr, "[")
	}
	target := filepath.Join(dir, name+"."+output+"."+format)
	err = replace(target, func(part string) error {
		if format == "parquet" {
			return whole.Write(part, artifacts.Zstd)
		}
		f, err := os.Create(part)
		if err != nil {
			return err
		}
		return errors.Join(whole.WriteCSV(f), f.Close())
	})
	if err != nil {
		return err
	}
	return c.wrote(target)
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
		return n.key.Short()
	}
	block, _, _ := strings.Cut(n.addr, "[")
	return fileName(block, n.point)
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
