package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"anneal/artifacts/archive"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

func (c *command) open() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "open FILE.tar",
		Short: "Unpack a bundle, check every byte, and say what is in it",
		Args:  cobra.ExactArgs(1),
	}
	to := cmd.Flags().String("to", "", "unpack into `DIR`, which must be empty or not there (default FILE)")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir := *to
		if dir == "" {
			dir = strings.TrimSuffix(filepath.Base(args[0]), ".tar")
			if dir == filepath.Base(args[0]) {
				dir += ".study"
			}
		}
		if entries, err := os.ReadDir(dir); len(entries) > 0 {
			return usagef("%s is not empty: name another folder with --to", dir)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return usagef("--to: %w", err)
		}
		if err := unpack(args[0], dir); err != nil {
			return err
		}
		return c.opened(dir)
	}
	return cmd
}

// unpack leaves the files of an archive at dir, or nothing.
func unpack(file, dir string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	if err := archive.Extract(f, part); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(pipeline.Runs(store.Open(filepath.Join(part, ".anneal")))) != 1 {
		return fmt.Errorf("%s: it holds no run, so it is no bundle", file)
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	return os.Rename(part, dir) // over an empty folder too
}

// opened says what a study holds that was just unpacked, and how to go on.
func (c *command) opened(dir string) error {
	st := store.Open(filepath.Join(dir, ".anneal"))
	r := pipeline.Runs(st)[0]
	stages, here, leftOut := 0, 0, 0
	var size int64
	var ask, again string // addresses for examples: of a table, and of what was quickest to make
	quickest := 0.0
	for addr, key := range r.Reached() {
		res, err := st.Result(key)
		if err != nil {
			return err
		}
		stages++
		for _, name := range sortedNames(res.Outputs) {
			b := res.Outputs[name]
			if st.Dropped(b) {
				leftOut++
				continue
			}
			here++
			size += b.Size
			if b.Type == "table" {
				ask = addr
				if again == "" || res.Made.Seconds < quickest {
					again, quickest = addr, res.Made.Seconds
				}
			}
		}
	}
	if again == "" {
		for addr := range r.Reached() {
			ask, again = addr, addr
			break
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "results", r.Pipeline, "report.html"))
	if err == nil && pages == nil {
		pages, err = filepath.Glob(filepath.Join(dir, "results", r.Pipeline, "*", "report.html"))
	}
	if err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.stdout).Encode(struct {
			Directory string   `json:"directory"`
			Run       string   `json:"run"`
			Pipeline  string   `json:"pipeline"`
			Name      string   `json:"name,omitempty"`
			Note      string   `json:"note,omitempty"`
			Stages    int      `json:"stages"`
			Artifacts int      `json:"artifacts"`
			LeftOut   int      `json:"left_out"`
			Pages     []string `json:"pages"`
		}{dir, r.ID, r.Pipeline, r.Name, r.Note, stages, here, leftOut, append([]string{}, pages...)})
	}
	name := ""
	if r.Name != "" {
		name = fmt.Sprintf(" %q", r.Name)
	}
	fmt.Fprintf(c.stdout, "%s: run %s%s of %s, %s\n", dir, r.Short(), name, r.Pipeline, day(r.Started))
	if r.Note != "" {
		fmt.Fprintf(c.stdout, "  %s\n", r.Note)
	}
	fmt.Fprintf(c.stdout, "  %s of the run: %s\n", count(stages, "result"), tally(r.Summary.Ran, "ran", r.Summary.Cached, "cached", r.Summary.Failed, "failed", r.Summary.Skipped, "skipped"))
	fmt.Fprintf(c.stdout, "  %s with %s, every byte checked", count(here, "artifact"), bytes(size))
	if leftOut > 0 {
		fmt.Fprintf(c.stdout, "; %d left out, to be computed again when needed", leftOut)
	}
	fmt.Fprintln(c.stdout)
	fmt.Fprintln(c.stdout, "\nGo on with")
	for _, p := range pages {
		fmt.Fprintf(c.stdout, "  %s\n", p)
	}
	program := "anneal -C " + shellWords([]string{dir})
	if c.otherVariables(dir, r, st) {
		program += " --var-file " + variablesFile
	}
	if tables, err := filepath.Glob(filepath.Join(filepath.Dir(append(pages, "")[0]), "*.parquet")); err == nil && len(tables) > 0 && len(pages) > 0 {
		fmt.Fprintf(c.stdout, "  duckdb -c \"from '%s'\"\n", tables[0])
	}
	fmt.Fprintf(c.stdout, "  %s ls %s\n", program, r.Pipeline)
	fmt.Fprintf(c.stdout, "  %s plan %s\n", program, r.Pipeline)
	if ask != "" { // with the pipeline, as others of the files may read what is not here
		fmt.Fprintf(c.stdout, "  %s lineage %s\n", program, shellWords([]string{r.Pipeline + "/" + ask}))
		fmt.Fprintf(c.stdout, "  %s verify --rerun %s    # computes it again and compares\n", program, shellWords([]string{r.Pipeline + "/" + again}))
	}
	return nil
}

// otherVariables tells whether the run had other values of variables than the files of the study give them.
func (c *command) otherVariables(dir string, r *pipeline.Record, st *store.Store) bool {
	config, err := pipeline.Load(dir, pipeline.LoadOptions{Kinds: c.app.Kinds})
	if err != nil {
		return false // which the first command will explain
	}
	for e := range r.Journal(st) {
		return e.Begin != nil && !maps.Equal(e.Begin.Variables, config.VariableValues())
	}
	return false
}
