package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func (c *command) query() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query SQL",
		Short: "Ask DuckDB about the tables of results or of an export",
		Example: `  anneal query "select weight_decay, validation_loss from loss order by all"
  anneal query --in export --csv "from metrics"`,
		Long: `Runs a statement over the views of load.sql in results/PIPELINE, or in the folder that --in names; paths in the statement
are from that folder.

It takes anneal-query, which lies beside anneal or on PATH, or else the program duckdb. A clone of anneal builds the
former, for which it needs a C compiler: go -C query install ./...`,
		Args: cobra.ExactArgs(1),
	}
	dir := cmd.Flags().String("in", "", "the tables of `DIR` (default the one folder of results/)")
	comma := cmd.Flags().Bool("csv", false, "print CSV")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *comma && c.json {
			return usagef("--csv and --json are two ways to print: give one")
		}
		folder, err := c.catalogued(*dir)
		if err != nil {
			return err
		}
		format := ""
		switch {
		case *comma:
			format = "-csv"
		case c.json:
			format = "-jsonlines"
		}
		program, err := asker(format, args[0])
		if err != nil {
			return err
		}
		program.Dir, program.Stdout, program.Stderr = folder, c.stdout, c.stderr
		err = program.Run()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return exit(exitFailed) // the program has said why
		}
		return err
	}
	return cmd
}

// catalogued returns the folder to ask about: dir, or the one of results/ that has a catalogue.
func (c *command) catalogued(dir string) (string, error) {
	if dir != "" {
		if _, err := os.Stat(filepath.Join(dir, loadFile)); err != nil {
			return "", usagef("--in %s: %w; `anneal export` and `anneal run` write one", dir, err)
		}
		return dir, nil
	}
	results := filepath.Join(c.root(), "results")
	found, err := fs.Glob(os.DirFS(results), "*/"+loadFile)
	if err != nil {
		return "", err
	}
	for i := range found {
		found[i] = filepath.Join(results, filepath.Dir(found[i]))
	}
	switch len(found) {
	case 0:
		return "", usagef("%s has no tables yet: run a pipeline with a report, or name the folder of an export by --in", results)
	case 1:
		return found[0], nil
	}
	return "", usagef("there are several folders of tables, name one by --in: %s", strings.Join(found, ", "))
}

// asker is the program that answers.
func asker(format, statement string) (*exec.Cmd, error) {
	var flags []string
	if format != "" {
		flags = []string{format}
	}
	const own = "anneal-query"
	self, err := os.Executable()
	if err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), own)); err == nil {
			return exec.Command(path, append(flags, "--", statement)...), nil
		}
	}
	if path, err := exec.LookPath(own); err == nil {
		return exec.Command(path, append(flags, "--", statement)...), nil
	}
	if path, err := exec.LookPath("duckdb"); err == nil {
		return exec.Command(path, append(flags, "-cmd", ".read "+loadFile, "-c", statement)...), nil
	}
	return nil, fmt.Errorf("neither %s nor duckdb is on PATH: `go -C query install ./...` in a clone of anneal builds the first, https://duckdb.org/install has the other", own)
}
