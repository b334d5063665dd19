package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
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
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
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
			return usagef("%w: name another folder with --to", err)
		} else if here, _ := filepath.Abs("."); err == nil && filepath.Clean(dir) == "." || dir == here {
			return usagef("--to %s is the folder you are in: name one below it, or one that is not there yet", dir)
		}
		ctx, done := untilSignal(cmd.Context())
		defer done()
		if err := unpack(ctx, args[0], dir); err != nil {
			return err
		}
		return c.opened(dir)
	}
	return cmd
}

// unpack leaves the files of an archive at dir, or nothing, where ctx ends too.
func unpack(ctx context.Context, file, dir string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if to, err := filepath.EvalSymlinks(dir); err == nil {
		dir = to
	}
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
	if err := archive.Extract(untilDone{ctx, f}, part); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	runs := pipeline.Runs(store.Open(filepath.Join(part, ".anneal")))
	if len(runs) != 1 || runs[0].Unfinished {
		return fmt.Errorf("%s: it does not hold one run, so it is no bundle", file)
	}
	if name := runs[0].Pipeline + runs[0].Name; strings.ContainsAny(name, "/\\*?[]") || oneLine(name) != name {
		return fmt.Errorf("%s: %q cannot be the name of a pipeline and of a run", file, name)
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty folder
		return err
	}
	return os.Rename(part, dir)
}

// untilDone reads until ctx ends.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	return r.Reader.Read(p)
}

// opened says what a study holds that was just unpacked, and how to go on.
func (c *command) opened(dir string) error {
	st := store.Open(filepath.Join(dir, ".anneal"))
	r := pipeline.Runs(st)[0]
	flags, declared := c.study(dir, r, st)
	stages, here, leftOut := 0, 0, []string{}
	others := 0 // results of points that the files do not list
	var size int64
	var ask, again string // addresses for examples: of a table, and of what was quickest to make
	quickest := 0.0
	for addr, key := range r.Reached() {
		res, err := st.Result(key)
		if err != nil {
			return err
		}
		stages++
		if declared != nil && !declared[addr] {
			others++
		}
		for _, name := range sortedNames(res.Outputs) {
			b := res.Outputs[name]
			if st.Dropped(b) {
				leftOut = append(leftOut, addr+"."+name)
				continue
			}
			here++
			size += b.Size
			if b.Type == "table" && declared[addr] {
				ask = addr
				if again == "" || res.Made.Seconds < quickest {
					again, quickest = addr, res.Made.Seconds
				}
			}
		}
	}
	if again == "" {
		for addr := range r.Reached() {
			if declared[addr] {
				ask, again = addr, addr
				break
			}
		}
	}
	pages, tables, err := reports(dir, r.Pipeline)
	if err != nil {
		return err
	}
	if c.json {
		return c.line(struct {
			Directory string   `json:"directory"`
			Run       string   `json:"run"`
			Pipeline  string   `json:"pipeline"`
			Name      string   `json:"name,omitempty"`
			Note      string   `json:"note,omitempty"`
			Stages    int      `json:"stages"`
			Artifacts int      `json:"artifacts"`
			LeftOut   []string `json:"left_out"`
			Pages     []string `json:"pages"`
		}{dir, r.ID, r.Pipeline, r.Name, r.Note, stages, here, leftOut, append([]string{}, pages...)})
	}
	name := ""
	if r.Name != "" {
		name = fmt.Sprintf(" %q", r.Name)
	}
	fmt.Fprintf(c.stdout, "%s: run %s%s of %s, %s\n", dir, r.Short(), name, r.Pipeline, day(r.Started))
	if r.Note != "" {
		fmt.Fprintf(c.stdout, "  %s\n", harmless(r.Note))
	}
	fmt.Fprintf(c.stdout, "  %s of the run: %s\n", count(stages, "result"), tally(r.Summary.Ran, "ran", r.Summary.Cached, "cached", r.Summary.Failed, "failed", r.Summary.Skipped, "skipped"))
	fmt.Fprintf(c.stdout, "  %s with %s, every byte checked", count(here, "artifact"), bytes(size))
	if len(leftOut) > 0 {
		fmt.Fprintf(c.stdout, "; %d left out, to be computed again when needed", len(leftOut))
	}
	fmt.Fprintln(c.stdout)
	if others > 0 {
		fmt.Fprintf(c.stdout, "  %s of points that the files do not list, as replicate adds them: to be read now, and computed again once they are listed\n", count(others, "result"))
	}
	fmt.Fprintln(c.stdout, "\nGo on with")
	for _, p := range pages {
		fmt.Fprintf(c.stdout, "  %s\n", p)
	}
	program := "anneal -C " + shellWords([]string{dir}) + flags
	if len(tables) > 0 {
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

// reports lists the pages of a run's reports, and the tables beside the first.
func reports(dir, name string) (pages, tables []string, err error) {
	for _, pattern := range []string{"report.html", "*/report.html"} {
		if pages, err = fs.Glob(os.DirFS(dir), path.Join("results", name, pattern)); pages != nil || err != nil {
			break
		}
	}
	if pages != nil && err == nil {
		tables, err = fs.Glob(os.DirFS(dir), path.Join(path.Dir(pages[0]), "*.parquet"))
	}
	for _, list := range [][]string{pages, tables} {
		for i, name := range list {
			list[i] = filepath.Join(dir, name)
		}
	}
	return pages, tables, err
}

// study tells which flags give the files of a study the meaning that they had in the run, and which addresses they
// declare with these; none where they cannot be read, which the first command will explain.
func (c *command) study(dir string, r *pipeline.Record, st *store.Store) (flags string, declared map[string]bool) {
	o := pipeline.LoadOptions{Kinds: c.app.Kinds, Executors: c.app.Executors}
	config, err := pipeline.Load(dir, o)
	if err != nil {
		return "", nil
	}
	for e := range r.Journal(st) {
		if e.Begin != nil && !maps.Equal(e.Begin.Variables, config.VariableValues()) {
			flags = " --var-file " + variablesFile
			o.VarFiles = []string{filepath.Join(dir, variablesFile)}
			if config, err = pipeline.Load(dir, o); err != nil {
				return flags, nil
			}
		}
		break
	}
	graphs, err := config.Graphs([]string{r.Pipeline})
	if err != nil {
		return flags, nil
	}
	declared = map[string]bool{}
	for _, n := range graphs[0].Nodes {
		declared[n.Addr] = true
	}
	return flags, declared
}
