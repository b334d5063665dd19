package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (c *command) init() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a pipeline file to start from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path := c.file
			if filepath.Ext(path) != ".hcl" {
				path = filepath.Join(path, "pipelines.hcl")
			}
			root := filepath.Dir(path)
			if err := os.MkdirAll(root, 0o777); err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if errors.Is(err, fs.ErrExist) {
				return usagef("%s exists already; init overwrites nothing", path)
			}
			if err != nil {
				return err
			}
			_, err = f.Write(c.app.Starter)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			ignore := filepath.Join(root, ".gitignore")
			if f, err := os.OpenFile(ignore, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); err == nil {
				_, err = f.WriteString(".anneal/\nresults/\n")
				if err := errors.Join(err, f.Close()); err != nil {
					return err
				}
			}
			fmt.Fprintf(c.stdout, "Wrote %s. Next: anneal plan, then anneal run demo.\n", path)
			return nil
		},
	}
}

func (c *command) validate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the pipeline files",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			graphs, err := c.graphs(nil)
			if err != nil {
				return err
			}
			for _, g := range graphs {
				fmt.Fprintf(c.stdout, "%s: %s, valid\n", g.Name, count(len(g.Nodes), "stage"))
			}
			return nil
		},
	}
}

// count prints a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
