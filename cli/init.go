package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"anneal/pipeline"
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
		Short: "Check the pipeline files: every mistake at once",
		Example: `  anneal validate
  anneal -C studies/decay validate`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			config, err := c.load()
			var graphs []*pipeline.Graph
			if err == nil {
				graphs, err = config.Validate()
			}
			enc := json.NewEncoder(c.stdout)
			enc.SetEscapeHTML(false)
			var invalid *pipeline.InvalidError
			if c.json && errors.As(err, &invalid) {
				for _, p := range invalid.Problems() {
					if err := enc.Encode(p); err != nil {
						return err
					}
				}
				return exit(exitInvalid)
			}
			if err != nil {
				return err
			}
			for _, g := range graphs {
				if c.json {
					err = enc.Encode(struct {
						Pipeline string `json:"pipeline"`
						Stages   int    `json:"stages"`
						Valid    bool   `json:"valid"`
					}{g.Name, len(g.Nodes), true})
				} else {
					_, err = fmt.Fprintf(c.stdout, "%s: %s, valid\n", g.Name, count(len(g.Nodes), "stage"))
				}
				if err != nil {
					return err
				}
			}
			if len(graphs) == 0 && !c.json {
				fmt.Fprintln(c.stdout, "Valid; the files declare no pipeline.")
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
