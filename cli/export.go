package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"anneal/artifacts"
	"anneal/pipeline"
)

// tables are the types of artifacts that are one flat Parquet table.
var tables = []string{"table", "samples", "examples", "passages", "text"}

func (c *command) export() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export ADDR...",
		Short: "Write a stage's artifacts to a folder, the tables of a sweep as one, with its coordinates as columns",
		Args:  cobra.MinimumNArgs(1),
	}
	to := cmd.Flags().String("to", "export", "write into `DIR`")
	format := cmd.Flags().String("format", "parquet", "write tables as `FORMAT`: parquet or csv")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *format != "parquet" && *format != "csv" {
			return usagef("--format must be parquet or csv, is %s", *format)
		}
		for _, addr := range args {
			nodes, err := c.find(addr)
			if err != nil {
				return err
			}
			for _, f := range nodes {
				if f.step.Result == nil {
					return fmt.Errorf("%s has no stored result; run %s first", f.step.Node.Addr, f.graph.Name)
				}
			}
			if err := os.MkdirAll(*to, 0o777); err != nil {
				return err
			}
			for _, o := range nodes[0].step.Node.Stage.Outputs() {
				if err := c.exportOutput(nodes, o, *to, *format); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return cmd
}

// exportOutput writes one output of the nodes that an address names.
func (c *command) exportOutput(nodes []found, o pipeline.Output, dir, format string) error {
	st := c.store()
	staged, err := os.MkdirTemp(dir, ".export-") // not in the store, which may be one that is only to be read
	if err != nil {
		return err
	}
	defer os.RemoveAll(staged)
	if !slices.Contains(tables, o.Type) {
		for i, f := range nodes {
			from := filepath.Join(staged, fmt.Sprint(i))
			b, _ := f.step.Output(o.Name)
			if err := stage(st, b, from); err != nil {
				return err
			}
			target := filepath.Join(dir, fileName(f.step.Node)+"."+o.Name)
			if b.Tree {
				err = copyTree(from, target, copyFile)
			} else { // a table that is not flat
				target += ".parquet"
				err = replace(target, func(part string) error { return copyFile(from, part) })
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(c.stdout, target)
		}
		return nil
	}
	all := new(artifacts.Table)
	for i, f := range nodes {
		from := filepath.Join(staged, fmt.Sprint(i))
		b, _ := f.step.Output(o.Name)
		if err := stage(st, b, from); err != nil {
			return err
		}
		table, err := artifacts.ReadTable(from)
		if err != nil {
			return err
		}
		point := f.step.Node.Point
		for k := len(point) - 1; k >= 0; k-- {
			if err := table.Prepend(point[k].Name, point[k].Value); err != nil {
				return err
			}
		}
		if err := all.Append(table); err != nil {
			return err
		}
	}
	name := fileName(nodes[0].step.Node)
	if len(nodes) > 1 {
		name = nodes[0].step.Node.Block
	}
	target := filepath.Join(dir, name+"."+o.Name+"."+format)
	err = replace(target, func(part string) error {
		if format == "parquet" {
			return all.Write(part, artifacts.Zstd)
		}
		f, err := os.Create(part)
		if err != nil {
			return err
		}
		return errors.Join(all.WriteCSV(f), f.Close())
	})
	if err == nil {
		fmt.Fprintln(c.stdout, target)
	}
	return err
}

// fileName turns the address of n into the name of a file that no shell trips over: pretrain.base[seed=1] becomes
// pretrain.base.seed=1. Two addresses never share one.
func fileName(n *pipeline.Node) string {
	name := n.Block
	for _, c := range n.Point {
		name += "." + c.Name + "=" + url.QueryEscape(c.Text())
	}
	return name
}
