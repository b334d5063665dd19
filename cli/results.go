package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"anneal/artifacts"
	"anneal/artifacts/store"
	"anneal/pipeline"
)

// writeResults leaves the reports of a run under results/<pipeline>/, each in a folder of its own where there are
// several. Pages are copied, tables compressed.
func (c *command) writeResults(g *pipeline.Graph, out *pipeline.Outcome, st *store.Store) error {
	type report struct {
		node *pipeline.Node
		blob store.Blob
	}
	var reports []report
	var missing []string
	for _, n := range g.Nodes {
		for _, o := range n.Stage.Outputs() {
			if o.Type != "report" {
				continue
			}
			if res := out.Results[n]; res != nil {
				reports = append(reports, report{n, res.Outputs[o.Name]})
			} else {
				missing = append(missing, n.Addr)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(c.root(), "results", g.Name)); err == nil {
		for _, addr := range missing {
			fmt.Fprintf(c.stderr, "%s was not made; what stands under results/%s is older than this run.\n", addr, g.Name)
		}
	}
	for _, r := range reports {
		dir := filepath.Join(c.root(), "results", g.Name)
		if len(reports)+len(missing) > 1 {
			dir = filepath.Join(dir, strings.TrimPrefix(fileName(r.node.Block, r.node.Point), r.node.Kind.Name+"."))
		}
		staged, err := os.MkdirTemp(st.Dir(), "results-")
		if err != nil {
			return err
		}
		from := filepath.Join(staged, "report")
		if err = stage(st, r.blob, from); err == nil {
			err = copyTree(from, dir, compress)
		}
		if err = errors.Join(err, os.RemoveAll(staged)); err != nil {
			return err
		}
		if !c.json {
			fmt.Fprintf(c.stdout, "report: %s\n", filepath.Join(dir, "report.html"))
		}
	}
	return nil
}

// stage puts a verified artifact at path. A damaged one is set aside, so that the next run makes it again.
func stage(st *store.Store, b store.Blob, path string) error {
	err := st.Stage(b, path)
	var damaged *store.DamagedError
	if errors.As(err, &damaged) {
		err = errors.Join(fmt.Errorf("%w; it was set aside: run again to make it anew", err), st.SetAside(b))
	}
	return err
}

// copyTree copies the files of a folder one by one into another.
func copyTree(from, to string, copy func(from, to string) error) error {
	return filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o777)
		}
		return replace(target, func(part string) error { return copy(path, part) })
	})
}

// compress copies a file, a Parquet table compressed.
func compress(from, to string) error {
	if filepath.Ext(from) != ".parquet" {
		return copyFile(from, to)
	}
	table, err := artifacts.ReadTable(from)
	if err != nil {
		return err
	}
	return table.Write(to, artifacts.Zstd)
}

// replace lets write make a file and puts it at path only once it is whole.
func replace(path string, write func(part string) error) error {
	part := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".part")
	err := write(part)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
